"""Run the migrations on the connection that `store.schema` hands over. There is no offline mode."""

from __future__ import annotations

from alembic import context

from orgbridge.store.schema import VERSION_TABLE
from orgbridge.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite cannot alter most things in place: tables are copied.
    render_as_batch=True,
)
context.run_migrations()
