"""The class database (SQLAlchemy): schema, migrations, and the queries and updates on it."""
