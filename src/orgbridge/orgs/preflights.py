"""A preflight against a live org: the input is scanned in a thread, parents are looked up in bulk, the cost is told."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from orgbridge.client import Salesforce
from orgbridge.client.errors import ClientError
from orgbridge.loads.findings import Severity
from orgbridge.loads.inputs import CSVSource
from orgbridge.loads.mapping import Mapping as FieldMapping
from orgbridge.loads.plan import plan_parts
from orgbridge.loads.preflight import Estimate, ParentColumn, PreflightReport, Scan, Scanner
from orgbridge.soql.quoting import quote
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.ids import to_18

_NAME = re.compile(r"[A-Za-z]\w*")
#: Characters of a SOQL text: what fits a URL of 16,384 bytes however it is escaped.
_SOQL_CHARS = 4_000
#: Values of one lookup, at most.
_VALUES = 200
#: Calls of one part: create, upload, close, three results, and looks at the job.
_CALLS_A_PART = 10


class InThread(Protocol):
    """Runs blocking work in a thread."""

    def __call__(self, work: Callable[[], Scan], /) -> Awaitable[Scan]:
        """Return what the work returns."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What is to be looked at."""

    #: The input.
    source: CSVSource
    #: What is sent of it.
    mapping: FieldMapping | None
    #: Describe of the object.
    describe: Mapping[str, Any]
    #: What the load does.
    operation: IngestOperation
    #: The key of an upsert.
    external_id_field: str | None = None
    #: Rows per part; None leaves it to the plan.
    part_rows: int | None = None
    #: Rows after which to stop, without a call to Salesforce; None: look at all, and ask for parents and limits.
    most_rows: int | None = None
    #: Objects whose rows must not be looked up by their ids: whether one is there is not for the caller to know.
    hidden: frozenset[str] = frozenset()


async def run_preflight(asked: Preflight, salesforce: Salesforce, in_thread: InThread) -> PreflightReport:
    """Look at an input and return what would go wrong, and what it would cost. Sends no row.

    What Salesforce cannot be asked (parents without the right to see them, limits) becomes a warning, not an error.

    Args:
        asked: What is to be looked at.
        salesforce: The org.
        in_thread: Runs the scan, which blocks.
    """
    scanner = Scanner(
        asked.source,
        asked.mapping,
        asked.describe,
        asked.operation,
        asked.external_id_field,
        tempfile.TemporaryFile,
        asked.most_rows,
    )
    scan = await in_thread(scanner.run)
    for column in scan.parents if asked.most_rows is None else ():
        await _look_up(column, scan, salesforce, asked.hidden)
    columns = asked.mapping.header if asked.mapping is not None else asked.source.header
    return PreflightReport(
        rows=scan.rows,
        complete=scan.complete,
        findings=tuple(scan.findings.all()),
        cleared=scan.cleared,
        columns=columns,
        estimate=await _estimate(scan, salesforce if asked.most_rows is None else None, asked.part_rows),
    )


async def _look_up(column: ParentColumn, scan: Scan, salesforce: Salesforce, hidden: frozenset[str]) -> None:
    if not all(_NAME.fullmatch(name) for name in (column.key, *column.objects)):
        return
    if column.key == "Id" and not hidden.isdisjoint(column.objects):
        message = f"Parents of {column.name} were not looked up: not all of them may be seen."
        scan.findings.add("PARENTS_NOT_CHECKED", column.name, message, 1, severity=Severity.WARNING)
        return
    missing = set(column.values)
    for name in column.objects:
        if not missing:
            break
        try:
            for batch in _batches(sorted(missing), column.key):
                missing -= await _existing(name, column.key, batch, salesforce)
        except ClientError as error:
            message = f"Parents of {column.name} could not be looked up in {name}: {error.message}"
            scan.findings.add("PARENTS_NOT_CHECKED", column.name, message, 1, severity=Severity.WARNING)
            return
    for value in sorted(missing, key=lambda value: column.values[value][1]):
        count, *lines = column.values[value]
        objects = " or ".join(column.objects)
        message = f"There is no {objects} whose {column.key} is {value[:80]!r}."
        code = "INVALID_CROSS_REFERENCE_KEY" if column.key == "Id" else "INVALID_FIELD"
        scan.findings.add(code, column.name, message, lines[0], count=count)
    if column.unchecked:
        message = f"{column.name} names too many parents: those of {column.unchecked} rows were not looked up."
        scan.findings.add("PARENTS_NOT_CHECKED", column.name, message, 1, severity=Severity.WARNING)


def _batches(values: list[str], key: str) -> Iterator[list[str]]:
    batch: list[str] = []
    size = len(key)
    for value in values:
        grows = len(quote(value)) * 3 + 1
        if batch and (len(batch) >= _VALUES or size + grows > _SOQL_CHARS * 3):
            yield batch
            batch, size = [], len(key)
        batch.append(value)
        size += grows
    if batch:
        yield batch


async def _existing(name: str, key: str, values: list[str], salesforce: Salesforce) -> set[str]:
    """Return which of the values are keys of records."""
    soql = f"SELECT {key} FROM {name} WHERE {key} IN ({', '.join(quote(value) for value in values)})"  # noqa: S608
    folded: dict[str, list[str]] = {}
    for value in values:
        folded.setdefault(_folded(value, key), []).append(value)
    found: set[str] = set()
    async for record in salesforce.query.records(soql):
        found.update(folded.get(_folded(str(record.get(key)), key), []))
    return found


def _folded(value: str, key: str) -> str:
    return (to_18(value) or value) if key == "Id" else value.casefold()


async def _estimate(scan: Scan, salesforce: Salesforce | None, part_rows: int | None) -> Estimate:
    plan = plan_parts(input_bytes=scan.bytes, record_bytes=scan.bytes / max(1, scan.rows), part_rows=part_rows)
    parts = -(-scan.rows // plan.max_rows) if scan.rows else 0
    left = whole = None
    try:
        if salesforce is not None:
            daily = (await salesforce.limits.get()).get("DailyApiRequests") or {}
            left, whole = daily.get("Remaining"), daily.get("Max")
    except ClientError:
        # Not everybody may see the limits; the estimate then stands without them.
        pass
    return Estimate(
        rows=scan.rows,
        parts=max(parts, plan.estimated_parts if scan.rows else 0),
        api_calls=parts * _CALLS_A_PART + 2,
        calls_left=left,
        calls_a_day=whole,
    )
