"""Files of Salesforce: a version sent as a stream beside its row, its bytes read as a stream. Nothing is held whole.

Source: facts/salesforce/rest.md section 3, "Blobs"; facts/commerce/orders.md section 5.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from orgbridge.client.errors import MalformedReply
from orgbridge.client.replies import parse_object
from orgbridge.client.transport.exchange import StreamReply, Transport
from orgbridge.client.transport.requests import Chunks, Expect, Request, Resend, segment
from orgbridge.kit.json import JSON, dumps

_VERSION = "ContentVersion"


class Files:
    """Content versions."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def upload(self, fields: Mapping[str, JSON], chunks: Chunks, size: int) -> str:
        """Create a content version and return its id. Never sent twice unless nothing of the first sending got out.

        Args:
            fields: Its row, without the bytes: `Title`, `PathOnClient`, ...
            chunks: Opens its bytes, from their start, each time it is called.
            size: How many bytes those are.

        Raises:
            ConnectionFailed: With `sent` true the version may exist: look for it before sending it again.
            SalesforceError: Nothing was created.
        """
        boundary = f"orgbridge-{secrets.token_hex(16)}"
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="entity_content"\r\n'
            "Content-Type: application/json\r\n\r\n"
        ).encode()
        head += dumps(dict(fields))
        # The name that counts is in the row; this one only makes a file of the part.
        head += (
            f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="VersionData"; filename="file"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()

        async def body() -> AsyncIterator[bytes]:
            yield head
            async for chunk in chunks():
                yield chunk
            yield tail

        request = Request(
            method="POST",
            target=self._transport.path(f"sobjects/{_VERSION}"),
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
            body=body,
            body_bytes=len(head) + size + len(tail),
            resend=Resend.UNSENT,
            expect=Expect.UPLOAD,
        )
        value = parse_object((await self._transport.send(request)).body, "an upload")
        if value.get("success") is not True or not value.get("id"):
            raise MalformedReply("Salesforce's reply to an upload has no id or no success.")
        return str(value["id"])

    @asynccontextmanager
    async def download(self, version_id: str) -> AsyncIterator[StreamReply]:
        """Give the bytes of a content version; read them once, inside the context.

        Raises:
            NotFound: There is no such version, or the user may not see it.
            ConnectionFailed: Also in the middle of the bytes.
        """
        request = Request(
            method="GET",
            target=self._transport.path(f"sobjects/{_VERSION}/{segment(version_id)}/VersionData"),
            headers={"Accept": "*/*"},
            resend=Resend.ALWAYS,
            expect=Expect.STREAM,
        )
        async with self._transport.stream(request) as reply:
            yield reply
