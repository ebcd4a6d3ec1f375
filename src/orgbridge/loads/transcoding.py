"""Text in another encoding becomes UTF-8 as it streams by; bytes that are no text are named by their offset."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from orgbridge.loads.dialect import UTF8, Encoding
from orgbridge.loads.errors import FaultKind, RecordFault, UndecodableBytes


def to_utf8(blocks: Iterable[bytes], encoding: Encoding) -> Iterator[bytes]:
    """Yield the text as UTF-8 without its byte order mark.

    UTF-8 passes through as it is and unchecked: the splitter checks it.

    Args:
        blocks: The bytes as they came, mark included.
        encoding: What they are.

    Raises:
        UndecodableBytes: Bytes are not text in the encoding. Everything before them was yielded.
    """
    bare = skip_bytes(blocks, encoding.mark_bytes)
    if encoding.name == UTF8:
        yield from bare
        return
    decoder = codecs.getincrementaldecoder(encoding.name)("strict")
    offset = encoding.mark_bytes
    newlines = 0
    try:
        for block in bare:
            pending = decoder.getstate()[0]
            text = decoder.decode(block)
            offset += len(block)
            newlines += text.count("\n")
            yield _encoded(text, encoding, newlines)
        pending, block = decoder.getstate()[0], b""
        yield _encoded(decoder.decode(b"", final=True), encoding, newlines)
    except UnicodeDecodeError as error:
        data = pending + block
        at = offset - len(pending) + error.start
        before = data[: error.start].decode(encoding.name, "ignore").count("\n")
        shown = data[error.start : error.end].hex(" ")
        raise _undecodable(
            f"The bytes {shown} at offset {at} are not {encoding.name}.", newlines + before, at
        ) from None


def _encoded(text: str, encoding: Encoding, newlines: int) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = newlines - text.count("\n", error.start)
        message = f"The {encoding.name} text holds half a character."
        raise _undecodable(message, line, None) from None


def _undecodable(message: str, newlines: int, offset: int | None) -> UndecodableBytes:
    fault = RecordFault(kind=FaultKind.UNDECODABLE, line=newlines + 1, row=newlines, message=message, offset=offset)
    return UndecodableBytes([fault])


def skip_bytes(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Yield all but the first `count` bytes."""
    for block in blocks:
        rest = block[count:]
        count = max(0, count - len(block))
        if rest:
            yield rest
