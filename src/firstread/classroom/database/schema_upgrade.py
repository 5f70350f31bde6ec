"""The tables of a class, brought to the form that this version of firstread needs. What is in them stays."""

from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, Engine

from firstread.core.errors import DataError

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
#: the form of the tables before there were migrations, and now
FIRST, NOW = "0001", "0003"
_LOCK = 7_412_018  # any number that all processes of a class know


def upgrade(engine: Engine) -> None:
    """Make or change the tables; a class of an older version is brought along. Several processes may do this at once.

    Raises:
        DataError: the tables belong to a newer version of firstread.
    """
    if _version(engine) == NOW:
        return
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":  # by hand, because its driver would begin no transaction for a table
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        try:
            _upgrade(connection)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.util import CommandError

    settings = settings_for(connection)
    tables = inspect(connection).get_table_names()
    if "participant" in tables and "alembic_version" not in tables:
        command.stamp(settings, FIRST)
    try:
        command.upgrade(settings, "head")
    except CommandError as error:
        raise DataError(
            "The class was made by a newer version of firstread", where="its database",
            do="use that version, or start another class with --name",
        ) from error  # fmt: skip


def settings_for(connection: Connection) -> Any:
    """Alembic's settings for a class's tables."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def _version(engine: Engine) -> str | None:
    """The form that the tables have; None where that was never written down."""
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.scalar(text("select version_num from alembic_version"))
