"""The one aiohttp session under a client: opened inside the event loop at first use, without cookies or redirects."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType

#: How long an idle connection is used again. A server that closes it just as a create goes out leaves the outcome
#: unknown, so this is less than the shortest idle time known, uvicorn's 5 s. Assumed: Salesforce waits longer.
_IDLE_SECONDS = 4.0


class Interrupted(aiohttp.ClientError):
    """The connection broke after the request was begun; the cause is chained.

    aiohttp would otherwise send a GET, PUT or DELETE again by itself over a fresh connection: uncounted, and for a
    streamed body with what is left of it.
    """


async def _send_once(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Interrupted(type(error).__name__) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds allowed. None is unbounded."""

    #: Until the connection stands, TLS included.
    connect: float = 10.0
    #: Of silence while a reply is awaited. Salesforce ends a query after 120 s.
    read: float = 130.0
    #: For a whole exchange with small bodies.
    total: float = 150.0
    #: For a whole upload.
    upload: float = 1800.0
    #: For a whole download. The platform allows 20 minutes for one page of results.
    stream: float = 1800.0


class HTTPSession:
    """Opens the aiohttp session when it is first needed, and closes it."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    def get(self) -> aiohttp.ClientSession:
        """Return the session. Call it inside the event loop.

        Raises:
            RuntimeError: The client was closed.
        """
        if self._closed:
            raise RuntimeError("the Salesforce client is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # The transport's own semaphore limits; a limit here could make open downloads wait for each other.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(_send_once,),
            )
        return self._session

    async def close(self) -> None:
        """Close all connections; further calls are errors."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
