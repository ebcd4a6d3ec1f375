"""A small file that the service fetches itself, sent by sObject Collections and answered at once."""

from __future__ import annotations

import asyncio
import io
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from orgbridge.loads.header import check_header
from orgbridge.loads.inputs import CSVSource, open_input
from orgbridge.loads.splitter import split_records
from orgbridge.services.batches import AUTO_COLLECTION_RECORDS, BatchOutcome, BatchService
from orgbridge.services.errors import ColumnsRefused, InvalidRequest
from orgbridge.services.loads import LoadRequest
from orgbridge.services.names import check_operation, check_upsert_field
from orgbridge.services.records import RecordService
from orgbridge.services.scopes import Caller, Scope
from orgbridge.services.server_inputs import ServerInputs
from orgbridge.services.streams import csv_rows
from orgbridge.wire.bulk import NULL_CELL
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType
from orgbridge.wire.limits import INGEST_BATCH_RECORDS, INGEST_JOB_BYTES

#: Bytes of a file that is answered at once; it is held in memory.
_FILE_BYTES = 8 * 1024 * 1024
_INTEGER, _DECIMAL = (
    re.compile(r"[+-]?[0-9]{1,18}"),
    re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"),
)
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


class LocalBatchService:
    """Batches from files of the input folder."""

    def __init__(self, batches: BatchService, records: RecordService, inputs: ServerInputs) -> None:
        self._batches = batches
        self._records = records
        self._inputs = inputs

    async def run(self, request: LoadRequest, file_path: str, *, caller: Caller) -> BatchOutcome:
        """Send a file's records, 200 a call, and return what became of each in the order of the file.

        Args:
            request: Object, operation, key, and how the file is read.
            file_path: Relative to the input folder, absolute inside of it, or an address in object storage.
            caller: Who asks; writes what their policy allows.

        Raises:
            PathRefused: The path leads outside of the input folder; nothing was read.
            FileNotFound: There is no such file; nothing was read.
            StoreError: The object may not be read, is not there, or cannot be had; nothing was sent.
            InvalidRequest: The file is too large to be answered at once; nothing was sent.
            InputError: The file is empty, has no usable header or faulty records; nothing was sent.
            ColumnsRefused: Columns do not fit the object and the operation; nothing was sent.
            ClientError: Salesforce could not be asked, or every call failed in the same way.
        """
        if request.mapping is not None or request.strict or request.preflight:
            raise InvalidRequest("Mappings and preflight are for loads: set use_bulk_api to true.")
        if request.handling:
            raise InvalidRequest(f"{next(iter(request.handling))} is for loads: set use_bulk_api to true.")
        operation = check_operation(request.operation)
        key = check_upsert_field(operation, request.external_id_field)
        describe = await self._records.describe(request.object_name, caller=caller, scope=Scope.RECORDS_WRITE)
        source = await asyncio.to_thread(self._open, request, file_path)
        faults = check_header(source.header, operation=operation, external_id_field=key, describe=describe)
        if faults:
            raise ColumnsRefused(str(faults[0]["message"]), details=faults)
        records = await asyncio.to_thread(_records, source, describe)
        return await self._batches.run(
            request.object_name, request.operation, records, caller=caller, external_id_field=key
        )

    def _open(self, request: LoadRequest, file_path: str) -> CSVSource:
        data = self._inputs.first_bytes(file_path, _FILE_BYTES + 1)
        if len(data) > _FILE_BYTES:
            raise InvalidRequest(f"The file has more than {_FILE_BYTES} bytes: set use_bulk_api to true.")

        def blocks() -> Iterator[bytes]:
            return iter([data])

        return open_input(
            blocks,
            name=request.original_name,
            content_type=request.content_type,
            encoding=request.encoding,
            delimiter=request.delimiter,
            sheet=request.sheet,
            open_file=lambda: io.BytesIO(data),
        )


def _records(source: CSVSource, describe: Mapping[str, Any]) -> list[dict[str, Any]]:
    types = {str(field["name"]).lower(): str(field.get("type", "")) for field in describe.get("fields", [])}
    # The splitter's checks are those of a load: the same file is refused in the same words either way.
    events = split_records(
        source.records(),
        source.dialect,
        header_record=source.header_record,
        columns=len(source.header),
        max_rows=INGEST_BATCH_RECORDS,
        max_bytes=INGEST_JOB_BYTES,
        first_line=source.first_line,
        first_offset=source.first_offset,
        line_count=source.line_count,
    )
    blocks = [event for event in events if isinstance(event, bytes)]
    records = []
    for number, row in enumerate(csv_rows(iter(blocks), source.dialect.delimiter), start=1):
        if number > AUTO_COLLECTION_RECORDS:
            raise InvalidRequest(f"The file has more than {AUTO_COLLECTION_RECORDS} records: set use_bulk_api to true.")
        records.append(_record(source.header, row, types))
    return records


def _record(header: tuple[str, ...], row: list[str], types: Mapping[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for column, cell in zip(header, row, strict=True):
        if cell == "":
            continue
        relation, _, field = column.rpartition(".")
        value = None if cell == NULL_CELL else _typed(cell, "" if relation else types.get(column.lower(), ""))
        if relation:
            record.setdefault(relation, {})[field] = value
        else:
            record[column] = value
    return record


def _typed(cell: str, kind: str) -> Any:
    """Return the cell as JSON has it; a cell that is not of its type stays text, for Salesforce to refuse."""
    if kind == FieldType.BOOLEAN:
        word = cell.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else cell
    # Python reads more as a number than Salesforce does: `1_000`, and `nan`, which JSON could only send as null.
    if kind == FieldType.INT and _INTEGER.fullmatch(cell):
        return int(cell)
    if kind in DECIMAL_TYPES and _DECIMAL.fullmatch(cell):
        number = float(cell)
        return number if math.isfinite(number) else cell
    return cell
