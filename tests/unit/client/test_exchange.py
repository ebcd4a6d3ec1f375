"""How calls are sent: replay after an expired session, retries, lost replies, timeouts, limits, counting."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator

import pytest

from orgbridge.client import Salesforce, TokenConfig, TransportConfig, count_calls, errors
from orgbridge.kit.errors import ErrorKind
from tests.support.clocks import HandClock
from tests.support.salesforce_double import Answer, Drop, Hang, SalesforceDouble

BASE = "/services/data/v67.0"
ROW = {"attributes": {"type": "Account"}, "Id": "001000000000001AAA"}
CREATED = Answer(status=201, json={"id": "001000000000001AAA", "success": True, "errors": []})


async def test_pain_3_call_after_expiry_is_replayed_identically(
    salesforce: Salesforce, double: SalesforceDouble
) -> None:
    """A create that meets an expired session is sent once more with the same method, URL, headers and body."""
    double.script("GET", f"{BASE}/limits", Answer(json={}))
    double.script("POST", f"{BASE}/sobjects/Account", CREATED)
    await salesforce.limits.get()
    double.expire()
    headers = {"Sforce-Auto-Assign": "FALSE", "Sforce-Duplicate-Rule-Header": "allowSave=true"}
    await salesforce.records.create("Account", {"Name": "Ä"}, headers=headers)
    first, second = double.seen("POST", f"{BASE}/sobjects/Account")
    assert first.same_but_token(second)
    assert second.headers["Sforce-Auto-Assign"] == "FALSE"
    assert first.headers["Authorization"] != second.headers["Authorization"]


async def test_fifty_expired_calls_sign_in_once(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """Fifty concurrent calls that all meet an expired session cost one sign-in."""
    double.script("GET", f"{BASE}/limits", Answer(json={"ok": 1}))
    await salesforce.limits.get()
    double.expire()
    replies = await asyncio.gather(*(salesforce.limits.get() for _ in range(50)))
    assert replies == [{"ok": 1}] * 50
    assert len(double.token_forms) == 2


async def test_401_without_its_body_is_still_replayed(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A 401 whose body never comes was a refusal all the same: even a create is sent again."""
    double.script("GET", f"{BASE}/limits", Answer(json={}))
    double.script("POST", f"{BASE}/sobjects/Account", CREATED)
    await salesforce.limits.get()
    double.expire()
    double.rude = True
    assert await salesforce.records.create("Account", {"Name": "a"}) == "001000000000001AAA"


async def test_second_401_is_an_upstream_error(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A token refused right after the sign-in is reported as Salesforce's trouble, not as the caller's."""
    expired = Answer(status=401, json=[{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
    double.script("GET", f"{BASE}/limits", expired)
    with pytest.raises(errors.InvalidSession) as caught:
        await salesforce.limits.get()
    assert caught.value.kind is ErrorKind.UPSTREAM
    assert len(double.token_forms) == 2


async def test_401_of_another_kind_is_not_replayed(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A 401 that a new sign-in cannot mend costs no sign-in."""
    hopeless = [{"message": "This session is not valid for use with the REST API", "errorCode": "INVALID_SESSION_ID"}]
    double.script("GET", f"{BASE}/limits", Answer(status=401, json=hopeless))
    with pytest.raises(errors.InvalidSession):
        await salesforce.limits.get()
    assert len(double.token_forms) == 1


async def test_early_401_during_upload_is_replayed_from_the_start(
    salesforce: Salesforce, double: SalesforceDouble
) -> None:
    """An upload that meets an expired session opens its chunks anew and sends all of them."""
    path = f"{BASE}/jobs/ingest/750000000000001AAA/batches"
    double.script("GET", f"{BASE}/limits", Answer(json={}))
    double.script("PUT", path, Answer(status=201))
    await salesforce.limits.get()
    double.expire()
    opened = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal opened
        opened += 1
        for _ in range(10):
            yield b"Name\nAcme\n"

    await salesforce.bulk.ingest.upload("750000000000001AAA", chunks, 100)
    first, second = double.seen("PUT", path)
    assert first.same_but_token(second)
    assert second.body == b"Name\nAcme\n" * 10
    assert second.headers["Content-Length"] == "100"
    assert opened == 2


async def test_download_after_expiry_is_replayed(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A streamed download that meets an expired session signs in and gives the body."""
    path = f"{BASE}/jobs/ingest/750000000000001AAA/failedResults"
    double.script("GET", path, Answer(body=b'"sf__Id","sf__Error"\n', gzipped=True))
    double.script("GET", f"{BASE}/limits", Answer(json={}))
    await salesforce.limits.get()
    double.expire()
    async with salesforce.bulk.ingest.results("750000000000001AAA", "failedResults") as chunks:
        body = b"".join([chunk async for chunk in chunks])
    assert body == b'"sf__Id","sf__Error"\n'
    first, second = double.seen("GET", path)
    assert first.same_but_token(second)


async def test_lost_create_is_not_sent_again(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A create whose reply was lost raises `ConnectionFailed` with `sent` and is not repeated."""
    double.script("POST", f"{BASE}/sobjects/Account", Drop())
    with pytest.raises(errors.ConnectionFailed) as caught:
        await salesforce.records.create("Account", {"Name": "Acme"})
    assert caught.value.sent is True
    assert len(double.seen("POST", f"{BASE}/sobjects/Account")) == 1


async def test_lost_get_is_sent_again(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A retrieve whose reply was lost, or cut in half, is repeated, and each try is counted."""
    path = f"{BASE}/sobjects/Account/001000000000001AAA"
    double.script("GET", path, Drop(), Drop(half=True), Answer(json=ROW))
    assert await salesforce.records.retrieve("Account", "001000000000001AAA") == ROW
    assert len(double.seen("GET", path)) == 3
    assert salesforce.calls == 3


async def test_unreachable_host_says_nothing_was_sent(
    salesforce: Salesforce, double: SalesforceDouble, sign_in: TokenConfig, config: TransportConfig, clock: HandClock
) -> None:
    """A refused connection is told as `sent=False`, and even a create is tried again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    there = dataclasses.replace(sign_in, instance_url=closed)
    async with Salesforce(there, config, clock=clock) as salesforce:
        with pytest.raises(errors.ConnectionFailed) as caught, count_calls() as count:
            await salesforce.records.create("Account", {"Name": "Acme"})
    assert caught.value.sent is False
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert count.calls == 0


async def test_silence_ends_in_a_timeout(
    double: SalesforceDouble, sign_in: TokenConfig, config: TransportConfig, clock: HandClock
) -> None:
    """A server that never answers ends in `TimedOut`, whose outcome is unknown."""
    double.script("POST", f"{BASE}/sobjects/Account", Hang())
    hasty = dataclasses.replace(config, timeouts=dataclasses.replace(config.timeouts, read=0.1))
    async with Salesforce(sign_in, hasty, clock=clock) as salesforce:
        with pytest.raises(errors.TimedOut) as caught:
            await salesforce.records.create("Account", {"Name": "Acme"})
    assert (caught.value.sent, caught.value.phase) == (True, "read")


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_unavailable_is_retried_where_safe(salesforce: Salesforce, double: SalesforceDouble, status: int) -> None:
    """An Edge page with 502, 503 or 504 is survived by an update, and ends a create at once."""
    page = Answer(status=status, body=b"<html><h1>Bad Gateway</h1></html>", headers={"Content-Type": "text/html"})
    double.script("PATCH", f"{BASE}/sobjects/Account/001000000000001AAA", page, Answer(status=204))
    double.script("POST", f"{BASE}/sobjects/Account", page)
    await salesforce.records.update("Account", "001000000000001AAA", {"Name": "Acme"})
    with pytest.raises(errors.ServerUnavailable) as caught:
        await salesforce.records.create("Account", {"Name": "Acme"})
    assert caught.value.sf_message == "Bad Gateway"
    assert len(double.seen("POST", f"{BASE}/sobjects/Account")) == 1


async def test_long_retry_after_is_left_to_the_caller(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A `Retry-After` beyond the policy's patience ends the tries and is told on the error."""
    down = [{"message": "Server Unavailable", "errorCode": "SERVER_UNAVAILABLE"}]
    double.script("GET", f"{BASE}/limits", Answer(status=503, json=down, headers={"Retry-After": "3600"}))
    with pytest.raises(errors.ServerUnavailable) as caught:
        await salesforce.limits.get()
    assert caught.value.retry_after == 3600.0
    assert salesforce.calls == 1


async def test_row_lock_is_retried(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """An update that met a locked row is tried again."""
    locked = [{"message": "unable to obtain exclusive access", "errorCode": "UNABLE_TO_LOCK_ROW", "fields": []}]
    path = f"{BASE}/sobjects/Account/001000000000001AAA"
    double.script("PATCH", path, Answer(status=400, json=locked), Answer(status=204))
    await salesforce.records.update("Account", "001000000000001AAA", {"Name": "Acme"})
    assert len(double.seen("PATCH", path)) == 2


async def test_daily_limit_is_typed_and_not_retried(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """The spent daily quota is `RequestLimitExceeded`, kind limited, after one call."""
    spent = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    double.script("GET", f"{BASE}/limits", Answer(status=403, json=spent))
    with pytest.raises(errors.RequestLimitExceeded) as caught:
        await salesforce.limits.get()
    assert (caught.value.kind, salesforce.calls) == (ErrorKind.LIMITED, 1)


async def test_concurrency_limit_is_retried(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """Too many concurrent requests is another error than the daily quota, and passes."""
    text = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    busy = Answer(status=403, json=[{"message": text, "errorCode": "REQUEST_LIMIT_EXCEEDED"}])
    double.script("GET", f"{BASE}/limits", busy, Answer(json={"ok": 1}))
    assert await salesforce.limits.get() == {"ok": 1}


async def test_large_reply_is_refused(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A reply beyond the limit is not held in memory, also when it comes packed."""
    double.script("GET", f"{BASE}/limits", Answer(body=b" " * 3_000_000, gzipped=True))
    with pytest.raises(errors.ReplyTooLarge):
        await salesforce.limits.get()


async def test_html_with_status_200_is_malformed(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A page that a proxy sends with status 200 is a `MalformedReply`, not a crash."""
    double.script("GET", f"{BASE}/limits", Answer(body=b"<html>login</html>"))
    with pytest.raises(errors.MalformedReply):
        await salesforce.limits.get()


async def test_redirect_is_refused_and_the_token_stays(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A redirect to another host is an error that names the host; the other host is never called."""
    async with SalesforceDouble() as other:
        moved = Answer(status=302, headers={"Location": f"{other.url}/services/data/v67.0/limits"})
        double.script("GET", f"{BASE}/limits", moved)
        with pytest.raises(errors.RedirectRefused, match=other.url.removeprefix("http://")):
            await salesforce.limits.get()
        assert other.requests == []


async def test_foreign_next_url_is_refused(salesforce: Salesforce) -> None:
    """A next page on another host is refused before anything is sent."""
    with pytest.raises(errors.RedirectRefused):
        await salesforce.query.next("https://evil.example/services/data/v67.0/query/01g-2000")


async def test_limit_header_with_app_share_is_read(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """`Sforce-Limit-Info` is read from every reply, with the share of the app."""
    header = "api-usage=25/5000; per-app-api-usage=17/250(appName=sample-connected-app)"
    double.script("GET", f"{BASE}/limits", Answer(json={}, headers={"Sforce-Limit-Info": header}))
    assert salesforce.limits.last is None
    await salesforce.limits.get()
    last = salesforce.limits.last
    assert last is not None
    assert (last.used, last.remaining, last.app_used, last.app_name) == (25, 4975, 17, "sample-connected-app")


async def test_calls_are_counted_per_stretch(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """`count_calls` counts what happens inside, in tasks too, and leaves the rest out."""
    double.script("GET", f"{BASE}/limits", Answer(json={}))
    await salesforce.limits.get()
    with count_calls() as outer:
        await salesforce.limits.get()
        with count_calls() as inner:
            await asyncio.gather(salesforce.limits.get(), salesforce.limits.get())
    assert (inner.calls, outer.calls, salesforce.calls) == (2, 3, 4)


async def test_concurrency_is_limited(
    double: SalesforceDouble, sign_in: TokenConfig, config: TransportConfig, clock: HandClock
) -> None:
    """With one slot a hanging call keeps the next one from being sent."""
    double.script("GET", f"{BASE}/limits", Hang())
    narrow = dataclasses.replace(config, max_concurrent=1)
    async with Salesforce(sign_in, narrow, clock=clock) as salesforce:
        calls = [asyncio.create_task(salesforce.limits.get()) for _ in range(2)]
        while not double.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert len(double.requests) == 1
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_downloads_do_not_hold_a_slot(
    double: SalesforceDouble, sign_in: TokenConfig, config: TransportConfig, clock: HandClock
) -> None:
    """Three downloads can be open in one task even with one slot."""
    for name in ("successfulResults", "failedResults", "unprocessedrecords"):
        double.script("GET", f"{BASE}/jobs/ingest/750000000000001AAA/{name}", Answer(body=b"Id\n"))
    narrow = dataclasses.replace(config, max_concurrent=1)
    async with Salesforce(sign_in, narrow, clock=clock) as salesforce:
        ingest = salesforce.bulk.ingest
        async with (
            ingest.results("750000000000001AAA", "successfulResults") as first,
            ingest.results("750000000000001AAA", "failedResults") as second,
            ingest.results("750000000000001AAA", "unprocessedrecords") as third,
        ):
            bodies = [b"".join([chunk async for chunk in stream]) for stream in (third, first, second)]
    assert bodies == [b"Id\n"] * 3


async def test_no_error_shows_the_query_or_the_token(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """Neither the query string nor the token stands in an error's text, its details or its traceback chain."""
    double.script("GET", f"{BASE}/query", Drop())
    with pytest.raises(errors.ConnectionFailed) as caught:
        await salesforce.query.page("SELECT Id FROM Contact WHERE Email = 'ann@example.com'")
    error: BaseException | None = caught.value
    while error is not None:
        assert "ann@example.com" not in str(error)
        assert "00D0" not in repr(error)
        error = error.__cause__


async def test_request_refuses_a_url(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """`request` takes paths only, so that no caller can send the token elsewhere."""
    for path in ("https://evil.example/", "//evil.example/"):
        with pytest.raises(ValueError, match="path"):
            await salesforce.request("GET", path)
    assert double.token_forms == []
