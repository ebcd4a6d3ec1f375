"""Documents in Azure Cosmos DB (NoSQL API): one container, one logical partition per organization.

Every write carries a mark of its own, so that one whose answer was lost is recognised when it is tried again.
"""

from __future__ import annotations

import asyncio
import math
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.core.credentials_async import AsyncTokenCredential
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.json import JSON, dumps
from orgbridge.store.document_errors import (
    DocumentExists,
    DocumentMissing,
    DocumentsRefused,
    DocumentStale,
    DocumentsUnavailable,
)
from orgbridge.store.document_records import (
    MAX_PAGE_BYTES,
    Document,
    DocumentDraft,
    DocumentKey,
    DocumentOutcome,
    DocumentPage,
    DocumentQuery,
    Fate,
    check_draft,
    check_page,
    document_of,
    instant_text,
    is_over,
    item_of,
    next_cursor,
    open_cursor,
    parse_instant,
    place_of,
    refusals,
)
from orgbridge.store.documents.cosmos_calls import Deadline, call
from orgbridge.store.documents.cosmos_container import open_container
from orgbridge.store.documents.protocol import DocumentBackend
from orgbridge.store.errors import StoreUnavailable

T = TypeVar("T")
#: Documents of one bulk upsert that are on their way at once.
_AT_ONCE = 8
#: How often a write is begun anew because somebody else wrote in between.
_TRIES = 5
#: Most seconds that an item may live by its `ttl`. Source: Azure Cosmos DB, "Time to live", read 2026-11-22.
_MAX_TTL = 2**31 - 1
_ETAG = re.compile(r"[\x21\x23-\x7e]{1,128}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmosConfig:
    """How Cosmos DB is reached."""

    #: Address of the account, https.
    endpoint: str
    #: The account's key, or what gets tokens for this machine's identity.
    credential: str | AsyncTokenCredential
    #: Name of the database.
    database: str
    #: Name of the container.
    container: str = "machine_documents"
    #: PEM of the authority that vouches for the endpoint, when it is not one that this machine knows.
    authority_file: Path | None = None
    #: Longest time for one call of ours, repetitions included; for a bulk upsert; for one request.
    call_seconds: float = 10.0
    bulk_seconds: float = 30.0
    attempt_seconds: float = 5.0


class CosmosDocuments:
    """A document store in Cosmos DB. It connects when it is first used."""

    def __init__(self, config: CosmosConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._opening = asyncio.Lock()
        self._credential = config.credential
        self._client: CosmosClient | None = None
        self._retired: list[CosmosClient] = []
        self._opened: ContainerProxy | None = None

    @property
    def backend(self) -> DocumentBackend:
        """Where documents are kept."""
        return DocumentBackend.COSMOS

    async def add(self, draft: DocumentDraft) -> Document:
        """Write a new document; see `DocumentStore.add`."""
        now = self._clock.now()
        check_draft(draft, now)
        deadline = self._deadline()
        item = _new_item(draft, now)
        for _ in range(_TRIES):
            made = await self._create(item, deadline)
            if made is not None:
                return made
            there = await self._read(draft.organization_id, draft.id, deadline)
            if there is None:
                continue
            if there.get("mark") == item["mark"]:
                return _document(there)
            if not _over(there, now):
                raise DocumentExists(draft.id)
            replaced = await self._write(item, str(there["_etag"]), deadline)
            if replaced is not None:
                return replaced
        raise _restless()

    async def get(self, key: DocumentKey) -> Document:
        """Return a document; see `DocumentStore.get`."""
        return _document(await self._living(key, self._deadline()))

    async def replace(self, key: DocumentKey, draft: DocumentDraft, *, expected: str | None) -> Document:
        """Write another state of a document; see `DocumentStore.replace`."""
        now = self._clock.now()
        check_draft(draft, now)
        deadline = self._deadline()
        for _ in range(_TRIES):
            there = await self._living(key, deadline)
            # What was read may be behind what another replica has; who decides is the one that is written to.
            condition = str(there["_etag"]) if expected is None else _raw(expected)
            if condition is None:
                raise DocumentStale(_etag(there))
            done = await self._write(_next_item(there, draft, now), condition, deadline)
            if done is not None:
                return done
            if expected is not None:
                raise DocumentStale(_etag(await self._living(key, deadline)))
        raise _restless()

    async def delete(self, key: DocumentKey, *, expected: str | None) -> None:
        """Delete a document; see `DocumentStore.delete`."""
        deadline = self._deadline()
        for _ in range(_TRIES):
            there = await self._living(key, deadline)
            condition = str(there["_etag"]) if expected is None else _raw(expected)
            if condition is None:
                raise DocumentStale(_etag(there))
            if await self._remove(key, condition, deadline):
                return
            if expected is not None:
                raise DocumentStale(_etag(await self._living(key, deadline)))
        raise _restless()

    async def page(self, query: DocumentQuery, *, cursor: str | None, limit: int) -> DocumentPage:
        """Return one page of documents; see `DocumentStore.page`."""
        check_page(query, limit)
        text, parameters = _sql(query, cursor, self._clock.now())
        deadline = self._deadline()
        container = await self._container(deadline)

        async def read() -> tuple[list[Document], bool]:
            items: list[Document] = []
            total = 0
            pages = container.query_items(
                text, parameters=parameters, partition_key=query.organization_id, max_item_count=limit + 1
            ).by_page()
            async for page in pages:
                async for item in page:
                    total += len(dumps(item))
                    if len(items) == limit or (items and total > MAX_PAGE_BYTES):
                        return items, True
                    items.append(_document(item))
            return items, False

        items, more = await self._call(read, deadline, writes=False)
        return DocumentPage(items=items, next_cursor=next_cursor(query, items[-1]) if more else None)

    async def put_many(
        self, organization_id: str, machine_ids: tuple[str, ...], drafts: Sequence[DocumentDraft]
    ) -> list[DocumentOutcome]:
        """Write documents whether they are there or not; see `DocumentStore.put_many`."""
        refused = refusals(organization_id, drafts, self._clock.now())
        outcomes = dict(refused)
        waiting = iter([place for place in range(len(drafts)) if place not in refused])
        deadline = self._deadline(self._config.bulk_seconds)
        gone: OrgbridgeError | None = None

        async def write() -> None:
            nonlocal gone
            for place in waiting:
                draft, fate = drafts[place], Fate.NOT_DONE
                if gone is None:
                    try:
                        outcomes[place] = await self._put(machine_ids, draft, deadline)
                        continue
                    except (StoreUnavailable, DocumentsRefused) as error:
                        gone = gone or error
                        unknown = isinstance(error, DocumentsUnavailable) and error.unknown
                        fate = Fate.UNKNOWN if unknown else Fate.NOT_DONE
                outcomes[place] = DocumentOutcome(id=draft.id, fate=fate, error=gone)

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(write())
        told = {Fate.CREATED, Fate.UPDATED, Fate.UNKNOWN}
        if gone is not None and not any(outcome.fate in told for outcome in outcomes.values()):
            raise gone
        return [outcomes[place] for place in range(len(drafts))]

    async def _put(self, machine_ids: tuple[str, ...], draft: DocumentDraft, deadline: Deadline) -> DocumentOutcome:
        now = self._clock.now()
        new = _new_item(draft, now)
        for _ in range(_TRIES):
            made = await self._create(new, deadline)
            if made is not None:
                return DocumentOutcome(id=draft.id, fate=Fate.CREATED, etag=made.etag)
            there = await self._read(draft.organization_id, draft.id, deadline)
            if there is None:
                continue
            over, ours = _over(there, now), there.get("mark") == new["mark"]
            if ours:
                return DocumentOutcome(id=draft.id, fate=Fate.CREATED, etag=_etag(there))
            if not over and there["machine_id"] not in machine_ids:
                return DocumentOutcome(id=draft.id, fate=Fate.REFUSED, error=DocumentExists(draft.id))
            item = new if over else _next_item(there, draft, now)
            done = await self._write(item, str(there["_etag"]), deadline)
            if done is not None:
                return DocumentOutcome(id=draft.id, fate=Fate.CREATED if over else Fate.UPDATED, etag=done.etag)
        return DocumentOutcome(id=draft.id, fate=Fate.NOT_DONE, error=_restless())

    async def sweep(self) -> int:
        """Return 0: Cosmos DB deletes documents itself when their `ttl` ends."""
        return 0

    async def check(self) -> None:
        """See that the container can be read; see `DocumentStore.check`."""
        deadline = self._deadline()
        container = await self._container(deadline)
        await self._call(container.read, deadline, writes=False)

    async def renew(self, secret: str) -> None:
        """Use another key from now on; calls under way end with the one that they began with."""
        async with self._opening:
            if secret == self._credential:
                return
            # Those of the renewal before have ended long ago: no call takes longer than a bulk upsert.
            await self._close_retired()
            if self._client is not None:
                self._retired.append(self._client)
            self._credential, self._client, self._opened = secret, None, None

    async def close(self) -> None:
        """Close all connections."""
        async with self._opening:
            if self._client is not None:
                self._retired.append(self._client)
            self._client = self._opened = None
            await self._close_retired()
            if not isinstance(self._config.credential, str):
                await self._config.credential.close()

    async def _close_retired(self) -> None:
        while self._retired:
            await self._retired.pop().close()

    async def _container(self, deadline: Deadline) -> ContainerProxy:
        if self._opened is None:
            async with self._opening:
                # Another call may have opened it while this one waited.
                if self._opened is None:
                    self._opened = await self._open(deadline)
        return self._opened

    async def _open(self, deadline: Deadline) -> ContainerProxy:
        client = self._client
        if client is None:
            # The library reads files and loads modules when it makes one.
            client = self._client = await asyncio.to_thread(_client, self._config, self._credential)
        return await self._call(
            lambda: open_container(client, self._config.database, self._config.container), deadline, writes=False
        )

    async def _create(self, item: dict[str, Any], deadline: Deadline) -> Document | None:
        """Write an item that is not there; return None when one of its id is."""
        container = await self._container(deadline)
        try:
            return _document(await self._call(lambda: container.create_item(item), deadline, writes=True))
        except CosmosResourceExistsError:
            return None

    async def _write(self, item: dict[str, Any], condition: str, deadline: Deadline) -> Document | None:
        """Write an item over one of this ETag; return None when there is none of it, and it was not us."""
        container = await self._container(deadline)
        try:
            done = await self._call(
                lambda: container.replace_item(
                    item["id"], item, etag=condition, match_condition=MatchConditions.IfNotModified
                ),
                deadline,
                writes=True,
            )
            return _document(done)
        except (CosmosAccessConditionFailedError, CosmosResourceNotFoundError):
            there = await self._read(item["organization_id"], item["id"], deadline)
            return _document(there) if there is not None and there.get("mark") == item["mark"] else None

    async def _remove(self, key: DocumentKey, condition: str, deadline: Deadline) -> bool:
        """Delete an item of this ETag; return False when it has another one."""
        container = await self._container(deadline)
        try:
            await self._call(
                lambda: container.delete_item(
                    key.id, key.organization_id, etag=condition, match_condition=MatchConditions.IfNotModified
                ),
                deadline,
                writes=True,
            )
        except CosmosResourceNotFoundError:
            # It was there a moment ago: deleted by an attempt whose answer was lost, or by somebody else.
            return True
        except CosmosAccessConditionFailedError:
            return False
        return True

    async def _read(self, organization_id: str, identifier: str, deadline: Deadline) -> dict[str, Any] | None:
        container = await self._container(deadline)
        try:
            return dict(
                await self._call(lambda: container.read_item(identifier, organization_id), deadline, writes=False)
            )
        except CosmosResourceNotFoundError:
            return None

    async def _living(self, key: DocumentKey, deadline: Deadline) -> dict[str, Any]:
        there = await self._read(key.organization_id, key.id, deadline)
        if there is None or there["machine_id"] not in key.machine_ids or _over(there, self._clock.now()):
            raise DocumentMissing
        return there

    def _deadline(self, seconds: float | None = None) -> Deadline:
        return Deadline(self._clock, seconds if seconds is not None else self._config.call_seconds)

    async def _call(self, attempt: Callable[[], Awaitable[T]], deadline: Deadline, *, writes: bool) -> T:
        return await call(attempt, deadline, writes=writes, attempt_seconds=self._config.attempt_seconds)


def _client(config: CosmosConfig, credential: str | AsyncTokenCredential) -> CosmosClient:
    private: dict[str, Any] = {}
    if config.authority_file is not None:
        private = {"connection_verify": str(config.authority_file)}
    return CosmosClient(
        config.endpoint,
        credential,
        connection_timeout=config.attempt_seconds,
        read_timeout=config.attempt_seconds,
        # Below zero, for zero counts as not said.
        retry_throttle_total=-1,
        retry_total=0,
        retry_connect=0,
        retry_read=0,
        retry_status=0,
        # Cosmos DB measures items as UTF-8, and so do we.
        enable_compact_utf8_item_writes=True,
        **private,
    )


def _new_item(draft: DocumentDraft, now: datetime) -> dict[str, Any]:
    item = item_of(draft, created_at=now, updated_at=now)
    return _with_life(item, draft.expires_at, now) | {"mark": secrets.token_hex(8)}


def _next_item(there: dict[str, Any], draft: DocumentDraft, now: datetime) -> dict[str, Any]:
    """Return the item of a document's next state: who made it, when, and under which machine's name stays."""
    kept = {name: there[name] for name in ("created_by", "created_at", "machine_id", "id", "organization_id")}
    item = item_of(draft, created_at=now, updated_at=now) | kept
    item["place"] = place_of(draft.recorded_at, there["id"])
    return _with_life(item, draft.expires_at, now) | {"mark": secrets.token_hex(8)}


def _with_life(item: dict[str, JSON], expires_at: datetime | None, now: datetime) -> dict[str, Any]:
    if expires_at is None:
        return item
    # Cosmos DB counts whole seconds; ours end to the microsecond, by `expires_at`, and are hidden from then on.
    return item | {"ttl": min(_MAX_TTL, max(1, math.ceil((expires_at - now).total_seconds())))}


def _document(item: dict[str, Any]) -> Document:
    return document_of(item, _etag(item))


def _etag(item: dict[str, Any]) -> str:
    return str(item["_etag"]).strip('"')


def _raw(etag: str) -> str | None:
    """Return an ETag as Cosmos DB writes it, None for a text that cannot be one."""
    return f'"{etag}"' if _ETAG.match(etag) else None


def _over(item: dict[str, Any], now: datetime) -> bool:
    ends = item.get("expires_at")
    return is_over(parse_instant(ends) if ends is not None else None, now)


def _restless() -> DocumentsUnavailable:
    return DocumentsUnavailable(f"Others changed the document {_TRIES} times while it was written. Nothing was done.")


def _sql(query: DocumentQuery, cursor: str | None, now: datetime) -> tuple[str, list[dict[str, object]]]:
    """Return the query with its parameters; no value of a caller stands in its text."""
    values: dict[str, JSON] = {"@organization": query.organization_id, "@now": instant_text(now)}
    values |= {f"@machine{number}": name for number, name in enumerate(query.machine_ids)}
    machines = ", ".join(f"@machine{number}" for number in range(len(query.machine_ids)))
    conditions = [
        "c.organization_id = @organization",
        f"c.machine_id IN ({machines})",
        "(IS_NULL(c.expires_at) OR c.expires_at > @now)",
    ]
    if query.kind is not None:
        conditions.append("c.kind = @kind")
        values["@kind"] = query.kind
    if query.since is not None:
        conditions.append("c.recorded_at >= @since")
        values["@since"] = instant_text(query.since)
    if query.until is not None:
        conditions.append("c.recorded_at < @until")
        values["@until"] = instant_text(query.until)
    if cursor is not None:
        conditions.append(f"c.place {'>' if query.oldest_first else '<'} @place")
        values["@place"] = place_of(*open_cursor(query, cursor))
    order = "ASC" if query.oldest_first else "DESC"
    text = f"SELECT * FROM c WHERE {' AND '.join(conditions)} ORDER BY c.place {order}"  # noqa: S608 - our own words
    return text, [{"name": name, "value": value} for name, value in values.items()]
