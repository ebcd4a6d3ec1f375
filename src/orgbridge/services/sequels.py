"""What retry and undo have in common: a load that comes out of another one, the two tied together for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orgbridge.kit import traces
from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.loads.dialect import Dialect
from orgbridge.loads.mapping import Mapping
from orgbridge.loads.states import LOAD_ENDS, LoadState
from orgbridge.services.errors import LoadNotFinished, LoadNotFound, NothingToDo, ResultsMissing, SequelExists
from orgbridge.services.policies.guard import Guard
from orgbridge.services.policies.policy import may_see_job
from orgbridge.services.scopes import Caller
from orgbridge.services.streams import from_thread
from orgbridge.store.database import Database
from orgbridge.store.errors import LinkExists
from orgbridge.store.files import FileStore
from orgbridge.store.records import LoadKind, LoadRecord
from orgbridge.store.round_records import LinkKind, LinkRecord
from orgbridge.wire.bulk import IngestOperation, LineEnding

#: What the tie is called in words.
_WORDS = {LinkKind.RETRY: "retried", LinkKind.UNDO_CREATED: "undone", LinkKind.UNDO_UPDATED: "undone"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequel:
    """A load that is to come out of another one."""

    #: How.
    kind: LinkKind
    #: What it does.
    operation: str
    #: Key of an upsert.
    external_id_field: str | None
    #: Name of its input.
    name: str
    #: Its options, besides those that tell how the input is written.
    options: dict[str, Any]
    #: How its input is written.
    dialect: Dialect
    #: Names of its columns.
    columns: tuple[str, ...]
    #: The header record, ending included.
    header: bytes
    #: Names under which they are sent; None: as they are.
    fields: tuple[str, ...] | None = None
    #: Opens its input, header included; blocking.
    content: Callable[[], Iterator[bytes]]


class Sequels:
    """Finds loads that have ended, and makes loads out of them."""

    def __init__(self, database: Database, files: FileStore, clock: Clock, guard: Guard) -> None:
        self._database = database
        self._guard = guard
        self._files = files
        self._clock = clock

    async def ended(self, job_id: str, caller: Caller) -> LoadRecord:
        """Return an ended ingest that left results.

        Raises:
            LoadNotFound: We have no such load, or the caller may not see it.
            LoadNotFinished: It has not ended yet.
            ResultsMissing: It is a query, or ended before any row was read.
        """
        async with self._database.unit(write=False) as unit:
            load = await unit.loads.get(job_id)
            if load is None and (found := await unit.loads.find_by_job_id(job_id)) is not None:
                load = found[0]
        if load is None or not may_see_job(caller, load.created_by):
            raise LoadNotFound
        if load.state not in LOAD_ENDS:
            raise LoadNotFinished
        if load.kind is not LoadKind.INGEST or load.results_key is None or load.receipt is None:
            raise ResultsMissing("The job left no results, so there is nothing to be done with its rows.")
        return load

    async def make(self, parent: LoadRecord, sequel: Sequel, caller: Caller) -> str:
        """Keep the input, record the load and the tie in one transaction; return the new load's id.

        Raises:
            SequelExists: Another load came out of this one in the same way; nothing was kept.
            NothingToDo: The input has no rows; nothing was kept.
            PolicyError: The caller may not make such a load; nothing was kept.
        """
        operation = IngestOperation(sequel.operation)
        names = sequel.columns if sequel.fields is None else sequel.fields
        await self._guard.columns(caller, operation, parent.object_name, names, key=sequel.external_id_field)
        await self._check_free(parent, sequel.kind)
        now = self._clock.now()
        load_id = new_identifier("load", now)
        key = f"loads/{load_id}/input"
        kept = False
        try:
            stored = await self._files.write(key, from_thread(sequel.content))
            if stored.bytes <= len(sequel.header):
                raise NothingToDo("The job has no such rows: there is nothing to load.")
            record = LoadRecord(
                id=load_id,
                kind=LoadKind.INGEST,
                object_name=parent.object_name,
                operation=sequel.operation,
                external_id_field=sequel.external_id_field,
                state=LoadState.QUEUED,
                options={
                    **sequel.options,
                    **traces.remembered(),
                    "original_name": sequel.name,
                    "content_type": "text/csv",
                    "encoding": "utf-8",
                    "delimiter": sequel.dialect.delimiter,
                    "detected": {
                        "format": "CSV",
                        "encoding": "utf-8",
                        "delimiter": sequel.dialect.delimiter,
                        "line_ending": sequel.dialect.line_ending.value,
                        "has_bom": False,
                        "columns": list(sequel.columns),
                    },
                },
                input_key=key,
                input_bytes=stored.bytes,
                input_sha256=stored.sha256,
                created_by=caller.username,
                created_at=now,
                org=parent.org,
            )
            link = LinkRecord(parent_id=parent.id, kind=sequel.kind, child_id=load_id, created_at=now)
            try:
                async with self._database.unit() as unit:
                    # The tie is unique: of two callers at once, one makes the load.
                    await unit.loads.add(record)
                    await unit.sequels.add_link(link)
            except LinkExists:
                await self._check_free(parent, sequel.kind)
                raise
            kept = True
        finally:
            if not kept:
                await self._files.delete(f"loads/{load_id}")
        return load_id

    async def _check_free(self, parent: LoadRecord, kind: LinkKind) -> None:
        """See that nothing came out of the load in this way; a sequel that did nothing at all is forgotten.

        Raises:
            SequelExists: Something did.
        """
        async with self._database.unit() as unit:
            links = await unit.sequels.links(parent.id)
            for link in links:
                if link.parent_id != parent.id or link.kind is not kind:
                    continue
                child = await unit.loads.get(link.child_id)
                if child is not None and (child.state not in LOAD_ENDS or child.receipt is not None):
                    raise SequelExists(_WORDS[kind], link.child_id)
                await unit.sequels.drop_link(parent.id, kind)


def links_json(load_id: str, links: Sequence[LinkRecord]) -> dict[str, str]:
    """Return the loads that one is tied to, by how: `retry_of`, `retried_by`, `undo_of`, `undone_by`, `restored_by`."""
    after = {LinkKind.RETRY: "retried_by", LinkKind.UNDO_CREATED: "undone_by", LinkKind.UNDO_UPDATED: "restored_by"}
    found = {}
    for link in links:
        if link.child_id == load_id:
            found["retry_of" if link.kind is LinkKind.RETRY else "undo_of"] = link.parent_id
        else:
            found[after[link.kind]] = link.child_id
    return found


def facts_of(load: LoadRecord) -> tuple[Dialect, tuple[str, ...], bytes]:
    """Return how the canonical rows of a load are written, their columns, and their header record."""
    facts = load.input_facts or {}
    dialect = Dialect(delimiter=facts.get("delimiter", ","), line_ending=LineEnding(facts.get("line_ending", "LF")))
    return dialect, tuple(facts.get("columns", ())), str(facts.get("header_record", "")).encode()


def sent_fields(load: LoadRecord) -> tuple[str, ...] | None:
    """Return the names under which a load's columns and constants were sent; None: as they are."""
    mapping = (load.input_facts or {}).get("mapping")
    return Mapping.from_json(mapping).header if mapping else None
