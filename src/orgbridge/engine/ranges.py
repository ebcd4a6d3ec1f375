"""Where the own records of a part lie: in a range of the stored input, or in a file of their own. Blocks: for threads.

A range is what needs no writing: the records of a plain CSV in UTF-8 stand in the stored input as they are. Whatever is
packed, in another encoding or no CSV has no such place, and its parts are written out.

The hash of a part is taken while it is cut and recorded with it. Whoever reads a range takes it again and gets the last
block only if it agrees: of an input that was changed meanwhile no upload is ever complete, and no result is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts, part_files, part_of
from orgbridge.engine.faults import Fault
from orgbridge.loads.inputs import CSVSource
from orgbridge.loads.splitter import Part, upload_body
from orgbridge.store.files import FileStore
from orgbridge.store.records import LoadRecord, PartRecord

#: Under this name `PartRecord.upload` has the range; parts that were written out have none.
RANGE: Final = "range"


class PartBlocks(Protocol):
    """The blocks of one part as they are cut; read once."""

    @property
    def part(self) -> Part:
        """What is known of the part once its blocks were read."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Yield the blocks."""
        ...


def keep_records(
    files: FileStore, load: LoadRecord, source: CSVSource, number: int, start: int, blocks: PartBlocks
) -> tuple[str, dict[str, Any]]:
    """See that the records of a part can be read again.

    Args:
        files: The store.
        load: The load.
        source: Its input.
        number: The part.
        start: Bytes of the canonical CSV's records before it.
        blocks: Its records; all of them are read.

    Returns:
        The key of the file in which they lie, and what `PartRecord.upload` says of the place.

    Raises:
        OSError: The part cannot be written.
        StepRefused: The input is not the one that was taken in.
    """
    if load.input_key is None or source.records_at is None:
        key = f"{part_files(load.id, number)}.csv"
        files.write_blocks(key, blocks)
        return key, {}
    for _ in blocks:
        pass
    begins = source.first_offset + start
    ends = begins + blocks.part.bytes
    stop = min(ends, load.input_bytes)
    ending = source.dialect.line_ending.chars
    # The last record of all may have been given the newline that it lacks.
    if ends - stop not in (0, len(ending)):
        raise StepRefused(_changed(f"part {number} ends at byte {ends}, the input at byte {load.input_bytes}"))
    return load.input_key, {RANGE: {"start": begins, "stop": stop, "then": ending if ends > stop else ""}}


def check_end(load: LoadRecord, source: CSVSource, read: int) -> None:
    """Make sure that an input was cut to its end.

    Args:
        load: The load.
        source: Its input.
        read: Bytes of the canonical CSV's records that were cut.

    Raises:
        StepRefused: The input ended before it should have: it is not the one that was taken in.
    """
    ended = source.first_offset + read
    if source.records_at is not None and load.input_key is not None and ended < load.input_bytes:
        raise StepRefused(_changed(f"it ended at byte {ended} of {load.input_bytes}"))


def own_records(files: FileStore, part: PartRecord, *, whatever: bool = False) -> Iterator[bytes]:
    """Yield the records of a part, or of a round of it, as the input has them.

    Args:
        files: The store.
        part: The part or round.
        whatever: Yield also what is not what was cut: to say of rows that cannot be sent that they were not.

    Raises:
        StepRefused: The input was changed; the last block was not yielded.
        StoredFileMissing: There is no such file.
    """
    found = part.upload.get(RANGE)
    if found is None:
        yield from files.open_blocks(part.input_key)
        return
    digest = hashlib.sha256()
    held = b""
    for block in files.open_blocks(part.input_key, found["start"], found["stop"]):
        if held:
            yield held
        digest.update(block)
        held = block
    if found["then"]:
        ending = found["then"].encode()
        digest.update(ending)
        held += ending
    if digest.hexdigest() != part.sha256 and not whatever:
        raise StepRefused(_changed(f"bytes {found['start']} to {found['stop']}, part {part.number}, have another hash"))
    if held:
        yield held


def sent_records(files: FileStore, part: PartRecord) -> Iterator[bytes]:
    """Yield the records of a part as they are sent: what a mapping made of them, or themselves.

    Raises:
        StepRefused: The input was changed; the last block was not yielded.
        StoredFileMissing: There is no such file.
    """
    key = part.upload.get("sent_key")
    return own_records(files, part) if key is None else files.open_blocks(str(key))


def upload_blocks(files: FileStore, facts: InputFacts, part: PartRecord) -> Iterator[bytes]:
    """Yield the body of a part's upload. Raises what `sent_records` raises."""
    return upload_body(sent_records(files, part), part_of(part), header_record=facts.sent_header_record)


def _changed(what: str) -> Fault:
    return Fault(
        code="load.input_changed", message=f"The stored input was changed since the load was taken in: {what}."
    )
