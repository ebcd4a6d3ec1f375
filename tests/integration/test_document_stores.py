"""What every document store must do: SQLite, PostgreSQL and Azure Cosmos DB alike."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from orgbridge.store.database import Database
from orgbridge.store.document_errors import (
    DocumentExists,
    DocumentInvalid,
    DocumentMissing,
    DocumentStale,
    DocumentTooLarge,
)
from orgbridge.store.document_records import (
    MAX_BULK,
    MAX_DOCUMENT_BYTES,
    Document,
    DocumentDraft,
    DocumentKey,
    DocumentQuery,
    Fate,
)
from orgbridge.store.documents import DocumentStore, SQLDocuments
from orgbridge.store.errors import CursorInvalid
from tests.support.clocks import HandClock
from tests.support.cosmos_server import UNTURNED, CosmosServer, cosmos_server
from tests.support.databases import migrate
from tests.support.postgres import Server

_AT = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
#: What aiohttp finds of bodies beyond 1 MiB, which Azure's library hands to it in one piece: a copy in memory, no more.
_LARGE = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
_NAMES = ("02i000000000001AAA", "machine_1")


@pytest.fixture(scope="module")
def cosmos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CosmosServer]:
    """Give a Cosmos DB server."""
    with cosmos_server(tmp_path_factory.mktemp("cosmos")) as server:
        yield server


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a migrated SQLite file to copy."""
    file = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="module")
def postgres_template(postgres: Server) -> str:
    """Give the name of a migrated database to clone."""
    return postgres.create_migrated().rpartition("/")[2]


@pytest.fixture
def clock() -> HandClock:
    """Give a clock that is moved by hand."""
    return HandClock()


@pytest.fixture(params=["sqlite", "postgresql", "cosmos"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> AsyncIterator[DocumentStore]:
    """Give an empty store of each backend in turn."""
    if request.param == "cosmos":
        server: CosmosServer = request.getfixturevalue("cosmos")
        server.turn(**UNTURNED)
        documents = server.documents(clock)
        yield documents
        await documents.close()
        return
    if request.param == "sqlite":
        file = tmp_path / "orgbridge.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_file"), file)
        database = Database(f"sqlite:///{file}")
    else:
        postgres: Server = request.getfixturevalue("postgres")
        database = Database(postgres.create_database(request.getfixturevalue("postgres_template")))
    yield SQLDocuments(database, clock)
    await database.close()


def _draft(identifier: str = "d1", **changes: object) -> DocumentDraft:
    draft = DocumentDraft(
        id=identifier,
        organization_id="org_1",
        machine_id=_NAMES[0],
        kind="telemetry",
        recorded_at=_AT,
        body={"temperature": 71.5, "unit": "°C", "nested": {"list": [1, None, True, "ü", []]}},
        created_by="user_1",
    )
    return replace(draft, **changes)  # type: ignore[arg-type] # each test names fields of the draft


def _key(identifier: str = "d1", organization: str = "org_1", names: tuple[str, ...] = _NAMES) -> DocumentKey:
    return DocumentKey(organization_id=organization, machine_ids=names, id=identifier)


def _query(**changes: object) -> DocumentQuery:
    query = DocumentQuery(organization_id="org_1", machine_ids=_NAMES)
    return replace(query, **changes)  # type: ignore[arg-type] # each test names fields of the query


async def _all(store: DocumentStore, query: DocumentQuery, limit: int = 2) -> list[Document]:
    found: list[Document] = []
    cursor: str | None = None
    while True:
        page = await store.page(query, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_a_document_comes_back_as_it_was_written(store: DocumentStore, clock: HandClock) -> None:
    """Every field is what was given, to the microsecond and to the letter."""
    made = await store.add(_draft(expires_at=clock.now() + timedelta(hours=1)))
    assert made == await store.get(_key())
    assert (made.body, made.recorded_at, made.kind) == (_draft().body, _AT, "telemetry")
    assert (made.created_by, made.created_at, made.updated_at) == ("user_1", clock.now(), clock.now())
    assert made.expires_at == clock.now() + timedelta(hours=1)
    assert made.etag


async def test_what_is_not_there_is_missing(store: DocumentStore) -> None:
    """Reading, replacing and deleting what is not there say so, and make nothing."""
    with pytest.raises(DocumentMissing):
        await store.get(_key())
    with pytest.raises(DocumentMissing):
        await store.replace(_key(), _draft(), expected=None)
    with pytest.raises(DocumentMissing):
        await store.delete(_key(), expected=None)
    assert await _all(store, _query()) == []


async def test_an_id_is_taken_once_per_organization(store: DocumentStore) -> None:
    """A second document of one id is refused, and the first stays; another organization has ids of its own."""
    first = await store.add(_draft())
    with pytest.raises(DocumentExists):
        await store.add(_draft(body={"other": 1}, machine_id="machine_9"))
    other = await store.add(_draft(organization_id="org_2", body={"other": 2}))
    assert await store.get(_key()) == first
    assert (await store.get(_key(organization="org_2"))).body == other.body


async def test_no_call_reaches_into_another_organization_or_machine(store: DocumentStore) -> None:
    """A document of another partition or another machine is not there, whatever is asked."""
    await store.add(_draft())
    for key in (_key(organization="org_2"), _key(names=("machine_9",))):
        with pytest.raises(DocumentMissing):
            await store.get(key)
        with pytest.raises(DocumentMissing):
            await store.replace(key, _draft(organization_id=key.organization_id), expected=None)
        with pytest.raises(DocumentMissing):
            await store.delete(key, expected=None)
    assert await _all(store, _query(organization_id="org_2")) == []
    assert await _all(store, _query(machine_ids=("machine_9",))) == []
    assert len(await _all(store, _query())) == 1


async def test_a_machine_is_found_under_each_of_its_names(store: DocumentStore) -> None:
    """Documents written under the machine's own id and under its Asset's stand in one list."""
    await store.add(_draft("d1", machine_id=_NAMES[0]))
    await store.add(_draft("d2", machine_id=_NAMES[1]))
    assert [item.id for item in await _all(store, _query())] == ["d2", "d1"]
    assert (await store.get(_key("d2"))).machine_id == _NAMES[1]


async def test_a_replacement_keeps_who_made_it_and_takes_a_new_etag(store: DocumentStore, clock: HandClock) -> None:
    """Body, kind, instant and end are the new ones; maker, making and machine stay."""
    made = await store.add(_draft(machine_id=_NAMES[1]))
    clock.move(5)
    draft = _draft(kind="kpi", body={"oee": 0.8}, recorded_at=_AT + timedelta(1), created_by="user_2")
    done = await store.replace(_key(), draft, expected=made.etag)
    assert done == await store.get(_key())
    assert (done.kind, done.body, done.recorded_at) == ("kpi", {"oee": 0.8}, _AT + timedelta(1))
    assert (done.created_by, done.created_at, done.machine_id) == ("user_1", made.created_at, _NAMES[1])
    assert done.updated_at == clock.now()
    assert done.etag != made.etag


async def test_an_old_etag_changes_nothing_and_the_present_one_is_told(store: DocumentStore) -> None:
    """Replacing and deleting with the ETag of an earlier state are refused with the present one."""
    old = await store.add(_draft())
    now = await store.replace(_key(), _draft(body={"n": 2}), expected=old.etag)
    for stale in (old.etag, "never-given", "", "ü", "*", 'a"b'):
        with pytest.raises(DocumentStale) as refused:
            await store.replace(_key(), _draft(body={"n": 3}), expected=stale)
        assert refused.value.current_etag == now.etag
        with pytest.raises(DocumentStale) as refused:
            await store.delete(_key(), expected=stale)
        assert refused.value.current_etag == now.etag
    assert await store.get(_key()) == now


async def test_any_state_is_replaced_and_deleted_without_an_etag(store: DocumentStore) -> None:
    """None as the expected ETag takes whichever state is there; a deleted one is gone and its id is free."""
    await store.add(_draft())
    await store.replace(_key(), _draft(body={"n": 2}), expected=None)
    await store.delete(_key(), expected=None)
    with pytest.raises(DocumentMissing):
        await store.get(_key())
    assert (await store.add(_draft(body={"n": 3}))).body == {"n": 3}


async def test_of_many_writers_with_one_etag_one_wins(store: DocumentStore) -> None:
    """Ten replacements of one state at once: one is done, nine are stale, and what is there is the winner's."""
    made = await store.add(_draft())

    async def write(number: int) -> Document | None:
        try:
            return await store.replace(_key(), _draft(body={"n": number}), expected=made.etag)
        except DocumentStale:
            return None

    done = [one for one in await asyncio.gather(*map(write, range(10))) if one is not None]
    assert len(done) == 1
    assert await store.get(_key()) == done[0]


async def test_of_many_makers_of_one_id_one_wins(store: DocumentStore) -> None:
    """Ten documents of one id at once: one is made, nine are told that it is taken."""

    async def make(number: int) -> Document | None:
        try:
            return await store.add(_draft(body={"n": number}))
        except DocumentExists:
            return None

    made = [one for one in await asyncio.gather(*map(make, range(10))) if one is not None]
    assert len(made) == 1
    assert await store.get(_key()) == made[0]


async def test_a_document_ends_by_itself(store: DocumentStore, clock: HandClock) -> None:
    """From the microsecond of its end on it is not there for any call, and its id is free; a swept store has it not."""
    made = await store.add(_draft(expires_at=clock.now() + timedelta(seconds=10)))
    await store.add(_draft("stays"))
    clock.move(9.999)
    assert await store.get(_key()) == made
    clock.move(0.001)
    for asked in (
        store.get(_key()),
        store.replace(_key(), _draft(), expected=None),
        store.delete(_key(), expected=None),
    ):
        with pytest.raises(DocumentMissing):
            await asked
    with pytest.raises(DocumentMissing):
        await store.replace(_key(), _draft(), expected=made.etag)
    assert [item.id for item in await _all(store, _query())] == ["stays"]
    again = await store.add(_draft(body={"n": 2}, created_by="user_2"))
    assert (again.created_by, again.created_at, again.expires_at) == ("user_2", clock.now(), None)
    await store.sweep()
    assert [item.id for item in await _all(store, _query())] == ["stays", "d1"]


async def test_a_replacement_sets_and_takes_away_the_end(store: DocumentStore, clock: HandClock) -> None:
    """A document that was to end stays when its new state says so, and the other way round."""
    await store.add(_draft("a", expires_at=clock.now() + timedelta(seconds=10)))
    await store.add(_draft("b"))
    await store.replace(_key("a"), _draft("a"), expected=None)
    await store.replace(_key("b"), _draft("b", expires_at=clock.now() + timedelta(seconds=10)), expected=None)
    clock.move(11)
    assert [item.id for item in await _all(store, _query())] == ["a"]


async def test_pages_hold_every_document_once_in_order(store: DocumentStore) -> None:
    """By instant and id, newest or oldest first, several of one instant included, whatever the size of the pages."""
    moments = [_AT + timedelta(microseconds=number // 3) for number in range(20)]
    drafts = [_draft(f"d{number:02}", recorded_at=moment) for number, moment in enumerate(moments)]
    outcomes = await store.put_many("org_1", _NAMES, drafts)
    assert {outcome.fate for outcome in outcomes} == {Fate.CREATED}
    for limit in (1, 3, 7, 20, 200):
        oldest = [item.id for item in await _all(store, _query(oldest_first=True), limit)]
        assert oldest == [draft.id for draft in drafts]
        assert [item.id for item in await _all(store, _query(), limit)] == oldest[::-1]


async def test_a_page_is_stable_while_others_write(store: DocumentStore) -> None:
    """What is added and deleted between two pages moves nothing that was there all the time."""
    for number in range(6):
        await store.add(_draft(f"d{number}", recorded_at=_AT + timedelta(seconds=number)))
    first = await store.page(_query(), cursor=None, limit=3)
    await store.add(_draft("newer", recorded_at=_AT + timedelta(hours=1)))
    await store.delete(_key("d3"), expected=None)
    await store.delete(_key("d2"), expected=None)
    rest = await store.page(_query(), cursor=first.next_cursor, limit=3)
    assert [item.id for item in first.items] == ["d5", "d4", "d3"]
    assert [item.id for item in rest.items] == ["d1", "d0"]
    assert rest.next_cursor is None


async def test_windows_and_kinds_choose(store: DocumentStore) -> None:
    """`since` is in the window and `until` is not; a kind leaves the others out."""
    for number in range(5):
        kind = "kpi" if number % 2 else "note"
        await store.add(_draft(f"d{number}", kind=kind, recorded_at=_AT + timedelta(seconds=number)))
    window = {"since": _AT + timedelta(seconds=1), "until": _AT + timedelta(seconds=4)}
    assert [item.id for item in await _all(store, _query(**window))] == ["d3", "d2", "d1"]
    assert [item.id for item in await _all(store, _query(kind="kpi", **window), 1)] == ["d3", "d1"]
    assert await _all(store, _query(kind="none")) == []
    assert await _all(store, _query(since=_AT + timedelta(days=1))) == []


async def test_a_cursor_of_another_list_is_refused(store: DocumentStore) -> None:
    """A cursor goes on in the query that it came from, and in no other; a made-up one goes on nowhere."""
    for number in range(3):
        await store.add(_draft(f"d{number}"))
    cursor = (await store.page(_query(), cursor=None, limit=1)).next_cursor
    assert cursor is not None
    for query, given in (
        (_query(kind="kpi"), cursor),
        (_query(oldest_first=True), cursor),
        (_query(organization_id="org_2"), cursor),
        (_query(), "nonsense"),
        (_query(), ""),
    ):
        with pytest.raises(CursorInvalid):
            await store.page(query, cursor=given, limit=1)


@_LARGE
async def test_a_page_ends_early_when_documents_are_large(store: DocumentStore) -> None:
    """Eight megabytes of bodies are a page, whatever number was asked for; the next page goes on."""
    body = {"text": "x" * (MAX_DOCUMENT_BYTES - 1000)}
    for number in range(6):
        await store.add(_draft(f"d{number}", body=body))
    page = await store.page(_query(), cursor=None, limit=200)
    assert 0 < len(page.items) < 6
    assert [item.id for item in await _all(store, _query(), 200)] == [f"d{number}" for number in (5, 4, 3, 2, 1, 0)]


@_LARGE
async def test_too_large_a_document_is_refused_before_it_is_sent(store: DocumentStore) -> None:
    """The largest is taken, umlauts counted as the bytes they are; a little more is refused with both figures."""
    room = MAX_DOCUMENT_BYTES - 600
    await store.add(_draft(body={"text": "ü" * (room // 2)}))
    with pytest.raises(DocumentTooLarge) as refused:
        await store.add(_draft("d2", body={"text": "ü" * (room // 2 + 300)}))
    assert refused.value.limit == MAX_DOCUMENT_BYTES < refused.value.size
    with pytest.raises(DocumentTooLarge):
        await store.replace(_key(), _draft(body={"text": "x" * MAX_DOCUMENT_BYTES}), expected=None)


_UNKEPT: list[dict[str, object]] = [
    {"body": {"n": 2**53}},
    {"body": {"n": float("nan")}},
    {"body": {"n": float("inf")}},
    {"body": {"text": "a\x00b"}},
    {"body": {"text": "\ud800"}},
    {"body": {"a\x00": 1}},
    {"body": [1]},
    {"body": {"when": _AT}},
    {"id": "a/b"},
    {"id": ""},
    {"id": "x" * 129},
    {"kind": "a b"},
    {"organization_id": "org?1"},
    {"recorded_at": _AT.replace(tzinfo=None)},
    {"recorded_at": datetime(1899, 1, 1, tzinfo=UTC)},
    {"expires_at": datetime(2026, 1, 1, tzinfo=UTC)},
]


async def test_what_could_not_be_kept_unaltered_is_refused(store: DocumentStore) -> None:
    """A value that some backend would change or lose is refused by all of them."""
    for changes in _UNKEPT:
        with pytest.raises(DocumentInvalid):
            await store.add(_draft(**changes))
    assert await _all(store, _query()) == []


async def test_large_and_small_floats_come_back_as_the_numbers_they_are(store: DocumentStore) -> None:
    """A float is the same float again, whichever way a store writes it."""
    body = {"large": 3.61530297433929e16, "larger": 1e308, "small": 5e-324, "whole": 2.0**53, "last": 2**53 - 1}
    await store.add(_draft(body={**body, "list": [-1e22]}))
    assert (await store.get(_key())).body == {**body, "list": [-1e22]}


async def test_deep_bodies_are_taken_up_to_a_bound(store: DocumentStore) -> None:
    """Sixty levels come back; a hundred are refused, and a thousand do not break anything."""

    def deep(levels: int) -> dict[str, object]:
        body: dict[str, object] = {}
        for _ in range(levels - 1):
            body = {"in": body}
        return body

    made = await store.add(_draft(body=deep(60)))
    assert made.body == deep(60)
    for levels in (100, 900):
        with pytest.raises(DocumentInvalid):
            await store.add(_draft("d2", body=deep(levels)))


async def test_a_bulk_upsert_tells_what_became_of_each(store: DocumentStore, clock: HandClock) -> None:
    """New ones are created, others updated with their maker kept, bad ones refused, in the order of the call."""
    old = await store.add(_draft("old"))
    await store.add(_draft("ended", expires_at=clock.now() + timedelta(seconds=1)))
    await store.add(_draft("foreign", machine_id="machine_9", body={"theirs": True}))
    clock.move(2)
    outcomes = await store.put_many(
        "org_1",
        _NAMES,
        [
            _draft("new", body={"n": 1}),
            _draft("old", body={"n": 2}, created_by="user_2"),
            _draft("bad", body={"n": 2**60}),
            _draft("foreign", body={"n": 3}),
            _draft("ended", body={"n": 4}, created_by="user_2"),
            _draft("new", body={"n": 5}),
        ],
    )
    assert [(outcome.id, outcome.fate.value) for outcome in outcomes] == [
        ("new", "created"),
        ("old", "updated"),
        ("bad", "refused"),
        ("foreign", "refused"),
        ("ended", "created"),
        ("new", "refused"),
    ]
    assert [type(outcome.error) for outcome in outcomes] == [
        *(type(None), type(None), DocumentInvalid, DocumentExists, type(None), DocumentInvalid)
    ]
    there = {item.id: item for item in await _all(store, _query())}
    assert {name: item.body for name, item in there.items()} == {
        "new": {"n": 1},
        "old": {"n": 2},
        "ended": {"n": 4},
    }
    assert [outcome.etag for outcome in outcomes[:2]] == [there["new"].etag, there["old"].etag]
    assert (there["old"].created_by, there["old"].created_at) == ("user_1", old.created_at)
    assert (there["ended"].created_by, there["ended"].created_at) == ("user_2", clock.now())
    assert (await store.get(_key("foreign", names=("machine_9",)))).body == {"theirs": True}


async def test_the_same_bulk_upsert_twice_at_once_leaves_each_document_once(store: DocumentStore) -> None:
    """Two calls with the same documents in opposite order end, and every document is there once."""
    drafts = [_draft(f"d{number:03}", body={"n": number}) for number in range(120)]
    both = await asyncio.gather(
        store.put_many("org_1", _NAMES, drafts), store.put_many("org_1", _NAMES, list(reversed(drafts)))
    )
    fates = [outcome.fate for outcomes in both for outcome in outcomes]
    assert fates.count(Fate.CREATED) == fates.count(Fate.UPDATED) == 120
    # In any order: which of the two wrote last is told document by document.
    assert sorted(item.id for item in await _all(store, _query(), 100)) == [draft.id for draft in drafts]


async def test_a_bulk_upsert_is_bounded_and_of_one_organization(store: DocumentStore) -> None:
    """One document too many, or one of another organization, and nothing is written."""
    with pytest.raises(DocumentInvalid):
        await store.put_many("org_1", _NAMES, [_draft(f"d{number}") for number in range(MAX_BULK + 1)])
    with pytest.raises(DocumentInvalid):
        await store.put_many("org_1", _NAMES, [_draft("a"), _draft("b", organization_id="org_2")])
    assert await _all(store, _query()) == []
    assert await store.put_many("org_1", _NAMES, []) == []


@pytest.mark.parametrize("limit", [0, 201])
async def test_a_page_has_a_bound(store: DocumentStore, limit: int) -> None:
    """No page is without documents or with more than two hundred."""
    with pytest.raises(DocumentInvalid):
        await store.page(_query(), cursor=None, limit=limit)


async def test_a_window_has_instants_that_documents_can_have(store: DocumentStore) -> None:
    """An instant that has no form in UTC is refused, and breaks nothing."""
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    for window in ({"since": early}, {"until": early}, {"since": _AT.replace(tzinfo=None)}):
        with pytest.raises(DocumentInvalid):
            await store.page(_query(**window), cursor=None, limit=1)


async def test_a_store_that_works_says_so(store: DocumentStore) -> None:
    """The check of a store that works ends without a word, also on an empty store."""
    await store.check()
