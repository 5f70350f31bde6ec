"""What Alembic runs: the steps, on the connection and in the transaction that `migrating.upgrade` has begun."""

from alembic import context

from firstread.classroom.database.schema import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
