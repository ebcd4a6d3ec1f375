"""What secrets lie sealed with in the database: a key of the settings or the vault, else one of the data folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from orgbridge.kit.logs import get_logger
from orgbridge.kit.sealing import Sealer
from orgbridge.store.database import Database
from orgbridge.store.errors import StoreError
from orgbridge.wiring.errors import SettingFault, SettingsError
from orgbridge.wiring.settings import Settings

_PURPOSE = "orgbridge secrets at rest"
_KEY_BYTES = 32
#: Rows that are sealed anew in one transaction.
_BATCH = 200
log = get_logger(__name__)


def build_sealer(settings: Settings) -> Sealer | None:
    """Return what seals secrets, None when they lie open: on PostgreSQL without a key in the settings.

    With SQLite everything runs on one machine, so a key of the data folder is everybody's; it is made once. Machines
    that share a PostgreSQL share no folder for certain, and one with a key of its own could not read the others'.

    Raises:
        SettingsError: The key of the data folder cannot be read or made.
    """
    keys = [key.encode() for key in settings.sealing_keys]
    path = settings.orgbridge_data.absolute() / "keys" / "sealing.key"
    try:
        if path.exists() or (not keys and settings.psql_connection_string is None):
            keys.append(_folder_key(path))
    except OSError as error:
        reason = f"its keys/sealing.key cannot be used ({error.strerror}); let this user read and write there"
        raise SettingsError([SettingFault(name="ORGBRIDGE_DATA", reason=reason)]) from error
    return Sealer(keys, _PURPOSE) if keys else None


async def seal_what_lies_open(database: Database) -> None:
    """Seal the secrets that lie open, or under a former key, with the key that seals now.

    A database that does not answer leaves them for the next start, with a warning.
    """
    count = 0
    try:
        async with database.unit(write=False) as unit:
            open_ones = await unit.webhooks.lying_open()
        last = ""
        while open_ones:
            async with database.unit() as unit:
                done, last = await unit.webhooks.reseal(last, _BATCH)
            count += done
            open_ones = bool(last)
    except StoreError as error:
        log.warning("secrets_not_sealed", cause=str(error), kept="they are sealed at the next start")
    if count:
        log.info("secrets_sealed", secrets=count)


def _folder_key(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_hex(_KEY_BYTES).encode())
                file.flush()
                os.fsync(file.fileno())
            # A link and not a rename: when several processes start at once, the first one's key is everybody's.
            path.hardlink_to(temporary)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_bytes()
