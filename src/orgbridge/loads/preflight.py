"""Every cell of an input looked at before anything is sent: what the describe says will fail, with line numbers.

Memory is bounded: keys are indexed in a temporary file, parents up to `MOST_PARENTS` distinct ones of a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from orgbridge.loads.cellchecks import CellCheck, cell_check, is_blank
from orgbridge.loads.checks import RecordChecker
from orgbridge.loads.errors import InputError
from orgbridge.loads.findings import Finding, Findings, Severity
from orgbridge.loads.header import check_header
from orgbridge.loads.inputs import CSVSource
from orgbridge.loads.keys import KeyIndex
from orgbridge.loads.mapped import mapped_columns
from orgbridge.loads.mapping import Mapping as FieldMapping
from orgbridge.loads.records import masked_records, parse_chunk, segmented_chunks
from orgbridge.loads.splitter import LineCount
from orgbridge.wire.bulk import NULL_CELL, IngestOperation
from orgbridge.wire.fieldtypes import ID_TYPES
from orgbridge.wire.ids import is_id, to_18

#: Distinct parents of one column that are looked up.
MOST_PARENTS: Final = 100_000
_BY_ID: Final = frozenset({IngestOperation.UPDATE, IngestOperation.DELETE, IngestOperation.HARD_DELETE})


@dataclass(slots=True, kw_only=True)
class ParentColumn:
    """The parents that one column names."""

    #: The column that is sent.
    name: str
    #: Objects that the parents may be.
    objects: tuple[str, ...]
    #: Field of the parent that the cells hold.
    key: str
    #: Value to the lines of its first three rows and the number of its rows.
    values: dict[str, list[int]] = field(default_factory=dict)
    #: Rows whose parents are too many to be looked up.
    unchecked: int = 0

    def add(self, value: str, line: int) -> None:
        """Count a parent: its rows first, then up to three lines."""
        known = self.values.get(value)
        if known is None:
            if len(self.values) >= MOST_PARENTS:
                self.unchecked += 1
                return
            self.values[value] = [1, line]
            return
        known[0] += 1
        if len(known) < 4:
            known.append(line)


@dataclass(slots=True, kw_only=True)
class Scan:
    """What was seen of an input."""

    #: Records looked at.
    rows: int = 0
    #: Bytes of them, as canonical CSV.
    bytes: int = 0
    #: What is wrong.
    findings: Findings = field(default_factory=Findings)
    #: Cells that clear their field, by field.
    cleared: dict[str, int] = field(default_factory=dict)
    #: Parents to look up.
    parents: list[ParentColumn] = field(default_factory=list)
    #: Whether all of the input was looked at.
    complete: bool = True


class Scanner:
    """Looks at one input."""

    def __init__(
        self,
        source: CSVSource,
        mapping: FieldMapping | None,
        describe: Mapping[str, Any],
        operation: IngestOperation,
        external_id_field: str | None,
        open_spool: Callable[[], BinaryIO],
        most_rows: int | None = None,
    ) -> None:
        """Prepare to look.

        Args:
            source: The input.
            mapping: What is sent of it.
            describe: Salesforce's describe of the object.
            operation: What the load does.
            external_id_field: The key of an upsert.
            open_spool: Opens an empty temporary file.
            most_rows: Rows after which to stop; None: look at all.
        """
        self._most_rows = most_rows
        self._source = source
        self._mapping = mapping
        self._describe = describe
        self._operation = operation
        self._external_id = external_id_field
        self._open_spool = open_spool
        self._fields = {str(item["name"]).lower(): item for item in describe.get("fields", [])}
        self._relations = {
            str(item["relationshipName"]).lower(): item
            for item in describe.get("fields", [])
            if item.get("relationshipName")
        }
        self._header = mapping.header if mapping is not None else source.header
        self.scan = Scan()

    def run(self) -> Scan:
        """Read the whole input and return what was seen. Blocks."""
        scan = self.scan
        for fault in check_header(
            self._header,
            operation=self._operation,
            external_id_field=self._external_id,
            describe=self._describe,
        ):
            scan.findings.add(fault["code"], fault["field"], fault["message"], fault["line"])
        self._check_required_columns()
        columns = [self._column(name) for name in self._header]
        scan.parents = [column.parents for column in columns if column.parents is not None]
        try:
            for rows, lines in self._rows():
                for column, cells in zip(columns, rows, strict=True):
                    column.look(cells, lines, scan)
        except InputError as error:
            scan.complete = False
            details = error.details or [{"line": 1, "code": error.code, "message": error.message}]
            for item in details:
                code = str(item.get("code") or error.code)
                scan.findings.add(code, "", str(item["message"]), int(item.get("line") or 1))
        for column in columns:
            column.finish(scan)
        return scan

    def _rows(self) -> Iterator[tuple[Sequence[Sequence[str]], Sequence[int]]]:
        """Yield cells by column, as they would be sent, and lines, chunk by chunk."""
        source = self._source
        by_record = source.line_count is LineCount.RECORD
        checker = RecordChecker(
            source.dialect,
            len(source.header),
            row=1,
            line=source.first_line,
            offset=source.first_offset,
            line_is_row=by_record,
        )
        convert = None if self._mapping is None else mapped_columns(self._mapping)
        newline = source.dialect.line_ending.chars.encode()
        for chunk, segments in segmented_chunks(source.records()):
            data = chunk if chunk.endswith(b"\n") else chunk + newline
            line = checker.line
            facts = checker.check(data, segments if data is chunk else None)
            if facts is None:
                continue
            rows = list(parse_chunk(data.decode(), source.dialect.delimiter))
            lines = _lines(data, line, len(rows), facts.newlines, by_record=by_record)
            self.scan.rows += len(rows)
            self.scan.bytes += len(data)
            by_column: Sequence[Sequence[str]] = list(zip(*rows, strict=True))
            if convert is not None:
                by_column, refusals = convert(by_column, len(rows))
                for refusal in refusals:
                    self.scan.findings.add(refusal.code, refusal.field, refusal.message, lines[refusal.place])
            yield by_column, lines
            if checker.is_full:
                break
            if self._most_rows is not None and self.scan.rows >= self._most_rows:
                self.scan.complete = False
                return
        if checker.faults:
            self.scan.complete = not checker.is_full
            for fault in checker.faults:
                self.scan.findings.add(f"input.{fault.kind.value}", "", fault.message, fault.line)

    def _check_required_columns(self) -> None:
        if self._operation not in (IngestOperation.INSERT, IngestOperation.UPSERT):
            return
        given = {name.lower() for name in self._header}
        roots = {name.split(".", 1)[0].rsplit(":", 1)[-1].lower() for name in self._header if "." in name}
        for name, item in self._fields.items():
            relation = str(item.get("relationshipName") or "").lower()
            if _is_required(item) and name not in given and relation not in roots:
                message = f"{item['name']} is required and the input has no column for it."
                self.scan.findings.add("REQUIRED_FIELD_MISSING", str(item["name"]), message, 1, severity=self._missing)

    @property
    def _missing(self) -> Severity:
        # An upsert may find the record, which then has a value already.
        return Severity.ERROR if self._operation is IngestOperation.INSERT else Severity.WARNING

    def _column(self, name: str) -> _Column:
        if "." in name:
            path, _, key = name.partition(".")
            kind, _, relation = path.rpartition(":")
            item = self._relations.get(relation.lower())
            objects = (kind,) if kind else tuple(item.get("referenceTo") or ())[:1] if item is not None else ()
            parents = ParentColumn(name=name, objects=objects, key=key) if objects else None
            return _Column(name=name, parents=parents)
        item = self._fields.get(name.lower())
        if item is None:
            return _Column(name=name)
        parents = None
        if item.get("type") == "reference" and item.get("referenceTo"):
            parents = ParentColumn(name=name, objects=tuple(item["referenceTo"]), key="Id")
        return _Column(
            name=str(item["name"]),
            check=cell_check(item),
            required=self._operation in (IngestOperation.INSERT, IngestOperation.UPSERT) and _is_required(item),
            missing=self._missing,
            keys=KeyIndex(self._open_spool) if self._is_key(item) else None,
            is_id=item.get("type") in ID_TYPES,
            folds=not item.get("caseSensitive"),
            parents=parents,
        )

    def _is_key(self, item: Mapping[str, Any]) -> bool:
        name = str(item["name"]).lower()
        if self._operation in _BY_ID:
            return name == "id"
        if self._operation is IngestOperation.UPSERT and name == (self._external_id or "Id").lower():
            return True
        return bool(item.get("unique"))


@dataclass(slots=True, kw_only=True)
class _Column:
    """Looks at the cells of one column that is sent."""

    name: str
    check: CellCheck | None = None
    required: bool = False
    missing: Severity = Severity.ERROR
    keys: KeyIndex | None = None
    is_id: bool = False
    folds: bool = True
    parents: ParentColumn | None = None

    def look(self, cells: Sequence[str], lines: Sequence[int], scan: Scan) -> None:
        cleared = cells.count(NULL_CELL)
        if cleared:
            scan.cleared[self.name] = scan.cleared.get(self.name, 0) + cleared
        if self.check is None and not self.required and self.keys is None and self.parents is None:
            return
        for cell, line in zip(cells, lines, strict=True):
            if is_blank(cell):
                if self.required:
                    message = f"{self.name} is required and blank."
                    scan.findings.add("REQUIRED_FIELD_MISSING", self.name, message, line, severity=self.missing)
                continue
            fault = None if self.check is None else self.check(cell)
            if fault is not None:
                scan.findings.add(fault.code, self.name, fault.message, line)
                continue
            if self.keys is not None:
                self.keys.add((to_18(cell) or cell) if self.is_id else cell.casefold() if self.folds else cell, line)
            if self.parents is not None:
                value = to_18(cell) or cell if self.parents.key == "Id" and is_id(cell) else cell
                self.parents.add(value, line)

    def finish(self, scan: Scan) -> None:
        if self.keys is None:
            return
        for repeated in self.keys.repeated():
            lines = ", ".join(map(str, repeated.lines))
            message = f"Lines {lines} have the same {self.name}."
            scan.findings.add("DUPLICATE_VALUE", self.name, message, repeated.lines[1], count=repeated.count - 1)
        self.keys.close()


def _is_required(item: Mapping[str, Any]) -> bool:
    return bool(
        item.get("createable")
        and item.get("nillable") is False
        and not item.get("defaultedOnCreate")
        and item.get("type") != "boolean"
    )


def _lines(data: bytes, first: int, rows: int, newlines: int, *, by_record: bool) -> Sequence[int]:
    if by_record or newlines == rows:
        return range(first, first + rows)
    lines = []
    for record in masked_records(data):
        lines.append(first)
        # Line feeds inside cells are masked.
        first += 1 + record.count(b"\xff")
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a load would cost."""

    #: Rows to be sent.
    rows: int
    #: Parts, each a job of its own.
    parts: int
    #: Calls to Salesforce.
    api_calls: int
    #: Calls that the org has left today; None: not known.
    calls_left: int | None
    #: Calls that the org has a day; None: not known.
    calls_a_day: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as part of a report."""
        share = None if not self.calls_a_day else round(self.api_calls / self.calls_a_day, 6)
        return {
            "rows": self.rows,
            "parts": self.parts,
            "api_calls": self.api_calls,
            "calls_left": self.calls_left,
            "calls_a_day": self.calls_a_day,
            "share_of_day": share,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightReport:
    """What a preflight says."""

    #: Records looked at.
    rows: int
    #: Whether all of the input was looked at.
    complete: bool
    #: What is wrong, errors first.
    findings: tuple[Finding, ...]
    #: Cells that clear their field, by field.
    cleared: dict[str, int]
    #: The columns that would be sent.
    columns: tuple[str, ...]
    #: What the load would cost.
    estimate: Estimate

    @property
    def stops(self) -> bool:
        """Whether a strict load stops here."""
        return bool(self.findings)

    def summary(self) -> str:
        """Return one sentence."""
        errors = sum(found.severity is Severity.ERROR for found in self.findings)
        others = len(self.findings) - errors
        first = f" First: line {self.findings[0].lines[0]}: {self.findings[0].message}" if self.findings else ""
        return f"Preflight of {self.rows} rows: {errors} kinds of error, {others} of warning.{first}"

    def to_json(self) -> dict[str, Any]:
        """Return the report."""
        return {
            "rows": self.rows,
            "complete": self.complete,
            "findings": [found.to_json() for found in self.findings],
            "fields_to_be_cleared": dict(self.cleared),
            "columns": list(self.columns),
            "estimate": self.estimate.to_json(),
        }


def preflight_warning(report: Mapping[str, Any]) -> str:
    """Return a kept report as one warning of a receipt."""
    findings = report["findings"]
    kinds = ", ".join(f"{item['code']} {item['field']} ({item['count']})".replace("  ", " ") for item in findings[:5])
    more = f" and {len(findings) - 5} more" if len(findings) > 5 else ""
    where = "" if report["complete"] else f" in the first {report['rows']} rows"
    return f"Preflight expected trouble{where}: {kinds}{more}."
