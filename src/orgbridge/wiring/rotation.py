"""What goes on beside the serving: secrets rotated in vault or files are taken up, old audit entries are pruned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from pydantic import SecretStr

from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger, learn_secrets
from orgbridge.orgs.sharing import UseSharing
from orgbridge.services.audit_chain import AuditChain
from orgbridge.services.key_rotation import SigningKeys
from orgbridge.store.documents import DocumentStore
from orgbridge.wiring.errors import SettingsError
from orgbridge.wiring.house import House
from orgbridge.wiring.identity import key_config
from orgbridge.wiring.sealing import seal_what_lies_open
from orgbridge.wiring.settings import Settings, comes_from_files, reload_settings
from orgbridge.wiring.startup import org_config

#: Between two prunings.
_PRUNE_SECONDS = 3600.0
#: Between two looks at files of secrets, which cost nothing.
_FILE_SECONDS = 30.0
log = get_logger(__name__)


@asynccontextmanager
async def upkeep(
    settings: Settings, house: House, keys: SigningKeys | None = None, documents: DocumentStore | None = None
) -> AsyncIterator[None]:
    """Keep secrets and audit as the vault and the settings say, while the block lasts.

    Args:
        settings: As they were at the start.
        house: Whose sign-in to Salesforce is kept.
        keys: Whose tokens are signed; None in a process that signs none and prunes nothing.
        documents: The document store; None in a process that has none.
    """
    await seal_what_lies_open(house.database)
    tasks = []
    if settings.azure_key_vault_url or comes_from_files(settings):
        tasks.append(asyncio.create_task(_watch(settings, house, keys, documents), name="secrets"))
    if settings.orgbridge_api_caller_percent < 100:
        sharing = UseSharing(house.orgs, house.database, house.clock)
        tasks.append(asyncio.create_task(sharing.run(), name="caller-shares"))
    days = settings.orgbridge_audit_retention_days
    if keys is not None and days:
        tasks.append(asyncio.create_task(_prune(house, keys, timedelta(days=days)), name="audit-retention"))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _watch(settings: Settings, house: House, keys: SigningKeys | None, documents: DocumentStore | None) -> None:
    seconds = settings.orgbridge_key_vault_refresh_seconds
    if not settings.azure_key_vault_url:
        seconds = min(seconds, _FILE_SECONDS)
    while True:
        await house.clock.sleep(seconds)
        settings = await take_up(settings, house, keys, documents)


async def take_up(
    settings: Settings, house: House, keys: SigningKeys | None, documents: DocumentStore | None = None
) -> Settings:
    """Read vault and files again, use what changed, and return the settings that hold now.

    A vault that does not answer, a file that is gone, or what cannot be used leaves all as it was, with a warning.
    """
    try:
        fresh = await asyncio.to_thread(reload_settings, settings)
        changed = _changed(settings, fresh)
        config = org_config(fresh)
        if not changed and config.credentials == house.orgs.get().credentials:
            return settings
        learn_secrets(fresh.secrets())
        await house.orgs.get().use(config.credentials, config.buyers)
        if documents is not None and fresh.azure_cosmos_key is not None:
            await documents.renew(fresh.azure_cosmos_key.get_secret_value())
        if keys is not None:
            keys.use(key_config(fresh))
            await keys.refresh()
    except SettingsError as error:
        names = sorted({fault.name for fault in error.faults})
        log.warning("secrets_not_refreshed", names=names, remedy=error.message, kept="the values that were read before")
        return settings
    log.info("secrets_rotated", names=changed)
    return fresh


def _changed(before: Settings, after: Settings) -> list[str]:
    return [
        name.upper()
        for name in Settings.model_fields
        if isinstance(getattr(after, name), SecretStr | str | None) and getattr(before, name) != getattr(after, name)
    ]


async def _prune(house: House, keys: SigningKeys, age: timedelta) -> None:
    chain = AuditChain(house.database, keys, house.clock)
    while True:
        try:
            count = await chain.prune(age)
        except OrgbridgeError as error:
            log.warning("audit_not_pruned", code=error.code)
        else:
            if count:
                log.info("audit_pruned", entries=count)
        await house.clock.sleep(_PRUNE_SECONDS)
