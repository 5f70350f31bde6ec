"""${message}"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = ${repr(up_revision)}, ${repr(down_revision)}


def upgrade() -> None:
    """What is new."""
    ${upgrades if upgrades else "raise NotImplementedError"}
