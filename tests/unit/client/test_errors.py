"""How replies become errors: by code, by status, from bodies of any shape."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given, settings
from hypothesis import strategies as st

from orgbridge.client import LimitInfo, SalesforceFault, errors, verdicts
from orgbridge.client.replies import parse_faults, parse_limit_info
from orgbridge.client.transport.requests import local_target, segment, with_params
from orgbridge.kit.errors import ErrorKind
from orgbridge.wire.errorcodes import ERROR_CODES


def answered(status: int, code: str) -> errors.SalesforceError:
    """Return an error reply as an error."""
    fault = SalesforceFault(error_code=code, message="m")
    return verdicts.error_class(status, fault)(status=status, faults=[fault], method="POST", path="/x")


@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "cls"),
    [
        (400, "REQUIRED_FIELD_MISSING", "", ErrorKind.INVALID, errors.InvalidRequest),
        (400, "MALFORMED_QUERY", "", ErrorKind.INVALID, errors.MalformedQuery),
        (400, "DUPLICATE_VALUE", "", ErrorKind.CONFLICT, errors.DuplicateValue),
        (400, "UNABLE_TO_LOCK_ROW", "", ErrorKind.CONFLICT, errors.RowLocked),
        (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "… UNABLE_TO_LOCK_ROW …", ErrorKind.CONFLICT, errors.RowLocked),
        (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "a trigger", ErrorKind.INVALID, errors.InvalidRequest),
        (401, "INVALID_SESSION_ID", "", ErrorKind.UPSTREAM, errors.InvalidSession),
        (401, "", "", ErrorKind.UPSTREAM, errors.InvalidSession),
        (
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
            ErrorKind.LIMITED,
            errors.RequestLimitExceeded,
        ),
        (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn L", ErrorKind.LIMITED, errors.ConcurrencyExceeded),
        (403, "SOMETHING_NEW", "", ErrorKind.FORBIDDEN, errors.AccessRefused),
        (404, "NOT_FOUND", "", ErrorKind.MISSING, errors.NotFound),
        (404, "ENTITY_IS_DELETED", "", ErrorKind.MISSING, errors.RecordDeleted),
        (405, "METHOD_NOT_ALLOWED", "", ErrorKind.UPSTREAM, errors.SalesforceError),
        (412, "", "", ErrorKind.CONFLICT, errors.PreconditionFailed),
        (420, "", "", ErrorKind.UPSTREAM, errors.SalesforceError),
        (500, "UNKNOWN_EXCEPTION", "", ErrorKind.UPSTREAM, errors.ServerFault),
        (503, "", "", ErrorKind.UNAVAILABLE, errors.ServerUnavailable),
        (507, "", "", ErrorKind.UPSTREAM, errors.ServerFault),
    ],
)
def test_each_reply_has_its_class(
    status: int, code: str, message: str, kind: ErrorKind, cls: type[errors.SalesforceError]
) -> None:
    """A reply becomes the class of its code, else of its status."""
    found = verdicts.error_class(status, SalesforceFault(error_code=code, message=message))
    assert (found, found.kind) == (cls, kind)


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (errors.ConnectionFailed("x", sent=True), True),
        (errors.ConnectionFailed("x", sent=False), False),
        (errors.TimedOut("x", sent=True, phase="read"), True),
        (errors.MalformedReply(), True),
        (errors.ReplyTooLarge(), True),
        (errors.AuthenticationFailed(cause="x", remedy="y"), False),
        (answered(400, "REQUIRED_FIELD_MISSING"), False),
        (answered(400, "REQUEST_RUNNING_TOO_LONG"), True),
        (answered(500, "APEX_ERROR"), False),
        (answered(500, "UNKNOWN_EXCEPTION"), True),
        (answered(504, ""), True),
    ],
)
def test_unknown_outcomes_are_told_apart(error: errors.ClientError, unknown: bool) -> None:
    """A failed call may have been carried out only when the failure leaves that open."""
    assert verdicts.outcome_unknown(error) is unknown


def test_no_code_of_the_table_becomes_the_callers_401() -> None:
    """No error of Salesforce is ever the caller's own lack of a sign-in, and each keeps its code's retry rule."""
    for known in ERROR_CODES.values():
        cls = verdicts.error_class(known.status, SalesforceFault(error_code=known.name, message=""))
        assert cls.kind is not ErrorKind.UNAUTHENTICATED


def test_codes_of_errors_are_unique_and_drawn_in_the_docstring() -> None:
    """Every class of the tree has a code of its own and stands in the module's drawing."""
    classes: list[type[errors.ClientError]] = [errors.ClientError]
    for cls in classes:
        classes.extend(cls.__subclasses__())
    assert len({cls.code for cls in classes}) == len(classes)
    drawn = set(re.findall(r"^    [|+ -]*([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE))
    assert drawn == {cls.__name__ for cls in classes}


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (b"", ()),
        (b'[{"message":"m","errorCode":"C","fields":["F"]}]', (("C", "m", ("F",)),)),
        (b'{"errorCode":"C","message":"m"}', (("C", "m", ()),)),
        (b'[{"statusCode":"C","message":"m","fields":null}]', (("C", "m", ()),)),
        (b'{"error":"invalid_grant","error_description":"d"}', (("invalid_grant", "d", ()),)),
        (b"<html><body><h1>420</h1> No route </body>", (("", "420 No route", ()),)),
        (b"Bad_OAuth_Token", (("", "Bad_OAuth_Token", ()),)),
        (b"[1, null]", ()),
    ],
)
def test_error_bodies_of_any_shape_are_read(body: bytes, faults: tuple[tuple[str, str, tuple[str, ...]], ...]) -> None:
    """Arrays, objects, OAuth errors, pages and texts all become faults."""
    assert [(f.error_code, f.message, f.fields) for f in parse_faults(body)] == list(faults)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300))
def test_no_body_breaks_the_reading_of_errors(body: bytes) -> None:
    """Reading an error reply never fails, and what it keeps of a page is short."""
    for fault in parse_faults(body):
        assert len(fault.message) <= 300


@pytest.mark.parametrize(
    ("header", "info"),
    [
        (None, None),
        ("", None),
        ("nonsense", None),
        ("api-usage=18/5000", LimitInfo(used=18, allowed=5000)),
        (
            "api-usage=25/5000; per-app-api-usage=17/250(appName=sample-connected-app)",
            LimitInfo(used=25, allowed=5000, app_used=17, app_allowed=250, app_name="sample-connected-app"),
        ),
        ("per-app-api-usage=17/250(appName=x)", None),
    ],
)
def test_limit_header_is_read(header: str | None, info: LimitInfo | None) -> None:
    """The limit header is read with and without the share of the app, and nonsense is no answer."""
    assert parse_limit_info(header) == info


def test_limit_that_was_passed_leaves_nothing() -> None:
    """A soft limit may be passed; nothing less than nothing remains."""
    assert LimitInfo(used=5100, allowed=5000).remaining == 0


def _connector(kind: type[aiohttp.ClientConnectorError], os_error: OSError) -> aiohttp.ClientConnectorError:
    key = ConnectionKey("acme.example", 443, True, True, None, None, None, None)
    return kind(key, os_error)


@pytest.mark.parametrize(
    ("raised", "cls", "sent", "words"),
    [
        (aiohttp.ConnectionTimeoutError(), errors.TimedOut, False, "no connection in time"),
        (aiohttp.SocketTimeoutError(), errors.TimedOut, True, "stopped answering"),
        (TimeoutError(), errors.TimedOut, True, "did not finish"),
        (
            _connector(aiohttp.ClientConnectorDNSError, OSError(-2, "Name or service not known")),
            errors.ConnectionFailed,
            False,
            "name of acme.example:443",
        ),
        (
            _connector(aiohttp.ClientConnectorError, ConnectionRefusedError(111, "Connection refused")),
            errors.ConnectionFailed,
            False,
            "Connection refused",
        ),
        (_connector(aiohttp.ClientConnectorSSLError, OSError(1, "bad")), errors.ConnectionFailed, False, "TLS"),
        (aiohttp.ServerDisconnectedError(), errors.ConnectionFailed, True, "outcome is unknown"),
        (aiohttp.ClientPayloadError(), errors.ConnectionFailed, True, "outcome is unknown"),
        (ConnectionResetError(), errors.ConnectionFailed, True, "outcome is unknown"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_sent_is_false_only_when_no_connection_stood(
    raised: Exception, cls: type[errors.ConnectionFailed], sent: bool, words: str
) -> None:
    """Only a failure to connect promises that nothing was sent; every other one leaves the outcome unknown."""
    error = verdicts.connection_error(raised, "acme.example:443")
    assert (type(error), error.sent, error.host) == (cls, sent, "acme.example:443")
    assert words in error.message


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_any_text_survives_a_url(part: str, value: str) -> None:
    """Any text comes out of a path segment and a query string as it went in, and stays in its place."""
    part, value = part.encode("utf-8", "replace").decode(), value.encode("utf-8", "replace").decode()
    target = with_params(f"/a/{segment(part)}/b", {"q": value, "n": 1})
    path, _, query = target.partition("?")
    assert [unquote(piece) for piece in path.split("/")] == ["", "a", part, "b"]
    assert parse_qs(query, keep_blank_values=True) == {"q": [value], "n": ["1"]}


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("/services/data/v67.0/query/01g-2000", "/services/data/v67.0/query/01g-2000"),
        ("services/data/v67.0/jobs/ingest?a=b%20c", "/services/data/v67.0/jobs/ingest?a=b%20c"),
        ("https://acme.example/services/x?y=1", "/services/x?y=1"),
        ("https://ACME.example/services/x", "/services/x"),
    ],
)
def test_urls_of_the_own_host_are_followed(url: str, target: str) -> None:
    """A path, and an absolute URL of the org's own host, lead to the same place."""
    assert local_target(url, "https://acme.example") == target


@pytest.mark.parametrize(
    "url", ["https://evil.example/x", "http://acme.example/x", "//evil.example/x", "https://acme.example@evil.example/"]
)
def test_urls_of_other_hosts_are_refused(url: str) -> None:
    """Another host, another scheme or a disguise is refused, with and without a known host."""
    for known in ("https://acme.example", None):
        with pytest.raises(errors.RedirectRefused):
            local_target(url, known)
