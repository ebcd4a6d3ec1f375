"""What makes two requests the same: method, address, media type and content, hashed as the content goes by.

A form is hashed by its parts and not by its bytes, because a client that sends it again draws another boundary.
"""

from __future__ import annotations

import hashlib
from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

#: Longest headers of one part that are held.
_HEADER_BYTES = 16 * 1024


class Fingerprint:
    """The hash of one request. Feed it the body; it holds nothing but the present headers of a part."""

    def __init__(self, method: str, path: str, query: bytes, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        self._hash = hashlib.sha256()
        for piece in (method.encode(), path.encode("utf-8", "surrogatepass"), query, kind.lower()):
            _frame(self._hash, piece)
        self._part: Any = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._name, self._value, self._header_bytes = b"", b"", 0
        self._broken = False
        boundary = options.get(b"boundary")
        self._parser = None
        if kind == b"multipart/form-data" and boundary:
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
                },
            )

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        if self._parser is None:
            self._hash.update(chunk)
        elif chunk and not self._broken:
            try:
                self._parser.write(chunk)
            except MultipartParseError:
                self._broken = True

    def value(self) -> str | None:
        """Return the hash of all that was fed; None for a form that cannot be read, which has no meaning to compare."""
        return None if self._broken else self._hash.hexdigest()

    def _on_part_begin(self) -> None:
        self._part = hashlib.sha256()
        self._headers, self._header_bytes = [], 0

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += self._counted(data, start, end)

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += self._counted(data, start, end)

    def _counted(self, data: bytes, start: int, end: int) -> bytes:
        self._header_bytes += end - start
        if self._header_bytes > _HEADER_BYTES:
            self._broken = True
            return b""
        return data[start:end]

    def _on_header_end(self) -> None:
        self._headers.append((self._name.lower(), self._value))
        self._name = self._value = b""

    def _on_headers_finished(self) -> None:
        for name, value in sorted(self._headers):
            _frame(self._hash, name)
            _frame(self._hash, value)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._part.update(memoryview(data)[start:end])

    def _on_part_end(self) -> None:
        _frame(self._hash, self._part.digest())


def _frame(into: Any, piece: bytes) -> None:
    # With its length in front, so that no two lists of pieces look alike.
    into.update(len(piece).to_bytes(8, "big"))
    into.update(piece)
