"""Work on the service's own store without a running service: users, roles, organizations, keys, tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic.script import ScriptDirectory

from orgbridge.kit.clock import SystemClock
from orgbridge.store.database import Database
from orgbridge.store.schema import migrations, upgrade
from orgbridge.wiring.identity import People, build_people
from orgbridge.wiring.settings import Settings, load_settings
from orgbridge.wiring.startup import make_data_folder, prepare_tables


@asynccontextmanager
async def administration(data: Path | None) -> AsyncIterator[People]:
    """Open the services of users, roles and keys over the store; a running service notices changes within seconds.

    Args:
        data: Data folder; None takes ORGBRIDGE_DATA.

    Raises:
        SettingsError: A setting is wrong; nothing was written.
        StoreError: The database cannot be reached or is not up to date; nothing was written.
    """
    settings = await asyncio.to_thread(_settings, data)
    await asyncio.to_thread(prepare_tables, settings)
    database = Database(settings.database_url)
    try:
        yield build_people(settings, database, SystemClock())
    finally:
        await database.close()


async def upgrade_database(*, data: Path | None) -> str:
    """Bring the tables up to date and return the revision they are at; safe to repeat.

    Args:
        data: Data folder; None takes ORGBRIDGE_DATA.

    Raises:
        SettingsError: A setting is wrong; nothing was changed.
        StoreUnavailable: The database cannot be reached.
    """
    settings = await asyncio.to_thread(_settings, data)
    await asyncio.to_thread(upgrade, settings.database_url)
    # `upgrade` went to the newest, so that is where the tables are.
    return str(ScriptDirectory.from_config(migrations()).get_current_head())


def _settings(data: Path | None) -> Settings:
    settings = load_settings(needs_salesforce=False, orgbridge_data=data)
    make_data_folder(settings)
    return settings
