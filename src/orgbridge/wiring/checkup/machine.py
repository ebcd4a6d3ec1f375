"""Checks on this side of the network: folders, database, workers and their queue, where files lie."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.store.database import Database
from orgbridge.store.files import FileStore
from orgbridge.store.schema import SchemaState, read_schema
from orgbridge.store.totals import load_totals
from orgbridge.wiring.checkup.findings import Finding, aside, fault, good, warning, within
from orgbridge.wiring.errors import SettingsError
from orgbridge.wiring.files import build_files
from orgbridge.wiring.settings import Settings
from orgbridge.wiring.startup import make_data_folder

_GIBIBYTE = 1024**3
#: A load needs its input about three times: as it came, in parts, and in results.
_LOW_DISK_BYTES, _NO_DISK_BYTES = 2 * _GIBIBYTE, _GIBIBYTE // 10
_FOLDER_SECONDS, _DATABASE_SECONDS, _STORAGE_SECONDS = 5.0, 15.0, 20.0
#: A load that no living worker takes up for so long says that they are stuck or too few.
_LATE = timedelta(minutes=1)
#: The oldest PostgreSQL that its makers still mend as of this version. Source: postgresql.org/support/versioning.
_OLDEST_POSTGRESQL = 14


async def folder(settings: Settings) -> Finding:
    """Look whether the data folder can be written and has room."""
    name = "data folder"
    place = settings.orgbridge_data.absolute()
    late = fault(name, f"{place} does not answer within {_FOLDER_SECONDS:.0f} s", "mend the disk that it lies on")
    return await within(_FOLDER_SECONDS, late, aside(lambda: _folder(name, settings)))


def _folder(name: str, settings: Settings) -> Finding:
    try:
        place = make_data_folder(settings)
    except SettingsError as error:
        return fault(name, f"{settings.orgbridge_data.absolute()}: {error.faults[0].reason}", "set ORGBRIDGE_DATA")
    return _room(name, place, shutil.disk_usage(place).free)


def _room(name: str, place: Path, free: int) -> Finding:
    remedy = "free space, or set ORGBRIDGE_DATA to another disk"
    if free < _NO_DISK_BYTES:
        return fault(name, f"{place} has {free / 1024**2:.0f} MiB left", remedy)
    if free < _LOW_DISK_BYTES:
        return warning(name, f"{place} has {free / _GIBIBYTE:.1f} GiB left; a load needs three times its file", remedy)
    return good(name, f"{place}, {free / _GIBIBYTE:.0f} GiB free")


async def exchange(settings: Settings) -> list[Finding]:
    """Look at the folders that files come from and are copied to, as far as they are used."""
    found: list[Finding] = []
    for field, name, look in (
        ("data_path_input", "input folder", _readable),
        ("data_path_output", "output folder", _writable),
        ("data_path_failed", "folder of failed rows", _writable),
    ):
        place: Path = getattr(settings, field)
        asked = field in settings.model_fields_set
        late = fault(name, f"{place} does not answer within {_FOLDER_SECONDS:.0f} s", "mend the disk that it lies on")
        found.append(await within(_FOLDER_SECONDS, late, aside(_looker(look, name, place, field.upper(), asked))))
    return found


_Look = Callable[[str, Path, str, bool], Finding]


def _looker(look: _Look, name: str, place: Path, setting: str, asked: bool) -> Callable[[], Finding]:
    return lambda: look(name, place, setting, asked)


def _readable(name: str, place: Path, setting: str, asked: bool) -> Finding:
    if not place.exists():
        if not asked:
            return good(name, f"not used: there is no {place}")
        return warning(name, f"{place} is not there; files on the server cannot be named", f"make it, or set {setting}")
    try:
        next(place.iterdir(), None)
    except OSError as error:
        return fault(name, f"{place} cannot be read: {error.strerror}", f"let this user read it, or set {setting}")
    return good(name, str(place))


def _writable(name: str, place: Path, setting: str, asked: bool) -> Finding:
    if not place.exists() and not asked:
        return good(name, f"not used: there is no {place}")
    probe = place / f".doctor-{uuid4().hex}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        return fault(
            name, f"{place} cannot be written: {error.strerror}", f"let this user write there, or set {setting}"
        )
    return good(name, str(place))


async def database(settings: Settings) -> Finding:
    """Look whether the database answers, how old it is, and whether its tables are those of this program."""
    name = "database"
    remedy = "check PSQL_CONNECTION_STRING, that the server runs, and the network between"
    late = fault(name, f"no answer within {_DATABASE_SECONDS:.0f} s", remedy)
    return await within(_DATABASE_SECONDS, late, aside(lambda: _database(name, settings, remedy)))


def _database(name: str, settings: Settings, remedy: str) -> Finding:
    try:
        state = read_schema(settings.database_url)
    except OrgbridgeError as error:
        return fault(name, error.message, remedy)
    kind = "SQLite" if settings.psql_connection_string is None else "PostgreSQL"
    return judge_schema(name, f"{kind} {state.server}".rstrip(), state)


def judge_schema(name: str, server: str, state: SchemaState) -> Finding:
    """Return what a state of the tables means.

    Args:
        name: What the finding is called.
        server: Kind and version of the server, for people.
        state: What was read.
    """
    if state.applied is None:
        return fault(name, f"{server} answers and has no tables of ours", "orgbridge db upgrade")
    if state.outdated:
        detail = f"{server}, tables of migration {state.applied}; this program needs {state.wanted}"
        return fault(name, detail, "orgbridge db upgrade")
    if state.newer:
        detail = f"{server}, tables of migration {state.applied}; this program knows them up to {state.wanted}"
        return warning(name, detail, "bring this program up to date; until then it works on them")
    major = state.server.split(".")[0]
    if server.startswith("PostgreSQL") and major.isdigit() and int(major) < _OLDEST_POSTGRESQL:
        return warning(name, f"{server} is no longer mended by its makers", "move to PostgreSQL 14 or newer")
    return good(name, f"{server}, tables up to date ({state.applied})")


async def workers(settings: Settings, clock: Clock) -> list[Finding]:
    """Look whether somebody carries loads out, and what waits."""
    name, remedy = "worker", "start `orgbridge worker`"
    late = fault(name, f"the database does not answer within {_DATABASE_SECONDS:.0f} s", "mend the database")
    opened = Database(settings.database_url)
    try:
        alive = await within(_DATABASE_SECONDS, late, _living(name, remedy, opened))
        queue = await within(_DATABASE_SECONDS, late, _queue(opened, clock, alive.holds))
    finally:
        await opened.close()
    return [alive, queue]


async def _living(name: str, remedy: str, opened: Database) -> Finding:
    try:
        if opened.address.file is not None:
            # The worker's lock, as `engine.leases` takes it.
            file = opened.address.file.parent / "engine.sqlite.lock"
            count = int(await aside(lambda: _locked(file)))
        else:
            async with opened.unit(write=False) as unit:
                count = len(await unit.leases.living())
    except OrgbridgeError as error:
        return fault(name, error.message, "mend the database")
    if count == 0:
        return fault(name, "none runs; loads wait until one does", remedy)
    return good(name, f"{count} running")


async def _queue(opened: Database, clock: Clock, alive: bool) -> Finding:
    name = "queue"
    try:
        async with opened.unit(write=False) as unit:
            oldest = await unit.loads.undispatched(1)
            totals = await load_totals(unit)
    except OrgbridgeError as error:
        return fault(name, error.message, "mend the database")
    detail = f"{totals.waiting:,} parts of running loads wait for a Salesforce job"
    if oldest and alive and clock.now() - oldest[0].created_at > _LATE:
        minutes = (clock.now() - oldest[0].created_at).total_seconds() / 60
        detail = f"load {oldest[0].id} has waited for {minutes:.0f} min without being taken up; {detail}"
        return warning(name, detail, "see the workers' logs; start more workers when they are all busy")
    if totals.stalled:
        detail = f"{totals.stalled:,} jobs show no progress at Salesforce; {detail}"
        return warning(name, detail, "see `orgbridge jobs list` and, in Salesforce, Setup > Bulk Data Load Jobs")
    return good(name, detail)


def _locked(path: Path) -> bool:
    """Return whether a process holds the worker's lock."""
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            fcntl.flock(file, fcntl.LOCK_UN)
    except OSError:
        pass
    return False


async def storage(settings: Settings) -> Finding | None:
    """Look whether object storage takes a file, gives it back and deletes it; None when there is none."""
    name = "file storage"
    if settings.orgbridge_files_url is None:
        return None
    remedy = "check ORGBRIDGE_FILES_URL, its key or this machine's role, and the network to the storage"
    late = fault(name, f"no answer within {_STORAGE_SECONDS:.0f} s from {settings.orgbridge_files_url}", remedy)
    return await within(_STORAGE_SECONDS, late, _storage(name, settings, remedy))


async def _storage(name: str, settings: Settings, remedy: str) -> Finding:
    key, text = f"doctor/{uuid4().hex}", b"orgbridge doctor"

    def there_and_back(files: FileStore) -> bool:
        files.write_blocks(key, [text])
        return b"".join(files.open_blocks(key)) == text

    try:
        files = build_files(settings, settings.orgbridge_data)
        same = await aside(lambda: there_and_back(files))
        await files.delete(key)
    except SettingsError as error:
        return fault(name, error.faults[0].reason, "set ORGBRIDGE_FILES_URL")
    except OrgbridgeError as error:
        return fault(name, f"{settings.orgbridge_files_url}: {error.message}", remedy)
    if not same:
        return fault(name, f"{settings.orgbridge_files_url} gives back other bytes than it took", remedy)
    return good(name, f"{settings.orgbridge_files_url} takes, gives and deletes files")
