"""Alembic environment: runs the migrations on the connection and in the transaction of `schema_upgrade.upgrade`."""

from alembic import context

from firstread.classroom.database.schema import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
