"""Taking in a load: the input is checked, kept and recorded; a worker does the rest.

What is refused leaves nothing behind. What is accepted has its bytes synced in the file store and its row in the
database before the caller is told its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from orgbridge.client.errors import NotFound
from orgbridge.kit import traces
from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.json import dumps
from orgbridge.loads.grouping import group_place
from orgbridge.loads.header import check_header
from orgbridge.loads.inputs import CSVSource, InputFormat, detect_format, open_input
from orgbridge.loads.mapping import Mapping as FieldMapping
from orgbridge.loads.mapping import MappingSpec, compile_mapping
from orgbridge.loads.states import LoadState
from orgbridge.orgs.connections import Orgs
from orgbridge.services.errors import ColumnsRefused, InvalidRequest
from orgbridge.services.exports import export_options
from orgbridge.services.handling import read_handling
from orgbridge.services.names import check_object, check_operation, check_upsert_field
from orgbridge.services.policies.errors import ObjectMissing
from orgbridge.services.policies.guard import Guard
from orgbridge.services.queries import check_queried, check_soql
from orgbridge.services.scopes import Caller, Scope
from orgbridge.services.server_inputs import ServerInputs
from orgbridge.store.database import Database
from orgbridge.store.files import FileStore
from orgbridge.store.files.sources import Sources
from orgbridge.store.files.targets import Targets
from orgbridge.store.records import LoadKind, LoadRecord
from orgbridge.wire.bulk import IngestOperation, QueryOperation

#: First bytes by which a CSV is judged before the rest of it has arrived.
HEAD_BYTES = 256 * 1024
#: How gzip, zip (XLSX too), zstd and Parquet begin: of these the first bytes tell no header.
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"PAR1")
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeConfig:
    """What the intake may read and how loads are cut."""

    #: The only folder from which local files are taken.
    input_folder: Path
    #: The only places in object storage from which inputs are taken.
    sources: Sources = field(default_factory=Sources)
    #: Rows per part for loads that do not say; None leaves it to the worker.
    part_rows: int | None = None
    #: Where exports may be put besides the file store.
    targets: Targets = field(default_factory=Targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """What a caller wants done with an input."""

    #: API name of the object.
    object_name: str
    #: The operation's word, as the caller wrote it.
    operation: str
    #: The key of an upsert.
    external_id_field: str | None = None
    #: Name of the file, as the caller knows it.
    original_name: str = ""
    #: Media type, as the caller says.
    content_type: str | None = None
    #: Encoding, when it cannot be told from the bytes.
    encoding: str | None = None
    #: Delimiter, when it cannot be told from the header.
    delimiter: str | None = None
    #: Rows per part; None leaves it to the worker.
    part_rows: int | None = None
    #: How the load is carried out (`handling.HANDLING_OPTIONS`), as the caller wrote it.
    handling: Mapping[str, Any] = field(default_factory=dict)
    #: Sheet of a workbook; None takes the first.
    sheet: str | None = None
    #: Which column goes to which field, and how; None: columns bear the fields' names.
    mapping: MappingSpec | None = None
    #: Check everything before anything is sent, and send nothing on any finding.
    strict: bool = False
    #: Look at every row before anything is sent, and keep what was found with the load.
    preflight: bool = False
    #: Look at every row, tell what was found, and send nothing: for `PreflightService`, never for a load.
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A request whose words were checked, with the object's describe."""

    object_name: str
    operation: IngestOperation
    key: str | None
    describe: Mapping[str, Any]
    request: LoadRequest
    caller: Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A load that was taken in."""

    #: Our id of it.
    job_id: str
    #: True for a bulk query.
    is_query: bool
    #: What was kept and how it was read: bytes, sha256, format, encoding, delimiter, line_ending, has_bom, columns.
    input: dict[str, Any] = field(default_factory=dict)


class LoadService:
    """Takes in loads and bulk queries."""

    def __init__(
        self, database: Database, files: FileStore, orgs: Orgs, clock: Clock, config: IntakeConfig, org: str = "default"
    ) -> None:
        self._database = database
        self._files = files
        self._orgs = orgs
        self._clock = clock
        self._config = config
        self._org = org
        self._inputs = ServerInputs(config.input_folder, config.sources)
        self._guard = Guard(orgs, org)

    async def submit_stream(self, request: LoadRequest, chunks: AsyncIterator[bytes], caller: Caller) -> Accepted:
        """Keep a stream as the input of a load, and record the load.

        A plain CSV is judged by its first bytes, anything else once it has arrived.

        Raises:
            InvalidRequest: A word of the request is wrong; nothing was read.
            InputError: The input is empty, has no usable header or cannot be told; nothing was kept.
            ColumnsRefused: Columns do not fit the object and the operation; nothing was kept.
            ClientError: The object is unknown, or Salesforce could not be asked; nothing was read.
        """
        checked = await self.check(request, caller)
        head, rest = await _split_head(chunks)
        if early := _judged_early(head, request):
            await self.check_columns(checked, early)
        return await self._keep(checked, _joined(head, rest), caller)

    async def submit_records(
        self, request: LoadRequest, records: Sequence[Mapping[str, Any]], caller: Caller
    ) -> Accepted:
        """Keep records given in the request as the input of a load, and record the load.

        Raises:
            ScopeMissing: The caller may not submit loads, only records; nothing was kept.
            InvalidRequest: A word of the request is wrong, or there are no records; nothing was kept.
            InputError: A value has no form in a CSV; nothing was kept.
            ColumnsRefused: Columns do not fit the object and the operation; nothing was kept.
            ClientError: The object is unknown, or Salesforce could not be asked; nothing was kept.
        """
        if not records:
            raise InvalidRequest("records is empty.")
        caller.need(Scope.BULK_WRITE)
        payload = payload_request(request)
        checked = await self.check(payload, caller)
        return await self._keep(checked, payload_lines(records), caller)

    async def submit_local(self, request: LoadRequest, file_path: str, caller: Caller) -> Accepted:
        """Copy a file of the input folder, or an object of object storage, as the input of a load; record the load.

        Raises:
            PathRefused: The path leads outside of the input folder, also by a symlink; nothing was read.
            FileNotFound: There is no such file; nothing was read.
            SourceRefused: The address may not be read; nothing was connected.
            SourceMissing: There is no such object; nothing was kept.
            SourceForbidden: Object storage does not let the service read it; nothing was kept.
            SourceTooLarge: It is larger than what is taken; nothing was read.
            SourceChanged: It was replaced while it was read; nothing was kept.
            FilesUnavailable: Object storage cannot be reached; nothing was kept.
            InvalidRequest: A word of the request is wrong; nothing was read.
            InputError: The input is empty or has no usable header; nothing was kept.
            ColumnsRefused: Columns do not fit the object and the operation; nothing was kept.
            ClientError: The object is unknown, or Salesforce could not be asked; nothing was read.
        """
        async with self.open_local(file_path) as chunks:
            return await self.submit_stream(request, chunks, caller)

    async def submit_query(
        self,
        object_name: str,
        soql: str,
        operation: str,
        caller: Caller,
        *,
        output_format: str | None = None,
        target: str | None = None,
    ) -> Accepted:
        """Record a bulk query.

        Args:
            object_name: The object that the query reads.
            soql: The query.
            operation: query or queryAll.
            caller: Who asks.
            output_format: csv, ndjson or parquet; None is csv.
            target: Where a copy of the results is put besides the file store; None puts none.

        Raises:
            InvalidRequest: A word of the request is wrong; nothing was kept.
            FileTargetRefused: The target may not be written; nothing was kept.
            ClientError: The object is unknown, or Salesforce could not be asked; nothing was kept.
        """
        name, text = check_object(object_name), check_soql(soql)
        chosen = next((known for known in QueryOperation if known.value.lower() == operation.lower()), None)
        if chosen is None:
            raise InvalidRequest("The operation must be query or queryAll.")
        check_queried(name, text)
        options = export_options(self._config.targets, output_format=output_format, target=target)
        describe = await self._describe(name, caller)
        deleted = chosen is QueryOperation.QUERY_ALL
        allowed = await self._guard.query(caller, text, include_deleted=deleted, export=True)
        now = self._clock.now()
        record = LoadRecord(
            id=new_identifier("load", now),
            kind=LoadKind.QUERY,
            object_name=str(describe.get("name") or name),
            operation=chosen.value,
            soql=allowed.text,
            state=LoadState.QUEUED,
            options={
                **options,
                **({"asked_soql": text} if allowed.text != text else {}),
                **traces.remembered(),
            },
            created_by=caller.username,
            created_at=now,
            org=self._org,
        )
        async with self._database.unit() as unit:
            await unit.loads.add(record)
        return Accepted(job_id=record.id, is_query=True)

    def open_local(self, file_path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a file of the input folder, or an object of object storage. Raises what `ServerInputs.open` raises."""
        return self._inputs.open(file_path)

    async def check(self, request: LoadRequest, caller: Caller) -> Checked:
        """Return the request with its words checked, with what its caller may know of the object.

        Raises:
            InvalidRequest: A word of the request is wrong, or the object is unknown.
            PolicyError: The caller may not make such a load.
            ClientError: Salesforce could not be asked.
        """
        name, operation = check_object(request.object_name), check_operation(request.operation)
        key = check_upsert_field(operation, request.external_id_field)
        request = replace(request, handling=read_handling(request.handling, operation.value))
        describe = await self._describe(name, caller)
        await self._guard.load(caller, operation, name)
        return Checked(
            object_name=str(describe.get("name") or name),
            operation=operation,
            key=key,
            describe=describe,
            request=request,
            caller=caller,
        )

    async def _describe(self, name: str, caller: Caller) -> Mapping[str, Any]:
        try:
            return await self._guard.describe(caller, name, scope=Scope.BULK_WRITE)
        except (NotFound, ObjectMissing) as error:
            told = error.sf_message if isinstance(error, NotFound) else error.message
            raise InvalidRequest(
                f"The org has no object {name}, or its user may not see it.",
                details=[{"field": "object_name", "code": "load.unknown_object", "message": told}],
            ) from error

    async def _keep(self, checked: Checked, chunks: AsyncIterator[bytes], caller: Caller) -> Accepted:
        now = self._clock.now()
        load_id = new_identifier("load", now)
        key = f"loads/{load_id}/input"
        kept = False
        try:
            stored = await self._files.write(key, chunks)
            source = await asyncio.to_thread(self.open_stored, key, checked.request)
            mapping = await self.check_columns(checked, source)
            hidden = await self.hidden_parents(checked, mapping.header if mapping else source.header)
            record = replace(
                self._record(load_id, checked, source, caller, mapping, hidden),
                input_key=key,
                input_bytes=stored.bytes,
                input_sha256=stored.sha256,
            )
            async with self._database.unit() as unit:
                await unit.loads.add(record)
            kept = True
        finally:
            if not kept:
                await self._files.delete(f"loads/{load_id}")
        kept_input = {"bytes": stored.bytes, "sha256": stored.sha256, **record.options["detected"]}
        return Accepted(job_id=load_id, is_query=False, input=kept_input)

    def _record(
        self,
        load_id: str,
        checked: Checked,
        source: CSVSource,
        caller: Caller,
        mapping: FieldMapping | None,
        hidden: Sequence[str],
    ) -> LoadRecord:
        request = checked.request
        options = {
            "original_name": request.original_name,
            "content_type": request.content_type,
            "encoding": request.encoding,
            "delimiter": request.delimiter,
            "part_rows": request.part_rows or self._config.part_rows,
            **request.handling,
            "sheet": request.sheet,
            "mapping": request.mapping.to_json() if request.mapping is not None else None,
            # What was checked is what is sent: the worker does not read the mapping anew.
            "compiled": mapping.to_json() if mapping is not None else None,
            "hidden_parents": list(hidden) or None,
            "strict": request.strict or None,
            "preflight": request.preflight or None,
            **traces.remembered(),
            "detected": {
                "format": source.format.value,
                "encoding": source.dialect.encoding,
                "delimiter": source.dialect.delimiter,
                "line_ending": source.dialect.line_ending.value,
                "has_bom": source.dialect.has_bom,
                "columns": list(source.header),
            },
        }
        return LoadRecord(
            id=load_id,
            kind=LoadKind.INGEST,
            object_name=checked.object_name,
            operation=checked.operation.value,
            external_id_field=checked.key,
            state=LoadState.QUEUED,
            options={name: value for name, value in options.items() if value not in (None, "")},
            created_by=caller.username,
            created_at=self._clock.now(),
            org=self._org,
        )

    def open_stored(self, key: str, request: LoadRequest) -> CSVSource:
        """Open an input that was kept. Blocks.

        Raises:
            InputError: It cannot be loaded.
        """

        def open_file() -> BinaryIO:
            return self._files.open_file(key)

        return open_input(
            lambda: self._files.open_blocks(key),
            name=request.original_name,
            content_type=request.content_type,
            encoding=request.encoding,
            delimiter=request.delimiter,
            sheet=request.sheet,
            open_file=open_file,
        )

    async def check_columns(self, checked: Checked, source: CSVSource) -> FieldMapping | None:
        """Return what is sent of an input (`mapping_of`), once it fits the object, the operation and the caller.

        Raises:
            BadMapping: The mapping does not fit the input or the object.
            ColumnsRefused: Columns do not fit.
            InvalidRequest: The column that rows are to be grouped by is not there.
            PolicyError: The caller may not write one of the fields that columns, constants or parents go to.
        """
        group_by = checked.request.handling.get("group_by")
        if group_by is not None and group_place(source.header, group_by) is None:
            raise InvalidRequest(
                f"The input has no column {group_by!r} to group by.",
                details=[{"field": "group_by", "code": "option.unknown_column", "message": "no such column"}],
            )
        mapping = mapping_of(checked, source)
        header = source.header if mapping is None else mapping.header
        faults = check_header(
            header,
            operation=checked.operation,
            external_id_field=checked.key,
            describe=checked.describe,
        )
        if faults:
            more = f" ({len(faults)} columns are refused)" if len(faults) > 1 else ""
            raise ColumnsRefused(f"{faults[0]['message']}{more}", details=faults)
        await self.check_fields(checked, header)
        return mapping

    async def check_fields(self, checked: Checked, header: Sequence[str]) -> None:
        """See that the caller may write what is sent.

        Args:
            checked: The request.
            header: Names of the columns as they are sent, once they are mapped.

        Raises:
            PolicyError: One of them may not be written, or is not there for the caller.
        """
        await self._guard.columns(checked.caller, checked.operation, checked.object_name, header, key=checked.key)

    async def hidden_parents(self, checked: Checked, header: Sequence[str]) -> list[str]:
        """Return objects whose rows a preflight must not look up for the caller, of those that ids in columns name.

        Parents given by another field need no look: `check_fields` refuses those that the caller may not look up.
        """
        given = {name.casefold() for name in header}
        targets = {
            str(target)
            for field in checked.describe.get("fields", [])
            if field.get("type") == "reference" and str(field["name"]).casefold() in given
            for target in field.get("referenceTo") or ()
        }
        return [name for name in sorted(targets) if not await self._guard.may_look_up(checked.caller, name, "Id")]


def mapping_of(checked: Checked, source: CSVSource) -> FieldMapping | None:
    """Return what is sent of an input instead of its own columns; None when they are sent as they are.

    Raises:
        BadMapping: The mapping does not fit the input or the object.
    """
    spec = checked.request.mapping
    if spec is None and not source.format.is_typed:
        return None
    return compile_mapping(spec or MappingSpec(), source.header, checked.describe, typed=source.format.is_typed)


def payload_request(request: LoadRequest) -> LoadRequest:
    """Return a request for records that stand in the request itself."""
    return replace(request, original_name="payload.ndjson", content_type="application/x-ndjson")


async def payload_lines(records: Sequence[Mapping[str, Any]]) -> AsyncIterator[bytes]:
    """Yield records as NDJSON."""
    for start in range(0, len(records), 500):
        yield b"".join(dumps(record) + b"\n" for record in records[start : start + 500])


async def _split_head(chunks: AsyncIterator[bytes]) -> tuple[list[bytes], AsyncIterator[bytes]]:
    head: list[bytes] = []
    size = 0
    async for chunk in chunks:
        head.append(chunk)
        size += len(chunk)
        if size >= HEAD_BYTES:
            break
    return head, chunks


async def _joined(head: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in head:
        yield chunk
    head.clear()
    async for chunk in rest:
        yield chunk


def _judged_early(head: list[bytes], request: LoadRequest) -> CSVSource | None:
    """Return the source that the first bytes of a long plain CSV promise, None when they cannot tell."""
    data = b"".join(head)
    if len(data) < HEAD_BYTES or data.startswith((*_PACKED, *_WIDE_MARKS)) or b"\0" in data[:64]:
        return None
    if detect_format(request.original_name, request.content_type, data) is not InputFormat.CSV:
        return None
    end = data.rfind(b"\n")

    def blocks() -> Iterator[bytes]:
        return iter([data[: end + 1] if end >= 0 else data])

    return open_input(
        blocks,
        name=request.original_name,
        content_type=request.content_type,
        encoding=request.encoding,
        delimiter=request.delimiter,
    )
