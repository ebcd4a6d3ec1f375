"""Work on the service's own store without a running service: users, roles, organizations, keys, tables."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic.script import ScriptDirectory

from orgbridge.kit.clock import SystemClock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.notes import noted
from orgbridge.services.audit import AuditTrail, Entry, Outcome
from orgbridge.store.database import Database
from orgbridge.store.schema import migrations, upgrade
from orgbridge.wiring.identity import People, build_people
from orgbridge.wiring.settings import Settings, load_settings
from orgbridge.wiring.startup import make_data_folder, prepare_tables

#: Commands that change nothing.
_LOOKS = frozenset({"list", "show", "grants", "verify", "export", "plants", "machines", "test"})


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
    outcome = Outcome.SUCCEEDED
    try:
        yield build_people(settings, database, SystemClock())
    except BaseException as error:
        outcome = Outcome.REFUSED if isinstance(error, OrgbridgeError) else Outcome.FAILED
        raise
    finally:
        await _tell(database, outcome)
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


async def _tell(database: Database, outcome: Outcome) -> None:
    """Write to the audit which command was run, by which user of this machine, unless it only looks."""
    facts = noted()
    command = str(facts.get("command", ""))
    if not command or command.rpartition(".")[2] in _LOOKS:
        return
    trail = AuditTrail(database, SystemClock())
    entry = Entry(
        action=f"cli.{command}",
        outcome=outcome,
        name=f"{getpass.getuser()}@{socket.gethostname()}",
        object_name=command.partition(".")[0],
        ids=tuple(facts.get("ids", ())),
    )
    await trail.write(entry)
    await trail.close()


def _settings(data: Path | None) -> Settings:
    settings = load_settings(needs_salesforce=False, orgbridge_data=data)
    make_data_folder(settings)
    return settings
