"""A number that was given once is not given again."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"


def upgrade() -> None:
    """How many were given."""
    op.add_column("class", sa.Column("numbers", sa.Integer, nullable=False, server_default="0"))
    op.execute("update class set numbers = coalesce((select max(number) from participant), 0)")
