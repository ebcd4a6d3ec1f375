"""A request as a value that can be sent again, byte for byte. No I/O here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, urlencode, urlsplit

from orgbridge.client.errors import RedirectRefused
from orgbridge.kit.json import JSON, dumps

#: Opens the body anew, from its start, each time it is called.
Chunks = Callable[[], AsyncIterator[bytes]]
#: Asked before each sending, when the connection is the next thing that is needed. Raises where it may not leave.
Guard = Callable[[], Awaitable[None]]


class Resend(StrEnum):
    """When a request may be sent a second time. The replay after an expired session is apart: it was refused unread."""

    #: Never.
    NEVER = "never"
    #: Only when nothing of it can have reached Salesforce.
    UNSENT = "unsent"
    #: Always: doing it twice ends in the same state as doing it once.
    ALWAYS = "always"


class Expect(StrEnum):
    """How much time a request is given."""

    #: A small body each way.
    REPLY = "reply"
    #: A large body goes up.
    UPLOAD = "upload"
    #: A large body comes down.
    STREAM = "stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of the REST API, without its token."""

    #: HTTP method.
    method: str
    #: Path from the root, segments encoded, with its query string.
    target: str
    #: Headers without `Authorization`.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The body: bytes, a source of chunks that can be opened again, or nothing.
    body: bytes | Chunks | None = field(default=None, repr=False)
    #: Bytes of a chunked body; None when unknown.
    body_bytes: int | None = None
    #: When it may be sent again.
    resend: Resend = Resend.UNSENT
    #: How much time it is given.
    expect: Expect = Expect.REPLY
    #: Seconds for one exchange, instead of what is usual.
    seconds: float | None = None
    #: Whether it may still be sent, asked as late as can be; an error of its own ends the call with nothing sent.
    guard: Guard | None = field(default=None, repr=False, compare=False)

    @property
    def path(self) -> str:
        """Path without the query string, for messages."""
        return self.target.partition("?")[0]


def json_request(
    method: str,
    target: str,
    value: JSON,
    *,
    headers: Mapping[str, str] | None = None,
    resend: Resend = Resend.UNSENT,
    seconds: float | None = None,
    guard: Guard | None = None,
) -> Request:
    """Return a request whose body is the value as JSON."""
    return Request(
        method=method,
        target=target,
        headers={"Content-Type": "application/json", **(headers or {})},
        body=dumps(value),
        resend=resend,
        seconds=seconds,
        guard=guard,
    )


def segment(text: str) -> str:
    """Return the text encoded once, as one segment of a path: a slash in it stays inside."""
    return quote(text, safe="")


def with_params(path: str, params: Mapping[str, str | int] | None) -> str:
    """Return the path with a query string, spaces as `%20`."""
    return f"{path}?{urlencode(params, quote_via=quote)}" if params else path


def local_target(url: str, instance_url: str | None = None) -> str:
    """Return path and query of a URL that Salesforce gave, so that it is called at the host that we signed in to.

    Args:
        url: A path from the root (a leading slash may be missing), or an absolute URL.
        instance_url: Where an absolute URL must point to; None accepts no absolute URL.

    Raises:
        RedirectRefused: It names another host. Nothing was sent.
    """
    parts = urlsplit(url)
    host = f"{parts.scheme}://{parts.netloc}".lower()
    if (parts.scheme or parts.netloc) and (instance_url is None or host != instance_url.lower()):
        raise RedirectRefused(
            f"Salesforce pointed to another host, {parts.netloc}; the token does not go there. "
            "Set the token URL or instance URL to the org's My Domain host."
        )
    path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
    return f"{path}?{parts.query}" if parts.query else path
