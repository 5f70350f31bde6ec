"""Migration 0005: the forum."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0005", "0004"


def upgrade() -> None:
    """Create the tables of the forum, its posts and their pictures."""
    op.create_table(
        "forum",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("mode", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("projected", sa.Integer),
    )
    op.execute("insert into forum (id, mode, version) values (1, 'open', 0)")
    op.create_table(
        "forum_post",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id", ondelete="CASCADE")),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("forum_post.id", ondelete="CASCADE")),
        sa.Column("audience", sa.String(64), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("posted", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("participant_id", "key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_forum_post_parent_id", "forum_post", ["parent_id"])
    op.create_table(
        "forum_picture",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("post_id", sa.Integer, sa.ForeignKey("forum_post.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("preview", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("post_id"),
    )
