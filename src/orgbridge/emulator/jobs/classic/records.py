"""What is sent with an ingest batch - CSV, JSON or XML - as records that the org can save.

Source: facts/salesforce/bulk1.md. Texts of faults that it does not quote are Assumed; so is that one bad name fails the
whole batch in JSON and XML as it is known to do in CSV.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from orgbridge.emulator.jobs.classic.faults import BatchFault
from orgbridge.emulator.jobs.classic.rows import ClassicJob, ClassicOperation, ContentType
from orgbridge.emulator.jobs.uploads import UploadFault, UploadReader
from orgbridge.emulator.org.batches import table_of
from orgbridge.emulator.org.columns import resolve
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSONDecodeError, loads
from orgbridge.wire.bulk import ColumnDelimiter, IngestOperation, LineEnding

#: Records of a batch at most. Source: bulk1.md, limits.
BATCH_RECORDS = 10_000
_DELETES = (ClassicOperation.DELETE, ClassicOperation.HARD_DELETE)
_XSI_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_NOT_FOUND = "InvalidBatch : Records not found"


@dataclass(frozen=True, slots=True)
class CellRecords:
    """Records of a CSV batch."""

    #: Names of the columns.
    header: list[str]
    #: Cells of each record.
    rows: list[list[str]]

    def __len__(self) -> int:
        return len(self.rows)

    def save(
        self, org: Org, connection: Connection, job: ClassicJob, positions: Sequence[int] | None, writer: str
    ) -> list[SaveOutcome]:
        """Do the job's operation with the records at these positions (None: all) in an open write transaction.

        `writer` is the batch, whose locks keep batches that run side by side away from its parents.
        """
        rows = self.rows if positions is None else [self.rows[p] for p in positions]
        return org.dml_cells(
            connection,
            job.object,
            IngestOperation(job.operation.value),
            self.header,
            rows,
            external_id_field=job.external_id_field,
            user_id=job.created_by,
            writer=writer,
        )


@dataclass(frozen=True, slots=True)
class ObjectRecords:
    """Records of a JSON or XML batch."""

    #: One mapping per record.
    records: list[Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.records)

    def save(
        self, org: Org, connection: Connection, job: ClassicJob, positions: Sequence[int] | None, writer: str
    ) -> list[SaveOutcome]:
        """Do the job's operation with the records at these positions (None: all) in an open write transaction.

        `writer` is the batch, whose locks keep batches that run side by side away from its parents.
        """
        records = self.records if positions is None else [self.records[p] for p in positions]
        user_id = job.created_by
        match job.operation:
            case ClassicOperation.INSERT:
                return org.insert_in(connection, job.object, records, user_id=user_id, writer=writer)
            case ClassicOperation.UPDATE:
                return org.update_in(connection, job.object, records, user_id=user_id, writer=writer)
            case ClassicOperation.UPSERT:
                key = job.external_id_field or "Id"
                return org.upsert_in(connection, job.object, key, records, user_id=user_id, writer=writer)
            case ClassicOperation.DELETE | ClassicOperation.HARD_DELETE:
                hard = job.operation is ClassicOperation.HARD_DELETE
                ids = [_id_of(record) for record in records]
                return org.delete_in(connection, ids, user_id=user_id, hard=hard, sobject=job.object)
            case ClassicOperation.QUERY | ClassicOperation.QUERY_ALL:
                raise BatchFault(f"InvalidBatch : {job.operation} has no records to save")


def read_records(org: Org, job: ClassicJob, body: bytes) -> CellRecords | ObjectRecords:
    """Return the records of a batch.

    Raises:
        BatchFault: The batch cannot be read, is empty or too long, or names a field that is not there.
    """
    found: CellRecords | ObjectRecords
    match job.content_type:
        case ContentType.CSV:
            found = _read_csv(org, job, body)
        case ContentType.JSON:
            found = ObjectRecords(_read_json(body))
        case ContentType.XML:
            found = ObjectRecords(_read_xml(body))
    if not len(found):
        raise BatchFault(_NOT_FOUND)
    if len(found) > BATCH_RECORDS:
        raise BatchFault(f"InvalidBatch : The batch has more than {BATCH_RECORDS} records")
    if isinstance(found, ObjectRecords):
        _check_names(org, job, found.records)
    return found


def _read_csv(org: Org, job: ClassicJob, body: bytes) -> CellRecords:
    reader = UploadReader(io.BytesIO(body), ColumnDelimiter.COMMA, LineEnding(job.line_ending))
    try:
        header = reader.header()
        operation = IngestOperation(job.operation.value)
        org.check_header(job.object, operation, header, job.external_id_field, user_id=job.created_by)
        rows = reader.batch(BATCH_RECORDS + 1, len(body) + 1)
    except UploadFault as fault:
        raise BatchFault(str(fault)) from fault
    except SFError as error:
        # Bulk 2.0 says `InvalidBatch : InvalidBatch : …` where Bulk 1.0 says it once. Source: bulk2.md section 5.
        raise BatchFault(error.message) from error
    except csv.Error as error:
        raise BatchFault(f"InvalidBatch : Failed to parse CSV. {error}") from error
    finally:
        reader.close()
    return CellRecords(header, rows)


def _read_json(body: bytes) -> list[Mapping[str, Any]]:
    try:
        value = loads(body)
    except JSONDecodeError as error:
        raise BatchFault(f"InvalidBatch : Failed to parse JSON. {error}") from error
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        raise BatchFault("InvalidBatch : Failed to parse JSON. A list of objects is expected")
    return value


def _read_xml(body: bytes) -> list[Mapping[str, Any]]:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise BatchFault("InvalidBatch : Failed to parse XML. DOCTYPE is not allowed")
    try:
        # No document type gets here, so no entity can be expanded.
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BatchFault(f"InvalidBatch : Failed to parse XML. {error}") from error
    if _local(root) != "sObjects":
        raise BatchFault(f"InvalidBatch : Failed to parse XML. sObjects is expected, not {_local(root)}")
    return [_xml_record(element) for element in root]


def _xml_record(element: ElementTree.Element) -> dict[str, Any]:
    if _local(element) != "sObject":
        raise BatchFault(f"InvalidBatch : Failed to parse XML. sObject is expected, not {_local(element)}")
    record: dict[str, Any] = {}
    for child in element:
        name = _local(child)
        if name in record:
            raise BatchFault(f"InvalidBatch : Duplicate field name found : {name}")
        if child.get(_XSI_NIL) in ("true", "1"):
            record[name] = None
        elif len(child):
            record[name] = _xml_parent(child[0])
        elif name != "type":
            record[name] = child.text or ""
    return record


def _xml_parent(element: ElementTree.Element) -> dict[str, Any]:
    """Return a related record as JSON has it: its object goes to `attributes`."""
    kind = next((child.text for child in element if _local(child) == "type"), None)
    values = {_local(child): child.text or "" for child in element if _local(child) != "type"}
    return {"attributes": {"type": kind}, **values} if kind else dict(values)


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _check_names(org: Org, job: ClassicJob, records: Sequence[Mapping[str, Any]]) -> None:
    seen = org.view(job.created_by)
    sobject = org.sobject(job.object, user_id=job.created_by)
    for name in table_of(records)[0]:
        deleting = job.operation in _DELETES and name.lower() != "id"
        if deleting or resolve(seen, sobject, name, strict=False) is None:
            raise BatchFault(f"InvalidBatch : Field name not found : {name}")


def _id_of(record: Mapping[str, Any]) -> str:
    value = next((value for name, value in record.items() if name.lower() == "id"), "")
    return value if isinstance(value, str) else str(value)
