"""What service and worker share: the connections. Without the web server, which a worker never touches."""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.kit.clock import Clock, SystemClock
from orgbridge.orgs.connections import Orgs
from orgbridge.store.database import Database
from orgbridge.store.files import FileStore
from orgbridge.wiring.files import build_files
from orgbridge.wiring.sealing import build_sealer
from orgbridge.wiring.settings import Settings
from orgbridge.wiring.startup import make_data_folder, org_config


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What service and worker share: the connections."""

    #: The tables.
    database: Database
    #: Inputs and results.
    files: FileStore
    #: Salesforce.
    orgs: Orgs
    #: Time.
    clock: Clock

    async def close(self) -> None:
        """Close all connections."""
        await self.orgs.close()
        await self.database.close()


def build_house(settings: Settings) -> House:
    """Return the connections; nothing is connected yet.

    Raises:
        SettingsError: The data folder or a key cannot be used.
    """
    clock = SystemClock()
    folder = make_data_folder(settings)
    database = Database(settings.database_url, sealer=build_sealer(settings))
    return House(
        database=database,
        files=build_files(settings, folder),
        orgs=Orgs([org_config(settings)], clock, database),
        clock=clock,
    )
