"""Alembic migrations of the class database."""
