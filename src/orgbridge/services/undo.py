"""Undo: what a load did to the org is taken back by loads of its own, with ledgers and receipts of their own.

Created records are deleted, fields that were changed get their values of before. Records that somebody changed since
are left alone, and listed in the undo's own results: the worker looks before it sends. A delete is not undone: no
REST or Bulk API call takes records out of the recycle bin (SOAP's `undelete` does, and the user interface).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.records import masked_records, record_chunks, unmasked
from orgbridge.loads.rounds import ResultRow, result_rows
from orgbridge.services.errors import CannotUndo, NothingToDo
from orgbridge.services.scopes import Caller
from orgbridge.services.sequels import Sequel, Sequels, facts_of
from orgbridge.services.streams import csv_rows
from orgbridge.store.database import Database
from orgbridge.store.files import FileStore
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.store.round_records import LinkKind
from orgbridge.wire.bulk import IngestOperation, LineEnding

_DELETED = (
    "A delete cannot be undone from here: Salesforce has no REST or Bulk API call that takes records out of the "
    "recycle bin. They lie there for 15 days; restore them in the org's user interface, or with the SOAP call undelete."
)
_GONE = "A hardDelete cannot be undone: the records went past the recycle bin."
_NO_IMAGES = (
    "No before-images were taken of this load, so the former values are not known. They are taken by themselves for "
    "loads of up to 10,000 rows, and for larger ones with before_images=true."
)
_PLAIN = Dialect(delimiter=",", line_ending=LineEnding.LF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """The loads that take another one back."""

    #: Deletes the records that were created; None when there were none.
    deletes: str | None
    #: Restores the fields that were changed; None when there were none.
    restores: str | None
    #: Changed rows of which no before-image is known: they stay as they are.
    without_image: int


class UndoService:
    """Makes undos."""

    def __init__(self, sequels: Sequels, files: FileStore, database: Database) -> None:
        self._sequels = sequels
        self._files = files
        self._database = database

    async def undo(self, job_id: str, caller: Caller) -> Undone:
        """Take back what a load did; return the loads that do so.

        Raises:
            LoadNotFound: We have no such load.
            LoadNotFinished: It has not ended yet.
            ResultsMissing: It left no results.
            CannotUndo: It deleted records, or no before-images are known.
            NothingToDo: It changed nothing.
            SequelExists: It was undone before.
        """
        load = await self._sequels.ended(job_id, caller)
        operation = IngestOperation(load.operation)
        if operation is IngestOperation.DELETE:
            raise CannotUndo(_DELETED)
        if operation is IngestOperation.HARD_DELETE:
            raise CannotUndo(_GONE)
        async with self._database.unit(write=False) as unit:
            parts = await unit.parts.list(load.id)
        counts = _Counts()
        deletes = restores = None
        if operation is not IngestOperation.UPDATE:
            deletes = await self._made(load, self._deletion(load, parts, counts), caller)
        if operation is not IngestOperation.INSERT:
            restores = await self._made(load, await self._restoration(load, parts, counts), caller)
        if deletes is None and restores is None:
            if counts.without_image:
                raise CannotUndo(_NO_IMAGES)
            raise NothingToDo("The job changed nothing in the org: there is nothing to undo.")
        return Undone(deletes=deletes, restores=restores, without_image=counts.without_image)

    async def _made(self, load: LoadRecord, sequel: Sequel | None, caller: Caller) -> str | None:
        if sequel is None:
            return None
        try:
            return await self._sequels.make(load, sequel, caller)
        except NothingToDo:
            return None

    def _deletion(self, load: LoadRecord, parts: list[PartRecord], counts: _Counts) -> Sequel:
        runs: list[list[Any]] = []

        def content() -> Iterator[bytes]:
            yield b"Id\n"
            runs.clear()
            for part, rows in self._by_part(load, parts):
                ids = [row.id for row in rows if row.created is True and row.id]
                runs.append([len(ids), _modstamp(part)])
                yield "".join(f"{identifier}\n" for identifier in ids).encode()

        return self._sequel(load, LinkKind.UNDO_CREATED, IngestOperation.DELETE, ("Id",), content, runs)

    async def _restoration(self, load: LoadRecord, parts: list[PartRecord], counts: _Counts) -> Sequel | None:
        images = {part.number: f"loads/{load.id}/before/{part.number:05d}.csv" for part in parts}
        kept = {number: key for number, key in images.items() if await self._files.exists(key)}
        if not kept:
            counts.without_image = sum(part.succeeded for part in parts)
            return None
        header = next(csv_rows(self._files.open_blocks(next(iter(kept.values())))))
        if len(header) < 2:
            return None
        runs: list[list[Any]] = []

        def content() -> Iterator[bytes]:
            runs.clear()
            counts.without_image = 0
            # Of a record that the load changed twice, the first image is the one from before it.
            seen: set[str] = set()
            yield (",".join(header) + "\n").encode()
            for part, rows in self._by_part(load, parts):
                key = kept.get(part.number)
                images_of_part = _images(self._files.open_blocks(key)) if key is not None else {}
                out = []
                for row in rows:
                    if row.created is not False or row.id in seen:
                        continue
                    seen.add(row.id)
                    image = images_of_part.get(row.id)
                    if image is None:
                        counts.without_image += 1
                    else:
                        out.append(image)
                runs.append([len(out), _modstamp(part)])
                yield b"".join(out)

        return self._sequel(load, LinkKind.UNDO_UPDATED, IngestOperation.UPDATE, tuple(header), content, runs)

    def _by_part(self, load: LoadRecord, parts: list[PartRecord]) -> Iterator[tuple[PartRecord, list[ResultRow]]]:
        """Yield each part with the rows of it that succeeded. Memory is that of one part."""
        dialect, _, _ = facts_of(load)
        if any("lines_key" in part.upload for part in parts):
            yield from self._by_own_lines(load, parts)
            return
        ends = iter(parts)
        part = next(ends, None)
        rows: list[ResultRow] = []
        wanted = lambda status: status == b"succeeded"  # noqa: E731
        last_line = _last_lines(parts)
        for row in result_rows(self._files.open_blocks(load.results_key or ""), dialect, wanted):
            while part is not None and row.line >= last_line[part.number]:
                yield part, rows
                part, rows = next(ends, None), []
            rows.append(row)
        while part is not None:
            yield part, rows
            part, rows = next(ends, None), []

    def _by_own_lines(self, load: LoadRecord, parts: list[PartRecord]) -> Iterator[tuple[PartRecord, list[ResultRow]]]:
        """Do so for a grouped load, whose parts lie scattered over the results: these are read once for each."""
        dialect, _, _ = facts_of(load)
        for part in parts:
            lines = array("Q")
            lines.frombytes(b"".join(self._files.open_blocks(str(part.upload["lines_key"]))))
            own = set(lines)
            rows = result_rows(
                self._files.open_blocks(load.results_key or ""), dialect, lambda status: status == b"succeeded"
            )
            yield part, [row for row in rows if row.line in own]

    def _sequel(
        self,
        load: LoadRecord,
        kind: LinkKind,
        operation: IngestOperation,
        columns: tuple[str, ...],
        content: Any,
        runs: list[list[Any]],
    ) -> Sequel:
        return Sequel(
            kind=kind,
            operation=operation.value,
            external_id_field=None,
            name=f"undo-{load.id}.csv",
            # Filled while the content is written, which is before the load is recorded.
            options={"undo": {"of": load.id, "runs": runs}},
            dialect=_PLAIN,
            columns=columns,
            header=(",".join(columns) + "\n").encode(),
            content=content,
        )


@dataclass(slots=True)
class _Counts:
    """What is found while contents are written."""

    without_image: int = 0


def _last_lines(parts: list[PartRecord]) -> dict[int, float]:
    """Return, for each part, the line on which the next one begins."""
    following = [*(part.first_line for part in parts[1:]), float("inf")]
    return {part.number: line for part, line in zip(parts, following, strict=True)}


def _modstamp(part: PartRecord) -> str | None:
    return (part.findings or {}).get("modstamp")


def _images(blocks: Iterator[bytes]) -> dict[str, bytes]:
    """Return the image records of a part by id, the header left out."""
    found: dict[str, bytes] = {}
    is_header = True
    for chunk in record_chunks(blocks):
        for record in masked_records(chunk):
            if not is_header:
                found.setdefault(record.partition(b",")[0].decode(), unmasked(record))
            is_header = False
    return found
