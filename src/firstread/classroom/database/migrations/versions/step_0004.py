"""Migration 0004: actions of the instructor with their times."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0004", "0003"


def upgrade() -> None:
    """Create the table of session events."""
    op.create_table(
        "session_event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("value", sa.String(64)),
        sa.Column("help_id", sa.Integer, sa.ForeignKey("help.id", ondelete="CASCADE")),
        sa.Column("happened", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_session_event_help_id", "session_event", ["help_id"])
