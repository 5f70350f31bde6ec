"""Alembic revisions of the class database."""
