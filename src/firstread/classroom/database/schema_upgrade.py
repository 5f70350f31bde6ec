"""Upgrade of the class database to the schema of this version (Alembic); existing data stay."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, Engine

from firstread.core.errors import DataError

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
#: schema revision before there were migrations, and the current one
FIRST_REVISION, HEAD_REVISION = "0001", "0005"
_ADVISORY_LOCK_ID = 7_412_018  # an arbitrary number that all processes share


def upgrade(engine: Engine) -> None:
    """Create or upgrade the tables. Several processes may call this at once.

    Raises:
        DataError: the database was made by a newer version of firstread.
    """
    if _current_revision(engine) == HEAD_REVISION:
        return
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":  # explicit BEGIN, because the driver begins no transaction for DDL
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK_ID})
        try:
            _run_migrations(connection)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


def _run_migrations(connection: Connection) -> None:
    from alembic import command
    from alembic.util import CommandError

    config = alembic_config(connection)
    tables = inspect(connection).get_table_names()
    if "participant" in tables and "alembic_version" not in tables:
        command.stamp(config, FIRST_REVISION)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DataError(
            "The class was made by a newer version of firstread",
            where="its database",
            do="use that version, or start another class with --name",
        ) from error


def alembic_config(connection: Connection) -> "Config":
    """Alembic configuration for a connection to the class database."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _current_revision(engine: Engine) -> str | None:
    """Schema revision of a database; None if it has none recorded."""
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.scalar(text("select version_num from alembic_version"))
