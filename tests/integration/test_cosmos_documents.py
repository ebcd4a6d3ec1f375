"""What only Cosmos DB does: throttling, lost answers, keys and identities, time to live, containers of another make."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient

from orgbridge.kit.clock import SystemClock
from orgbridge.store.document_errors import (
    DocumentMissing,
    DocumentsRefused,
    DocumentsThrottled,
    DocumentsUnavailable,
)
from orgbridge.store.document_records import DocumentDraft, DocumentKey, DocumentQuery, Fate
from orgbridge.store.documents.cosmos import CosmosDocuments
from tests.support.clocks import HandClock
from tests.support.cosmos_server import UNTURNED, CosmosServer, cosmos_server

_KEY = DocumentKey(organization_id="org_1", machine_ids=("m1",), id="d1")
_QUERY = DocumentQuery(organization_id="org_1", machine_ids=("m1",))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CosmosServer]:
    """Give a Cosmos DB server."""
    with cosmos_server(tmp_path_factory.mktemp("cosmos")) as running:
        yield running


@pytest.fixture
def clock() -> HandClock:
    """Give a clock that is moved by hand."""
    return HandClock()


@pytest.fixture
async def store(server: CosmosServer, clock: HandClock) -> AsyncIterator[CosmosDocuments]:
    """Give an empty store that is open, on a server that does nothing odd yet."""
    server.turn(**UNTURNED)
    documents = server.documents(clock, attempt_seconds=2.0)
    await documents.check()
    yield documents
    await documents.close()


def _draft(identifier: str = "d1", body: dict[str, Any] | None = None, **more: Any) -> DocumentDraft:
    return DocumentDraft(
        id=identifier,
        organization_id="org_1",
        machine_id="m1",
        kind="telemetry",
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        body=body if body is not None else {"n": 1},
        created_by="user_1",
        **more,
    )


async def test_throttling_is_waited_out_as_the_answer_says(
    store: CosmosDocuments, server: CosmosServer, clock: HandClock
) -> None:
    """Three refusals of half a second each: the call takes that long, and is done."""
    before = clock.monotonic()
    server.turn(throttle=3, retryAfterMs=500)
    made = await store.add(_draft())
    assert clock.monotonic() - before == pytest.approx(1.5)
    assert await store.get(_KEY) == made


async def test_throttling_without_end_is_told_before_the_deadline(
    store: CosmosDocuments, server: CosmosServer, clock: HandClock
) -> None:
    """The call ends within its ten seconds, says that nothing was done and when to come again; and nothing was done."""
    before = clock.monotonic()
    server.turn(throttle=1000, retryAfterMs=3000)
    with pytest.raises(DocumentsThrottled, match="Nothing was done") as told:
        await store.add(_draft())
    assert clock.monotonic() - before == pytest.approx(9)
    assert (told.value.attempts, told.value.retry_after_seconds, told.value.retryable) == (4, 3.0, True)
    server.turn(throttle=0)
    with pytest.raises(DocumentMissing):
        await store.get(_KEY)


async def test_a_bulk_upsert_that_is_throttled_midway_tells_what_was_written(
    store: CosmosDocuments, server: CosmosServer
) -> None:
    """What was written before is told as written, the rest as not done, and the store agrees."""
    drafts = [_draft(f"d{number}") for number in range(20)]
    done = await store.put_many("org_1", ("m1",), drafts[:1])
    assert [outcome.fate for outcome in done] == [Fate.CREATED]
    server.turn(throttle=1000, retryAfterMs=20_000)
    with pytest.raises(DocumentsThrottled):
        await store.put_many("org_1", ("m1",), drafts)
    server.turn(throttle=0)
    assert len((await store.page(_QUERY, cursor=None, limit=50)).items) == 1


@pytest.mark.parametrize("lost", ["add", "replace", "delete", "put_many"])
async def test_a_write_whose_answer_was_lost_is_recognised(
    store: CosmosDocuments, server: CosmosServer, lost: str
) -> None:
    """It was carried out and never answered: trying again finds it done, and does it no second time."""
    if lost != "add":
        made = await store.add(_draft(body={"n": 0}))
    match lost:
        case "add":
            server.turn(lose=1)
            assert (await store.add(_draft())).body == {"n": 1}
            assert (await store.get(_KEY)).body == {"n": 1}
        case "replace":
            await store.get(_KEY)
            # The read before the write is answered, so the first answer that is lost must be the write's.
            server.turn(unavailable=0, loseWrites=1)
            done = await store.replace(_KEY, _draft(), expected=made.etag)
            assert done == await store.get(_KEY)
        case "delete":
            server.turn(loseWrites=1)
            await store.delete(_KEY, expected=made.etag)
            with pytest.raises(DocumentMissing):
                await store.get(_KEY)
        case _:
            server.turn(loseWrites=1)
            outcomes = await store.put_many("org_1", ("m1",), [_draft("new")])
            assert [outcome.fate for outcome in outcomes] == [Fate.CREATED]


async def test_an_outage_is_waited_out_and_a_long_one_is_told(server: CosmosServer, clock: HandClock) -> None:
    """A few answers of 503 are of no consequence; without end the error says that nobody knows about the write."""
    server.turn(**UNTURNED)
    store = server.documents(clock, call_seconds=0.5)
    await store.check()
    server.turn(unavailable=2)
    await store.add(_draft())
    server.turn(unavailable=1000)
    with pytest.raises(DocumentsUnavailable, match="Nobody knows") as told:
        await store.add(_draft("d2"))
    assert told.value.unknown
    with pytest.raises(DocumentsUnavailable, match="Nothing was done") as told:
        await store.get(_KEY)
    assert not told.value.unknown
    await store.close()


async def test_a_wrong_key_is_told_as_ours_and_not_the_callers(server: CosmosServer, clock: HandClock) -> None:
    """A key that is not the account's is refused by name of the setting, without the key."""
    server.turn(**UNTURNED)
    wrong = "d3Jvbmcta2V5LXdyb25nLWtleQ=="
    documents = server.documents(clock, credential=wrong)
    with pytest.raises(DocumentsRefused, match="AZURE_COSMOS_KEY") as told:
        await documents.check()
    assert wrong not in str(told.value)
    await documents.renew(server.key)
    await documents.check()
    await documents.close()


class _Identity:
    """Gives tokens of one machine's identity."""

    def __init__(self, token: str) -> None:
        self._token = token
        #: Whether it was closed.
        self.closed = False

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """Return a token for an hour."""
        assert all(scope.endswith("/.default") for scope in scopes)
        return AccessToken(self._token, int(SystemClock().now().timestamp()) + 3600)

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    async def __aenter__(self) -> _Identity:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def test_a_machines_identity_is_taken_where_there_is_no_key(server: CosmosServer, clock: HandClock) -> None:
    """With a token that the account accepts documents are kept; another one is refused; it is closed at the end."""
    server.turn(**{**UNTURNED, "tokens": ["good-token"]})
    good, bad = _Identity("good-token"), _Identity("bad-token")
    documents = server.documents(clock, credential=good)
    await documents.add(_draft())
    await documents.close()
    assert good.closed
    refused = server.documents(clock, credential=bad)
    with pytest.raises(DocumentsRefused):
        await refused.check()
    await refused.close()


async def test_cosmos_deletes_what_is_over_itself(server: CosmosServer) -> None:
    """Each document carries its time to live: when the server's clock has passed it, the item is gone from there."""
    server.turn(**UNTURNED)
    config = server.config()
    documents = CosmosDocuments(config, SystemClock())
    await documents.add(_draft("ends", expires_at=SystemClock().now() + timedelta(seconds=60)))
    await documents.add(_draft("stays"))

    async def items() -> list[str]:
        raw = CosmosClient(config.endpoint, server.key, connection_verify=str(config.authority_file))
        async with raw as client:
            container = client.get_database_client(config.database).get_container_client(config.container)
            return sorted([item["id"] async for item in container.query_items("SELECT c.id FROM c")])

    assert await items() == ["ends", "stays"]
    server.turn(advanceMs=62_000)
    assert await items() == ["stays"]
    server.turn(advanceMs=0)
    await documents.close()


async def test_a_container_of_another_make_is_refused(server: CosmosServer, clock: HandClock) -> None:
    """One that is parted otherwise, or whose time to live is off, is named with the remedy, and left as it is."""
    server.turn(**UNTURNED)
    config = server.config()
    async with CosmosClient(config.endpoint, server.key, connection_verify=str(config.authority_file)) as client:
        database = await client.create_database(config.database)
        await database.create_container("parted", PartitionKey("/tenant"), default_ttl=-1)
        await database.create_container("endless", PartitionKey("/organization_id"))
    for container, word in (("parted", "/tenant"), ("endless", "time to live")):
        documents = CosmosDocuments(server.config(config.database, container=container), clock)
        with pytest.raises(DocumentsRefused, match=word):
            await documents.check()
        await documents.close()
