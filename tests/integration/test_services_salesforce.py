"""Services over a Salesforce that fails in ways that no emulated org can be made to: what the caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orgbridge.client import ClientCredentials, RetryPolicy, Secret
from orgbridge.client.errors import ConnectionFailed, QueryTooLong
from orgbridge.kit.errors import ErrorKind
from orgbridge.orgs.connections import OrgConfig, Orgs
from orgbridge.services.cursors import Cursors
from orgbridge.services.errors import OutcomeUnknown, trouble_of
from orgbridge.services.health import Check, Condition, HealthService
from orgbridge.services.queries import QueryService, QueryText
from orgbridge.services.records import RecordService
from orgbridge.store.database import Database
from orgbridge.wire.versions import DEFAULT_VERSION
from tests.support.callers import ANYBODY
from tests.support.clocks import HandClock
from tests.support.databases import migrate
from tests.support.salesforce_double import Answer, Drop, SalesforceDouble, Script

_ROOT = f"/services/data/{DEFAULT_VERSION}/"
_CREATE = f"{_ROOT}sobjects/Account"


@pytest.fixture
async def double() -> AsyncIterator[SalesforceDouble]:
    """A scripted Salesforce."""
    async with SalesforceDouble() as double:
        yield double


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still."""
    return HandClock()


@pytest.fixture
async def orgs(double: SalesforceDouble, clock: HandClock) -> AsyncIterator[Orgs]:
    """The double as the only org."""
    config = OrgConfig(
        credentials=ClientCredentials(client_id="key", client_secret=Secret("s3cret!")),
        token_url=double.token_url,
        retry=RetryPolicy(attempts=2, wait_initial=0.0, wait_jitter=0.0, wait_max=0.1),
    )
    async with Orgs([config], clock) as orgs:
        yield orgs


@pytest.mark.parametrize(
    "failure",
    [
        Drop(),
        Drop(half=True),
        Answer(status=503, json=[{"errorCode": "SERVER_UNAVAILABLE", "message": "away"}]),
        Answer(status=500, json=[{"errorCode": "UNKNOWN_EXCEPTION", "message": "oops"}]),
        Answer(status=201, body=b"<html>an edge page</html>"),
    ],
    ids=["cut", "half a reply", "503", "500", "no reply of Salesforce"],
)
async def test_a_create_that_may_have_happened_is_told_as_such(
    double: SalesforceDouble, orgs: Orgs, failure: Script
) -> None:
    """It is sent once, and the caller is told to look before sending it again."""
    double.script("POST", _CREATE, failure)
    with pytest.raises(OutcomeUnknown) as told:
        await RecordService(orgs).create("Account", {"Name": "Ada"}, caller=ANYBODY)
    assert len(double.seen("POST", _CREATE)) == 1
    trouble = trouble_of(told.value)
    assert (trouble.code, trouble.retryable) == ("salesforce.outcome_unknown", False)
    assert "Look whether it exists" in trouble.detail
    if isinstance(failure, Answer) and failure.json is not None:
        assert trouble.upstream[0]["errorCode"] == failure.json[0]["errorCode"]


async def test_an_unreachable_salesforce_is_told_with_a_remedy() -> None:
    """The caller learns what failed and where to look."""
    trouble = trouble_of(ConnectionFailed("h takes no connection; nothing was sent.", sent=False))
    assert trouble.detail.startswith("h takes no connection; nothing was sent. See whether Salesforce is up")
    assert trouble.retryable


async def test_readiness_notices_that_salesforce_went_away(
    double: SalesforceDouble, orgs: Orgs, clock: HandClock, tmp_path: Path
) -> None:
    """A session that was once given proves nothing: within a minute the probe tells, and soon after that it is back."""
    url = f"sqlite:///{tmp_path / 'orgbridge.sqlite'}"
    await asyncio.to_thread(migrate, url)
    database = Database(url)
    health = HealthService(database, orgs, clock)

    async def seen() -> Check:
        return (await health.ready()).checks["salesforce"]

    away = Answer(status=503, json=[{"errorCode": "SERVER_UNAVAILABLE", "message": "away"}])
    double.script("GET", _ROOT, Answer(json={}), away, Answer(json={}))
    try:
        assert (await seen()).condition is Condition.OK
        assert (await seen()).condition is Condition.OK
        assert len(double.requests) == 1, "a probe every few seconds spends no request each"
        clock.move(61)
        told = await seen()
        assert (told.condition, told.cause is not None and "away" in told.cause) == (Condition.UNAVAILABLE, True)
        clock.move(11)
        assert (await seen()).condition is Condition.OK
    finally:
        await database.close()


async def test_a_query_that_goes_no_way_is_told_where_it_can_go(double: SalesforceDouble, orgs: Orgs) -> None:
    """Too long for a URL and refused inside of a composite call, it is not turned into a job that answers otherwise."""
    subreply = {"body": None, "httpHeaders": {}, "httpStatusCode": 414, "referenceId": "query"}
    double.script("POST", f"{_ROOT}composite", Answer(json={"compositeResponse": [subreply]}))
    queries = QueryService(orgs, Cursors(b"the secret of these tests"))
    text = QueryText(soql=f"SELECT Id FROM Account WHERE Name = '{'x' * 20_000}'")
    with pytest.raises(QueryTooLong) as told:
        await queries.page(text, caller=ANYBODY)
    trouble = trouble_of(told.value)
    assert (trouble.code, trouble.kind) == ("salesforce.query_too_long", ErrorKind.TOO_LARGE)
    assert "POST /bulk/query-submit" in trouble.detail
