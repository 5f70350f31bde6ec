"""Migration 0001: the first schema."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    """Create the tables of the class, participants, events, help requests and broadcasts."""
    op.create_table(
        "class",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("door", sa.String(64), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True)),
        sa.Column("paused", sa.DateTime(timezone=True)),
        sa.Column("pauses_seconds", sa.Double, nullable=False),
        sa.Column("step", sa.String(64)),
    )
    op.create_table(
        "participant",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("username", sa.String(64), nullable=False, unique=True),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("resume_mark", sa.String(64), nullable=False, unique=True),
        sa.Column("arms", sa.JSON, nullable=False),
        sa.Column("joined", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("step", sa.String(64)),
        sa.Column("values", sa.JSON, nullable=False),
        sa.Column("happened", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("participant_id", "key"),
    )
    op.create_index("event_of", "event", ["participant_id", "id"])
    op.create_table(
        "help",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id", ondelete="CASCADE"), nullable=False),
        sa.Column("asked", sa.DateTime(timezone=True), nullable=False),
        sa.Column("step", sa.String(64)),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("error", sa.String(200)),
        sa.Column("notebook", sa.Text),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_help_participant_id", "help", ["participant_id"])
    op.create_table(
        "broadcast",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=False),
    )
