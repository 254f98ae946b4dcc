"""How the tables came to be; run by Alembic when a store is opened."""
