"""A file in a multipart body, read as it arrives: nothing is spooled, nothing but the present chunk is held."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from orgbridge.services.errors import InvalidRequest, UploadBroken

#: Bytes of all form fields before the file, and of one part's headers.
_FIELD_BYTES, _HEADER_BYTES = 64 * 1024, 16 * 1024


@dataclass(slots=True)
class _Part:
    """The part that is being read."""

    headers: dict[str, bytes] = field(default_factory=dict)
    name: str = ""
    filename: str | None = None
    content_type: str | None = None


class Upload:
    """The part named `file` of a multipart body, and the form fields that stand before it.

    Attributes:
        filename: As the caller named it, without folders.
        content_type: As the caller says; None when not said.
        fields: Form fields that stood before the file.
    """

    def __init__(self, body: AsyncIterator[bytes], content_type: str, *, wanted: str = "file") -> None:
        """Prepare to read.

        Raises:
            InvalidRequest: The content type is not multipart/form-data with a boundary.
        """
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise InvalidRequest("The body must be multipart/form-data with a part named file.")
        self.filename = ""
        self.content_type: str | None = None
        self.fields: dict[str, str] = {}
        self._wanted = wanted
        self._body = body
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_end": self._on_end,
            },
        )
        self._part = _Part()
        self._header = (b"", b"")
        self._value = b""
        self._ready: list[bytes] = []
        self._field_bytes = 0
        self._found = self._in_file = self._ended = False

    async def open(self) -> None:
        """Read until the file's first bytes, so that its name and the fields before it are known.

        Raises:
            InvalidRequest: The body is malformed, or ended without a part named file.
            UploadBroken: The body broke off.
        """
        while not self._found:
            if not await self._feed():
                raise InvalidRequest("The form has no part named file.")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes to its end, and read the body to its own.

        Raises:
            UploadBroken: The body broke off before its closing boundary.
            InvalidRequest: The body is malformed.
        """
        while True:
            while self._ready:
                yield self._ready.pop(0)
            if not await self._feed():
                return

    async def _feed(self) -> bool:
        chunk = await anext(self._body, None)
        if not chunk:
            if chunk is None:
                self._parser.finalize()
                if not self._ended:
                    raise UploadBroken
                return False
            return True
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            raise InvalidRequest("The multipart body is malformed.") from error
        return True

    def _on_part_begin(self) -> None:
        self._part = _Part()
        self._value = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])
        self._check_header()

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header[0]) + len(self._header[1]) > _HEADER_BYTES or len(self._part.headers) > 32:
            raise InvalidRequest("A part of the multipart body has too long headers.")

    def _on_header_end(self) -> None:
        name, value = self._header
        self._part.headers[name.decode("latin-1").lower()] = value
        self._header = (b"", b"")

    def _on_headers_finished(self) -> None:
        part = self._part
        # Bytes and not text: browsers and curl write names in UTF-8, which the parser passes through untouched.
        _, options = parse_options_header(part.headers.get("content-disposition"))
        part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if part.name == self._wanted:
            if self._found:
                raise InvalidRequest("The form has more than one part named file.")
            raw = options.get(b"filename", b"").decode("utf-8", "replace")
            self.filename = raw.replace("\\", "/").rsplit("/", 1)[-1][:255]
            kind = part.headers.get("content-type")
            self.content_type = kind.decode("latin-1") if kind is not None else None
            self._found = self._in_file = True
        elif self._found:
            # Fields are needed before the file is judged. Heeded only in small bodies, they would be heeded by luck.
            raise InvalidRequest(f"The form field {part.name!r} stands after the file; put it before.")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._ready.append(bytes(data[start:end]))
            return
        self._field_bytes += end - start
        if self._field_bytes > _FIELD_BYTES:
            raise InvalidRequest("The form fields beside the file are too large.")
        self._value += data[start:end]

    def _on_part_end(self) -> None:
        if self._in_file:
            self._in_file = False
        elif self._part.name:
            self.fields[self._part.name] = self._value.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self._ended = True


async def whole_body(body: AsyncIterator[bytes], declared_bytes: int | None) -> AsyncIterator[bytes]:
    """Yield a raw body, and see that all of it came.

    Raises:
        UploadBroken: Fewer bytes came than were announced.
    """
    seen = 0
    async for chunk in body:
        seen += len(chunk)
        if chunk:
            yield chunk
    if declared_bytes is not None and seen != declared_bytes:
        raise UploadBroken
