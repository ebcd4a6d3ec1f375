"""Documents against a simple model: whatever is done in whatever order, each backend ends as the model does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from orgbridge.store.database import Database
from orgbridge.store.document_errors import DocumentExists, DocumentMissing, DocumentStale
from orgbridge.store.document_records import Document, DocumentDraft, DocumentKey, DocumentQuery, Fate
from orgbridge.store.documents import DocumentStore, SQLDocuments
from tests.support.clocks import HandClock
from tests.support.cosmos_server import UNTURNED, CosmosServer, cosmos_server
from tests.support.databases import migrate
from tests.support.postgres import Server

T = TypeVar("T")
_START = datetime(2026, 1, 1, tzinfo=UTC)
_ids = st.sampled_from(["a", "b", "c", "B", "a-1"])
_orgs = st.sampled_from(["1", "2"])
_machines = st.sampled_from(["m1", "m2"])
_kinds = st.sampled_from(["telemetry", "kpi"])
_moments = st.integers(0, 5).map(lambda number: _START + timedelta(microseconds=number))
_lives = st.none() | st.integers(1, 20)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
)
_texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5)
_bodies = st.dictionaries(
    _texts,
    _leaves | st.lists(_leaves, max_size=3) | st.dictionaries(_texts, _leaves, max_size=2),
    max_size=2,
)


class Bench:
    """A store on a loop of its own, for a machine whose rules are no coroutines."""

    def __init__(self, open_store: Any) -> None:
        self.clock = HandClock()
        self._loop = asyncio.new_event_loop()
        self._open = open_store
        self.store: DocumentStore = self.run(open_store(self.clock))

    def run(self, asked: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns."""
        return self._loop.run_until_complete(asked)

    def close(self) -> None:
        """Close store and loop."""
        self.run(self.store.close())
        if isinstance(self.store, SQLDocuments):
            self.run(self.store._database.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


class DocumentMachine(RuleBasedStateMachine):
    """What the model says is there must be there, and nothing else."""

    bench: ClassVar[Bench]

    def __init__(self) -> None:
        super().__init__()
        # Organizations of one run are nobody else's.
        self._run = uuid4().hex[:12]
        self._there: dict[tuple[str, str], Document] = {}
        self._old: dict[tuple[str, str], list[str]] = {}

    def _living(self, org: str, identifier: str) -> Document | None:
        found = self._there.get((org, identifier))
        over = found is not None and found.expires_at is not None and found.expires_at <= self.bench.clock.now()
        return None if over else found

    def _draft(self, org: str, machine: str, identifier: str, life: int | None, **more: Any) -> DocumentDraft:
        ends = self.bench.clock.now() + timedelta(seconds=life) if life is not None else None
        return DocumentDraft(
            id=identifier,
            organization_id=f"{org}-{self._run}",
            machine_id=machine,
            created_by=f"user-{len(self._there)}",
            expires_at=ends,
            **more,
        )

    def _key(self, org: str, machine: str, identifier: str) -> DocumentKey:
        return DocumentKey(organization_id=f"{org}-{self._run}", machine_ids=(machine,), id=identifier)

    def _remember(self, org: str, made: Document, draft: DocumentDraft, before: Document | None) -> None:
        now = self.bench.clock.now()
        expected = Document(
            id=draft.id,
            organization_id=draft.organization_id,
            machine_id=draft.machine_id if before is None else before.machine_id,
            kind=draft.kind,
            recorded_at=draft.recorded_at,
            body=draft.body,
            created_by=draft.created_by if before is None else before.created_by,
            created_at=now if before is None else before.created_at,
            updated_at=now,
            etag=made.etag,
            expires_at=draft.expires_at,
        )
        assert made == expected
        etags = self._old.setdefault((org, draft.id), [])
        assert made.etag not in etags, "an ETag names one state"
        etags.append(made.etag)
        self._there[org, draft.id] = made

    @rule(org=_orgs, machine=_machines, identifier=_ids, kind=_kinds, at=_moments, body=_bodies, life=_lives)
    def add(
        self, org: str, machine: str, identifier: str, kind: str, at: datetime, body: dict[str, Any], life: int | None
    ) -> None:
        """A new document is made exactly when its id is free."""
        draft = self._draft(org, machine, identifier, life, kind=kind, recorded_at=at, body=body)
        if self._living(org, identifier) is not None:
            with pytest.raises(DocumentExists):
                self.bench.run(self.bench.store.add(draft))
        else:
            self._remember(org, self.bench.run(self.bench.store.add(draft)), draft, None)

    @rule(
        org=_orgs,
        machine=_machines,
        identifier=_ids,
        kind=_kinds,
        at=_moments,
        body=_bodies,
        life=_lives,
        which=st.sampled_from(["any", "present", "old"]),
    )
    def replace(
        self,
        org: str,
        machine: str,
        identifier: str,
        kind: str,
        at: datetime,
        body: dict[str, Any],
        life: int | None,
        which: str,
    ) -> None:
        """A state is replaced exactly when it is there, of that machine, and the one that was expected."""
        draft = self._draft(org, machine, identifier, life, kind=kind, recorded_at=at, body=body)
        key, there = self._key(org, machine, identifier), self._living(org, identifier)
        expected = self._expected(org, identifier, there, which)
        if there is None or there.machine_id != machine:
            with pytest.raises(DocumentMissing):
                self.bench.run(self.bench.store.replace(key, draft, expected=expected))
        elif expected not in (None, there.etag):
            with pytest.raises(DocumentStale) as refused:
                self.bench.run(self.bench.store.replace(key, draft, expected=expected))
            assert refused.value.current_etag == there.etag
        else:
            done = self.bench.run(self.bench.store.replace(key, draft, expected=expected))
            self._remember(org, done, draft, there)

    @rule(org=_orgs, machine=_machines, identifier=_ids, which=st.sampled_from(["any", "present", "old"]))
    def delete(self, org: str, machine: str, identifier: str, which: str) -> None:
        """A document is deleted exactly when it is there, of that machine, and in the state that was expected."""
        key, there = self._key(org, machine, identifier), self._living(org, identifier)
        expected = self._expected(org, identifier, there, which)
        if there is None or there.machine_id != machine:
            with pytest.raises(DocumentMissing):
                self.bench.run(self.bench.store.delete(key, expected=expected))
        elif expected not in (None, there.etag):
            with pytest.raises(DocumentStale):
                self.bench.run(self.bench.store.delete(key, expected=expected))
        else:
            self.bench.run(self.bench.store.delete(key, expected=expected))
            del self._there[org, identifier]

    @rule(org=_orgs, machine=_machines, wishes=st.lists(st.tuples(_ids, _kinds, _moments, _bodies, _lives), max_size=4))
    def put_many(self, org: str, machine: str, wishes: list[Any]) -> None:
        """Of a bulk upsert each is created, updated, or refused because the id is another machine's or came before."""
        drafts = [
            self._draft(org, machine, identifier, life, kind=kind, recorded_at=at, body=body)
            for identifier, kind, at, body, life in wishes
        ]
        outcomes = self.bench.run(self.bench.store.put_many(f"{org}-{self._run}", (machine,), drafts))
        assert [outcome.id for outcome in outcomes] == [draft.id for draft in drafts]
        seen: set[str] = set()
        for draft, outcome in zip(drafts, outcomes, strict=True):
            there = self._living(org, draft.id)
            if draft.id in seen or (there is not None and there.machine_id != machine):
                assert outcome.fate is Fate.REFUSED
            else:
                assert outcome.fate is (Fate.CREATED if there is None else Fate.UPDATED)
                made = self.bench.run(self.bench.store.get(self._key(org, machine, draft.id)))
                assert outcome.etag == made.etag
                self._remember(org, made, draft, there)
            seen.add(draft.id)

    @rule(seconds=st.sampled_from([0.5, 1, 7]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.bench.clock.move(seconds)

    @rule()
    def sweep(self) -> None:
        """Sweeping changes nothing that can be seen."""
        self.bench.run(self.bench.store.sweep())

    @rule(
        org=_orgs,
        machines=st.sampled_from([("m1",), ("m2",), ("m1", "m2")]),
        kind=st.none() | _kinds,
        since=st.none() | _moments,
        until=st.none() | _moments,
        oldest_first=st.booleans(),
        limit=st.integers(1, 4),
    )
    def list_all(self, limit: int, org: str, machines: tuple[str, ...], **window: Any) -> None:
        """All pages of a window together are what the model finds in it, in order."""
        query = DocumentQuery(organization_id=f"{org}-{self._run}", machine_ids=machines, kind=None)
        query = replace(query, **window)
        expected = [
            found
            for (owner, identifier), _ in self._there.items()
            if owner == org and (found := self._living(org, identifier)) is not None
        ]
        expected = [
            found
            for found in expected
            if found.machine_id in machines
            and query.kind in (None, found.kind)
            and (query.since is None or found.recorded_at >= query.since)
            and (query.until is None or found.recorded_at < query.until)
        ]
        expected.sort(key=lambda found: (found.recorded_at, found.id), reverse=not query.oldest_first)
        found: list[Document] = []
        cursor: str | None = None
        while True:
            page = self.bench.run(self.bench.store.page(query, cursor=cursor, limit=limit))
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
            assert page.items
        assert found == expected

    def teardown(self) -> None:
        """Every id gives the model's document, or none."""
        for (org, identifier), document in self._there.items():
            key = self._key(org, document.machine_id, identifier)
            if self._living(org, identifier) is None:
                with pytest.raises(DocumentMissing):
                    self.bench.run(self.bench.store.get(key))
            else:
                assert self.bench.run(self.bench.store.get(key)) == document

    def _expected(self, org: str, identifier: str, there: Document | None, which: str) -> str | None:
        old = self._old.get((org, identifier), [])
        match which:
            case "present" if there is not None:
                return there.etag
            case "old" if old:
                return old[0]
            case _:
                return None


@pytest.fixture(scope="module")
def cosmos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CosmosServer]:
    """Give a Cosmos DB server."""
    with cosmos_server(tmp_path_factory.mktemp("cosmos")) as server:
        server.turn(**UNTURNED)
        yield server


@pytest.fixture(params=["sqlite", "postgresql", "cosmos"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Give an empty store of each backend in turn."""
    if request.param == "cosmos":
        server: CosmosServer = request.getfixturevalue("cosmos")

        async def opened(clock: HandClock) -> DocumentStore:
            return server.documents(clock)
    else:
        url = f"sqlite:///{tmp_path / 'documents.sqlite'}"
        if request.param == "postgresql":
            postgres: Server = request.getfixturevalue("postgres")
            url = postgres.create_migrated()
        migrate(url)

        async def opened(clock: HandClock) -> DocumentStore:
            return SQLDocuments(Database(url), clock)

    made = Bench(opened)
    yield made
    made.close()


def test_every_backend_ends_as_the_model_does(bench: Bench) -> None:
    """Whatever is added, replaced, deleted, upserted, listed and outlived, in whatever order."""
    machine = type("Machine", (DocumentMachine,), {"bench": bench})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=5,
            stateful_step_count=10,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
