"""Migration 0002: answers of quizzes and surveys."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Create the tables of quiz answers and survey answers."""
    op.create_table(
        "quiz_answer",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id", ondelete="CASCADE"), nullable=False),
        sa.Column("occasion", sa.String(64), nullable=False),
        sa.Column("item", sa.String(64), nullable=False),
        sa.Column("chosen", sa.Integer),
        sa.Column("right", sa.Boolean, nullable=False),
        sa.Column("answered", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("participant_id", "occasion", "item"),
    )
    op.create_table(
        "survey_answer",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id", ondelete="CASCADE"), nullable=False),
        sa.Column("question", sa.String(64), nullable=False),
        sa.Column("value", sa.Integer),
        sa.Column("text", sa.Text),
        sa.Column("answered", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("participant_id", "question"),
    )
