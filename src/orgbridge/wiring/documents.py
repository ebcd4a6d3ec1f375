"""Where documents of machines are kept, by the settings; and the sweeping of those whose time is up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.store.database import Database
from orgbridge.store.documents import DocumentStore, SQLDocuments
from orgbridge.wiring.errors import SettingFault, SettingsError
from orgbridge.wiring.settings import Settings

#: The database when the settings name none.
_DATABASE = "orgbridge"
#: Between two sweeps, and between two parts of one: others want to write as well.
_SWEEP_SECONDS, _PART_SECONDS = 600.0, 1.0
log = get_logger(__name__)


def build_documents(settings: Settings, database: Database, clock: Clock) -> DocumentStore:
    """Return the document store; nothing is connected yet.

    Raises:
        SettingsError: The file of ORGBRIDGE_COSMOS_CA is not there.
    """
    if settings.azure_cosmos_endpoint is None:
        return SQLDocuments(database, clock)
    # Azure's libraries take longer to load than all the rest of a start: whoever has no Cosmos DB does not wait.
    from azure.identity.aio import DefaultAzureCredential

    from orgbridge.store.documents.cosmos import CosmosConfig, CosmosDocuments

    authority = settings.orgbridge_cosmos_ca
    if authority is not None and not authority.is_file():
        reason = f"there is no file {authority}; name a PEM file, or leave it empty"
        raise SettingsError([SettingFault(name="ORGBRIDGE_COSMOS_CA", reason=reason)])
    key = settings.azure_cosmos_key
    config = CosmosConfig(
        endpoint=settings.azure_cosmos_endpoint,
        credential=key.get_secret_value() if key is not None else DefaultAzureCredential(),
        database=settings.azure_cosmos_database or _DATABASE,
        authority_file=authority,
    )
    return CosmosDocuments(config, clock)


@asynccontextmanager
async def kept(store: DocumentStore, clock: Clock) -> AsyncIterator[None]:
    """Sweep the store while the block lasts, and close it then."""
    sweeping = asyncio.create_task(sweep_documents(store, clock), name="documents-sweep")
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.wait({sweeping})
        await store.close()


async def sweep_documents(store: DocumentStore, clock: Clock) -> None:
    """Delete documents whose time is up, now and then, until cancelled. Several processes may do it at once."""
    while True:
        try:
            while swept := await store.sweep():
                log.info("documents_swept", documents=swept)
                await clock.sleep(_PART_SECONDS)
        except OrgbridgeError as error:
            # What is over is hidden in any case; the next sweep comes.
            log.warning("documents_not_swept", remedy=error.message)
        await clock.sleep(_SWEEP_SECONDS)
