"""Alembic's scripts; `store.schema.upgrade` runs them."""
