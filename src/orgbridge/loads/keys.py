"""Keys that a file holds more than once, found in bounded memory: sorted runs in a temporary file, then merged."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

#: Keys of a run: about 30 MB while they are sorted.
_RUN_KEYS: Final = 300_000
_DIGEST_BYTES: Final = 16
_ENTRY_BYTES: Final = _DIGEST_BYTES + 8
_READ_ENTRIES: Final = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """One key that is there more than once."""

    #: The lines on which it stands, the first few in order.
    lines: tuple[int, ...]
    #: How often it is there.
    count: int


class KeyIndex:
    """Remembers keys with their lines. 128 bits stand for a key: two different ones never meet in practice."""

    def __init__(self, open_spool: Callable[[], BinaryIO], run_keys: int = _RUN_KEYS) -> None:
        self._open_spool = open_spool
        self._run_keys = run_keys
        self._spool: BinaryIO | None = None
        self._runs: list[tuple[int, int]] = []
        self._entries: list[bytes] = []

    def add(self, key: str, line: int) -> None:
        """Remember a key.

        Args:
            key: Folded as the field compares it.
            line: Where it stands.
        """
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
        self._entries.append(digest + line.to_bytes(8, "big"))
        if len(self._entries) >= self._run_keys:
            self._spill()

    def repeated(self, named: int = 5) -> Iterator[Repeated]:
        """Yield the keys that were added more than once.

        Args:
            named: Lines of each that are told.
        """
        self._entries.sort()
        streams: list[Iterable[bytes]] = [self._run(start, count) for start, count in self._runs]
        merged = heapq.merge(*streams, self._entries) if streams else iter(self._entries)
        for _, group in itertools.groupby(merged, key=lambda entry: entry[:_DIGEST_BYTES]):
            lines = []
            count = 0
            for entry in group:
                count += 1
                if count <= named:
                    lines.append(int.from_bytes(entry[_DIGEST_BYTES:], "big"))
            if count > 1:
                yield Repeated(lines=tuple(lines), count=count)

    def close(self) -> None:
        """Let the temporary file go."""
        if self._spool is not None:
            self._spool.close()

    def _spill(self) -> None:
        self._entries.sort()
        if self._spool is None:
            self._spool = self._open_spool()
            weakref.finalize(self, self._spool.close)
        start = self._spool.seek(0, 2)
        self._spool.write(b"".join(self._entries))
        self._runs.append((start, len(self._entries)))
        self._entries.clear()

    def _run(self, start: int, count: int) -> Iterator[bytes]:
        assert self._spool is not None, "a run was spilled"
        while count:
            taken = min(count, _READ_ENTRIES)
            self._spool.seek(start)
            data = self._spool.read(taken * _ENTRY_BYTES)
            start += len(data)
            count -= taken
            for place in range(0, len(data), _ENTRY_BYTES):
                yield data[place : place + _ENTRY_BYTES]
