"""Public JSON documents of an OIDC issuer: its discovery document and its key set. Knows nothing of Salesforce."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import aiohttp

from orgbridge.kit.json import JSONDecodeError, loads

_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)
#: A key set of a hundred RSA keys has about 50 kB.
_MAX_BYTES = 256 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class KeySetUnavailable(Exception):
    """The document could not be fetched, or is not a JSON object."""


def is_safe_url(url: str) -> bool:
    """Return whether a document may be trusted that comes from there: https, or this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


async def fetch_document(url: str) -> dict[str, Any]:
    """Return the JSON object at an address, without following redirects.

    Args:
        url: https, or http on this machine.

    Raises:
        KeySetUnavailable: It cannot be fetched in ten seconds, is larger than 256 KiB, or is not a JSON object.
    """
    if not is_safe_url(url):
        raise KeySetUnavailable("the address is not https")
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session,
            session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as reply,
        ):
            if reply.status != 200:
                raise KeySetUnavailable(f"status {reply.status}")
            body = bytearray()
            async for chunk in reply.content.iter_chunked(16 * 1024):
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise KeySetUnavailable("the document is too large")
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise KeySetUnavailable(type(error).__name__) from error
    try:
        document = loads(bytes(body))
    except JSONDecodeError as error:
        raise KeySetUnavailable("the document is not JSON") from error
    if not isinstance(document, dict):
        raise KeySetUnavailable("the document is not a JSON object")
    return document
