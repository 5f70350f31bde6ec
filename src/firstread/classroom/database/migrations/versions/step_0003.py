"""Migration 0003: count of assigned participant numbers, so that none is assigned again."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"


def upgrade() -> None:
    """Add the column `numbers` to the class."""
    op.add_column("class", sa.Column("numbers", sa.Integer, nullable=False, server_default="0"))
    op.execute("update class set numbers = coalesce((select max(number) from participant), 0)")
