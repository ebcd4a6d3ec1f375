"""Lets unchanged Salesforce clients reach the emulator: only the transport that their users choose is ours.

Both libraries write `https://…salesforce.com` into their code. The transports below send such a request to the
emulator instead and keep its `Host` header, as a reverse proxy would; nothing in the libraries is patched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import requests
from requests.adapters import HTTPAdapter

_SALESFORCE = (".salesforce.com", ".force.com")


def _is_salesforce(host: str) -> bool:
    return host.endswith(_SALESFORCE)


class EmulatorAdapter(HTTPAdapter):
    """For `requests`: mounted on `https://` of the session that is given to simple-salesforce."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        #: Paths asked for, in order, for tests that count calls.
        self.paths: list[str] = []
        super().__init__()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send the request to the emulator; any host but Salesforce's is refused."""
        parts = urlsplit(request.url or "")
        assert _is_salesforce(parts.hostname or ""), f"{parts.hostname} is not Salesforce"
        request.headers["Host"] = parts.netloc
        self.paths.append(parts.path)
        request.url = urlunsplit((self._target.scheme, self._target.netloc, parts.path, parts.query, ""))
        return super().send(request, stream, timeout or 60, verify, cert, proxies)


def emulator_session(url: str) -> requests.Session:
    """Return a session of `requests` whose https addresses all lead to the emulator."""
    session = requests.Session()
    session.mount("https://", EmulatorAdapter(url))
    return session


class EmulatorTransport(httpx.AsyncHTTPTransport):
    """For httpx: the transport of the client that is given to aiosalesforce."""

    def __init__(self, url: str) -> None:
        self._target = httpx.URL(url)
        super().__init__()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the emulator; any host but Salesforce's is refused."""
        assert _is_salesforce(request.url.host), f"{request.url.host} is not Salesforce"
        # A new request: the library sends the old one again after a 401.
        url = request.url.copy_with(scheme=self._target.scheme, host=self._target.host, port=self._target.port)
        rerouted = httpx.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )
        return await super().handle_async_request(rerouted)
