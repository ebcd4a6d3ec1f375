"""A list of records in one call: sObject Collections in parallel, results in the order of the input.

A record whose outcome is not known (the reply was lost) is told as such and never sent a second time. Records that met
a lock are, alone, and with fewer calls at once each time: nothing was written of them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orgbridge.client.errors import ClientError, RowLocked, SalesforceError, SalesforceFault
from orgbridge.client.replies import SaveResult
from orgbridge.client.salesforce import Salesforce
from orgbridge.client.verdicts import outcome_unknown
from orgbridge.kit.clock import Clock
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.errors import CallWithheld
from orgbridge.orgs.uses import call_for
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.names import check_id, check_object, check_operation, check_upsert_field
from orgbridge.services.policies.guard import Guard
from orgbridge.services.scopes import Caller
from orgbridge.services.typehelp import describe_for_help, help_for
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.limits import COLLECTION_RECORDS

#: Above this many records `auto` takes the Bulk API. Source: facts/pains.md 32.
AUTO_COLLECTION_RECORDS = 2_000
#: Code of a row about which Salesforce said nothing, because the connection broke or it failed inside.
OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
_LOCKED = "UNABLE_TO_LOCK_ROW"
_WRAPPED = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
#: Pauses before rows that met a lock are sent again, in seconds; each is lengthened by up to half.
_LOCK_PAUSES = (0.5, 1.0, 2.0)
#: Collections calls at once for one batch, so that one caller does not take the whole org.
_CALLS_AT_ONCE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """What a batch did, one result per record in the order of the input."""

    #: Results; the list is as long as the input.
    results: list[SaveResult]
    #: What a refused field wanted, by the record's number from 0; only of records that can be explained.
    hints: Mapping[int, str] = field(default_factory=dict)

    @property
    def succeeded(self) -> int:
        """Records saved."""
        return sum(result.success for result in self.results)

    @property
    def failed(self) -> int:
        """Records not saved, or of unknown outcome."""
        return len(self.results) - self.succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What one collections call is to do."""

    sobject: str
    operation: IngestOperation
    key: str | None
    all_or_none: bool


class BatchWay(StrEnum):
    """How a batch goes to Salesforce."""

    #: As sObject Collections of 200 records, answered at once.
    COLLECTIONS = "collections"
    #: As a load by the Bulk API.
    BULK = "bulk"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRoute:
    """The way that was chosen, and why."""

    #: The way.
    way: BatchWay
    #: One sentence for the caller.
    reason: str


def batch_route(asked: bool | str, count: int, *, operation: str = "insert", all_or_none: bool = False) -> BatchRoute:
    """Choose how a batch goes: as asked, or for `auto` by its size and what it needs.

    Raises:
        InvalidRequest: All or nothing is asked of a load, which cannot promise it; nothing was sent.
    """
    bulk, reason = bool(asked), "use_bulk_api was set to " + ("true." if asked else "false.")
    if asked == "auto":
        needs_bulk = operation.strip().lower() == IngestOperation.HARD_DELETE.value.lower()
        bulk = needs_bulk or count > AUTO_COLLECTION_RECORDS
        if needs_bulk:
            reason = "hardDelete exists in the Bulk API only."
        elif bulk:
            reason = f"{count} records: above {AUTO_COLLECTION_RECORDS} the Bulk API takes fewer calls."
        else:
            calls = -(-count // COLLECTION_RECORDS)
            reason = f"{count} records: up to {AUTO_COLLECTION_RECORDS} go at once, here in {calls} calls."
    if bulk and all_or_none:
        raise InvalidRequest("A load saves what can be saved: for all_or_none set use_bulk_api to false.")
    return BatchRoute(way=BatchWay.BULK if bulk else BatchWay.COLLECTIONS, reason=reason)


class BatchService:
    """Batches over sObject Collections."""

    def __init__(self, orgs: Orgs, clock: Clock, org: str = "default") -> None:
        self._orgs = orgs
        self._clock = clock
        self._org = org
        self._random = random.Random()
        self._guard = Guard(orgs, org)

    async def run(
        self,
        object_name: str,
        operation_type: str,
        records: Sequence[Mapping[str, Any]],
        *,
        caller: Caller,
        external_id_field: str | None = None,
        all_or_none: bool = False,
    ) -> BatchOutcome:
        """Send the records, 200 a call, and return what became of each.

        Args:
            object_name: API name.
            operation_type: create, insert, update, upsert or delete.
            records: One mapping per record, keys are field API names. A relationship is a mapping by external id
                (`"Account": {"External_Id__c": "A-1"}`), or a name with a dot (`"Account.External_Id__c": "A-1"`).
            caller: Who asks; writes what their policy allows, all records or none.
            external_id_field: The key of an upsert.
            all_or_none: Save all or nothing; Salesforce promises it for one call only, so for 200 records.

        Raises:
            InvalidRequest: The request cannot be carried out; nothing was sent.
            PolicyError: The caller may not write one of the records; nothing was sent.
            ClientError: Every call failed in the same way and nothing was saved.
            CallWithheld: No call was made: the caller's share is spent, or no turn came; nothing was sent.
        """
        operation = check_operation(operation_type)
        call = _Call(
            sobject=check_object(object_name),
            operation=operation,
            key=check_upsert_field(operation, external_id_field),
            all_or_none=all_or_none,
        )
        if operation is IngestOperation.HARD_DELETE:
            raise InvalidRequest("hardDelete needs the Bulk API: set use_bulk_api to true.")
        if not records:
            raise InvalidRequest("records is empty.")
        if all_or_none and len(records) > COLLECTION_RECORDS:
            raise InvalidRequest(
                f"all_or_none holds for at most {COLLECTION_RECORDS} records: Salesforce promises it for one call only."
            )
        ready = [_prepared(record, operation, number) for number, record in enumerate(records)]
        call_for(caller.username)
        await self._guard.write(caller, operation, call.sobject, ready, key=call.key)
        results = await self._send(call, ready)
        results = await self._send_locked_again(call, ready, results)
        return BatchOutcome(results=results, hints=await self._hints(call.sobject, ready, results, caller))

    async def _send(
        self, call: _Call, records: list[dict[str, Any]], at_once: int = _CALLS_AT_ONCE
    ) -> list[SaveResult]:
        chunks = [records[start : start + COLLECTION_RECORDS] for start in range(0, len(records), COLLECTION_RECORDS)]
        gate = asyncio.Semaphore(at_once)

        async def one(chunk: list[dict[str, Any]]) -> list[SaveResult] | ClientError | CallWithheld:
            async with gate:
                try:
                    return await self._call(call, chunk)
                except RowLocked as error:
                    # The call as a whole met a lock: nothing of it was written, and its rows go again like others.
                    return _told(error, call, len(chunk))
                except (ClientError, CallWithheld) as error:
                    return error

        replies = await asyncio.gather(*(one(chunk) for chunk in chunks))
        errors = [reply for reply in replies if isinstance(reply, ClientError | CallWithheld)]
        if len(errors) == len(replies) and not any(_is_unknown(error, call) for error in errors):
            raise errors[0]
        results: list[SaveResult] = []
        for chunk, reply in zip(chunks, replies, strict=True):
            failed = isinstance(reply, ClientError | CallWithheld)
            results.extend(_told(reply, call, len(chunk)) if failed else reply)  # type: ignore[arg-type] # as `failed` says
        return results

    async def _call(self, call: _Call, chunk: list[dict[str, Any]]) -> list[SaveResult]:
        collections = self._salesforce().collections
        match call.operation:
            case IngestOperation.INSERT:
                return await collections.create(call.sobject, chunk, all_or_none=call.all_or_none)
            case IngestOperation.UPDATE:
                return await collections.update(call.sobject, chunk, all_or_none=call.all_or_none)
            case IngestOperation.UPSERT:
                assert call.key is not None, "checked by check_upsert_field"
                return await collections.upsert(call.sobject, call.key, chunk, all_or_none=call.all_or_none)
            case IngestOperation.DELETE | IngestOperation.HARD_DELETE:
                ids = [str(record["Id"]) for record in chunk]
                return await collections.delete(ids, all_or_none=call.all_or_none)

    async def _send_locked_again(
        self, call: _Call, records: list[dict[str, Any]], results: list[SaveResult]
    ) -> list[SaveResult]:
        at_once = _CALLS_AT_ONCE
        for pause in _LOCK_PAUSES:
            locked = [number for number, result in enumerate(results) if _is_locked(result)]
            if not locked:
                break
            if call.all_or_none:
                # One lock undid the whole call: all of it goes again.
                locked = list(range(len(results)))
            at_once = max(1, at_once // 2)
            await self._clock.sleep(pause * (1 + self._random.random() / 2))
            try:
                again = await self._send(call, [records[number] for number in locked], at_once)
            except (ClientError, CallWithheld):
                # What Salesforce said of these rows before still holds: they were locked and nothing was written.
                break
            for number, result in zip(locked, again, strict=True):
                results[number] = result
        return results

    async def _hints(
        self, sobject: str, records: list[dict[str, Any]], results: list[SaveResult], caller: Caller
    ) -> dict[int, str]:
        faults = [fault for result in results for fault in result.errors]
        whole = await describe_for_help(self._salesforce(), sobject, faults) if faults else {}
        describe = self._guard.shown(caller, sobject, whole)
        hints = {}
        for number, result in enumerate(results):
            if result.errors and describe and (said := help_for(result.errors, describe, records[number])):
                hints[number] = " ".join(item.message for item in said)
        return hints

    def _salesforce(self) -> Salesforce:
        return self._orgs.get(self._org).salesforce


def _prepared(record: Mapping[str, Any], operation: IngestOperation, number: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in record.items():
        relation, _, key = name.rpartition(".")
        if relation:
            related = fields.setdefault(relation, {})
            if not isinstance(related, dict):
                place = {"row": number + 1, "field": name, "message": f"{relation} has a value too"}
                raise InvalidRequest(f"Record {number + 1} has both {relation} and {name}.", details=[place])
            related[key] = value
        elif name.lower() not in ("id", "attributes"):
            if name in fields:
                place = {"row": number + 1, "field": name, "message": "given twice"}
                raise InvalidRequest(f"Record {number + 1} gives {name} twice.", details=[place])
            # Its own copy: a dotted name may add to it.
            fields[name] = dict(value) if isinstance(value, dict) else value
    identifier = next((value for name, value in record.items() if name.lower() == "id"), None)
    if operation is IngestOperation.INSERT:
        if identifier:
            raise InvalidRequest("A record to be created has an Id.", details=[{"row": number + 1, "field": "Id"}])
        return fields
    if operation is IngestOperation.UPSERT:
        return fields if identifier is None else {"Id": identifier, **fields}
    if not identifier:
        raise InvalidRequest(f"Record {number + 1} has no Id.", details=[{"row": number + 1, "field": "Id"}])
    try:
        full = check_id(str(identifier))
    except InvalidRequest:
        place = {"row": number + 1, "field": "Id", "message": "not an id of 15 or 18 characters"}
        raise InvalidRequest(f"Record {number + 1} has an Id that is none.", details=[place]) from None
    return {"Id": full} if operation is IngestOperation.DELETE else {"Id": full, **fields}


def _is_locked(result: SaveResult) -> bool:
    # A trigger's text may wrap a lock error in another code; nothing was written then either.
    return not result.success and any(
        fault.error_code == _LOCKED or (fault.error_code == _WRAPPED and _LOCKED in fault.message)
        for fault in result.errors
    )


def _is_unknown(error: ClientError | CallWithheld, call: _Call) -> bool:
    """Tell whether records may have been saved although the call failed.

    Updates and upserts by external id were repeated until their outcome was known, or can be by the caller.
    """
    if isinstance(error, CallWithheld) or not outcome_unknown(error):
        return False
    match call.operation:
        case IngestOperation.INSERT | IngestOperation.DELETE | IngestOperation.HARD_DELETE:
            return True
        case IngestOperation.UPSERT:
            # By Id, a record without one is created.
            return call.key is not None and call.key.lower() == "id"
        case IngestOperation.UPDATE:
            return False


def _told(error: ClientError | CallWithheld, call: _Call, count: int) -> list[SaveResult]:
    if _is_unknown(error, call):
        message = f"Look whether the record exists before sending it again: {error.message}"
        fault = SalesforceFault(error_code=OUTCOME_UNKNOWN, message=message)
    elif isinstance(error, SalesforceError) and error.faults:
        fault = error.faults[0]
    else:
        fault = SalesforceFault(error_code=error.code, message=error.message)
    return [SaveResult(id=None, success=False, errors=(fault,))] * count
