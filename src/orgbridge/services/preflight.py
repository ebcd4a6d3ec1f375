"""A dry run: an input is looked at as a load would be, every row of it, and nothing is sent or kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import new_identifier
from orgbridge.loads.errors import DuplicateHeader
from orgbridge.loads.findings import Findings
from orgbridge.loads.preflight import Estimate, PreflightReport
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.preflights import Preflight, run_preflight
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.loads import (
    LoadRequest,
    LoadService,
    mapping_of,
    payload_lines,
    payload_request,
)
from orgbridge.services.scopes import Caller, Scope
from orgbridge.store.files import FileStore, StoredFile

#: Inputs that are looked at at the same time: bounds memory.
_AT_ONCE = 2


class PreflightService:
    """Looks at inputs."""

    def __init__(self, loads: LoadService, files: FileStore, orgs: Orgs, clock: Clock, org: str = "default") -> None:
        self._loads = loads
        self._files = files
        self._orgs = orgs
        self._clock = clock
        self._org = org
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def stream(self, request: LoadRequest, chunks: AsyncIterator[bytes], caller: Caller) -> dict[str, Any]:
        """Look at a stream as the input of a load.

        Returns:
            The report: `rows`, `complete`, `findings` with `code severity field line message count lines`,
            `fields_to_be_cleared`, `columns`, `estimate`, `detected`.

        Raises:
            ScopeMissing: The caller may not load.
            InvalidRequest: A word of the request is wrong.
            PolicyError: The caller may not make such a load, or write one of its fields.
            InputError: The input is empty or cannot be told, or the mapping does not fit.
            ClientError: The object is unknown, or Salesforce could not be asked.
        """
        caller.need(Scope.BULK_WRITE)
        checked = await self._loads.check(request, caller)
        key = f"loads/{new_identifier('preflight', self._clock.now())}"
        async with self._turns:
            try:
                stored = await self._files.write(f"{key}/input", chunks)
                try:
                    source = await asyncio.to_thread(self._loads.open_stored, f"{key}/input", request)
                except DuplicateHeader as error:
                    return _unread(error, stored)
                mapping = mapping_of(checked, source)
                header = source.header if mapping is None else mapping.header
                await self._loads.check_fields(checked, header)
                report = await run_preflight(
                    Preflight(
                        source=source,
                        mapping=mapping,
                        hidden=frozenset(await self._loads.hidden_parents(checked, header)),
                        describe=checked.describe,
                        operation=checked.operation,
                        external_id_field=checked.key,
                        part_rows=request.part_rows,
                    ),
                    self._orgs.get(self._org).salesforce,
                    asyncio.to_thread,
                )
            finally:
                await self._files.delete(key)
        detected = {
            "format": source.format.value,
            "encoding": source.dialect.encoding,
            "delimiter": source.dialect.delimiter,
            "line_ending": source.dialect.line_ending.value,
            "has_bom": source.dialect.has_bom,
            "bytes": stored.bytes,
            "sha256": stored.sha256,
        }
        return {**report.to_json(), "summary": report.summary(), "detected": detected}

    async def local(self, request: LoadRequest, file_path: str, caller: Caller) -> dict[str, Any]:
        """Look at a file of the input folder or an object. Returns and raises what `stream` does, and for the path:

        Raises:
            PathRefused: The path leads outside of the input folder, also by a symlink.
            FileNotFound: There is no such file.
            StoreError: The object may not be read, is not there, or cannot be had.
        """
        async with self._loads.open_local(file_path) as chunks:
            return await self.stream(request, chunks, caller)

    async def records(
        self, request: LoadRequest, records: Sequence[Mapping[str, Any]], caller: Caller
    ) -> dict[str, Any]:
        """Look at records given in the request. Returns and raises what `stream` does."""
        if not records:
            raise InvalidRequest("records is empty.")
        return await self.stream(payload_request(request), payload_lines(records), caller)


def _unread(error: DuplicateHeader, stored: StoredFile) -> dict[str, Any]:
    """Return the report of an input whose columns have no names of their own, so that no row could be looked at."""
    findings = Findings()
    for item in error.details:
        findings.add(item["code"], item["field"], item["message"], item["line"])
    nothing = Estimate(rows=0, parts=0, api_calls=0, calls_left=None, calls_a_day=None)
    found = tuple(findings.all())
    report = PreflightReport(rows=0, complete=False, findings=found, cleared={}, columns=(), estimate=nothing)
    detected = {"bytes": stored.bytes, "sha256": stored.sha256}
    return {**report.to_json(), "summary": report.summary(), "detected": detected}
