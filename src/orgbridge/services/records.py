"""One record at a time: create, read, update, upsert, delete; and what the org says about its objects.

Every call comes through `_salesforce`, which counts it to its caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orgbridge.client.errors import ClientError, SalesforceError
from orgbridge.client.salesforce import Salesforce
from orgbridge.client.verdicts import outcome_unknown
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.uses import call_for
from orgbridge.services.errors import InvalidRequest, OutcomeUnknown
from orgbridge.services.names import check_field, check_fields, check_id, check_object
from orgbridge.services.policies.guard import Guard
from orgbridge.services.scopes import Caller, Scope
from orgbridge.services.typehelp import describe_for_help, help_for
from orgbridge.wire.bulk import IngestOperation

#: Keys that name a record and are not fields to be written.
_IDENTITY_KEYS = frozenset({"id", "attributes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcome:
    """What a record call did."""

    #: The record's id; None only where Salesforce gave none.
    record_id: str | None
    #: Field values for a read; None otherwise.
    data: dict[str, Any] | None = None
    #: For an upsert: True when the record is new.
    created: bool | None = None


class RecordService:
    """Record calls to one org."""

    def __init__(self, orgs: Orgs, org: str = "default") -> None:
        self._orgs = orgs
        self._org = org
        self._guard = Guard(orgs, org)

    async def create(self, object_name: str, data: Mapping[str, Any], *, caller: Caller) -> RecordOutcome:
        """Create one record.

        Raises:
            InvalidRequest: A name is malformed or there is no field to write; nothing was sent.
            OutcomeUnknown: The reply was lost or told of a failure inside Salesforce; the record may exist.
            PolicyError: The caller may not; nothing was sent.
            ClientError: Salesforce refused, or could not be reached; no record was created.
        """
        sobject, fields = check_object(object_name), _writable(data)
        if not fields:
            raise InvalidRequest("data has no field to write.")
        salesforce = self._salesforce(caller)
        await self._guard.write(caller, IngestOperation.INSERT, sobject, [fields])
        try:
            return RecordOutcome(record_id=await salesforce.records.create(sobject, fields))
        except ClientError as error:
            if outcome_unknown(error):
                raise OutcomeUnknown(error) from error
            await self._explain(error, sobject, fields, caller)
            raise

    async def retrieve(
        self,
        object_name: str,
        record_id: str,
        *,
        caller: Caller,
        fields: str | None = None,
        external_id_field: str | None = None,
    ) -> RecordOutcome:
        """Read one record.

        Args:
            object_name: API name.
            record_id: Id of 15 or 18 characters, or the external id's value when `external_id_field` is given.
            caller: Who asks; sees what their policy shows.
            fields: Comma-separated names; None reads all.
            external_id_field: The external id to look by.

        Raises:
            InvalidRequest: A name or the id is malformed; nothing was sent.
            PolicyError: The caller may not see the record or a field.
            ClientError: Salesforce has no such record, or could not be reached.
        """
        sobject, names = check_object(object_name), check_fields(fields)
        key = check_field(external_id_field) if external_id_field else None
        value = record_id if key else check_id(record_id)
        salesforce = self._salesforce(caller)
        data = await self._guard.retrieve(caller, sobject, value, fields=names, key=key)
        if data is None:
            data = await salesforce.records.retrieve(sobject, value, fields=names, external_id_field=key)
        found = data.get("Id")
        return RecordOutcome(record_id=str(found) if found else (None if external_id_field else record_id), data=data)

    async def update(
        self, object_name: str, record_id: str, data: Mapping[str, Any], *, caller: Caller
    ) -> RecordOutcome:
        """Set fields of one record; safe to repeat.

        Raises:
            InvalidRequest: A name or the id is malformed, or there is no field to write; nothing was sent.
            PolicyError: The caller may not; nothing was written.
            ClientError: Salesforce refused, or could not be reached.
        """
        sobject, identifier, fields = check_object(object_name), check_id(record_id), _writable(data)
        if not fields:
            raise InvalidRequest("data has no field to write.")
        salesforce = self._salesforce(caller)
        await self._guard.write(caller, IngestOperation.UPDATE, sobject, [{"Id": identifier, **fields}])
        try:
            await salesforce.records.update(sobject, identifier, fields)
        except ClientError as error:
            await self._explain(error, sobject, fields, caller)
            raise
        return RecordOutcome(record_id=identifier)

    async def upsert(
        self, object_name: str, external_id_field: str, value: str, data: Mapping[str, Any], *, caller: Caller
    ) -> RecordOutcome:
        """Create the record with this external id, or update it when it exists; safe to repeat.

        Args:
            object_name: API name.
            external_id_field: The external id field.
            value: The external id's value.
            data: Fields to write; the external id itself may be among them and is then left out.
            caller: Who asks; writes what their policy allows.

        Raises:
            InvalidRequest: A name is malformed or the value is empty; nothing was sent.
            PolicyError: The caller may not; nothing was written.
            ClientError: Salesforce refused, or could not be reached.
        """
        sobject, key = check_object(object_name), check_field(external_id_field)
        if not value:
            raise InvalidRequest("record_id must hold the external id's value.")
        fields = {name: item for name, item in _writable(data).items() if name.lower() != key.lower()}
        salesforce = self._salesforce(caller)
        await self._guard.write(caller, IngestOperation.UPSERT, sobject, [{**fields, key: value}], key=key)
        try:
            done = await salesforce.records.upsert(sobject, key, value, fields)
        except ClientError as error:
            await self._explain(error, sobject, fields, caller)
            raise
        return RecordOutcome(record_id=done.id, created=done.created)

    async def delete(
        self, object_name: str, record_id: str, *, caller: Caller, external_id_field: str | None = None
    ) -> RecordOutcome:
        """Put one record into the recycle bin.

        Args:
            object_name: API name.
            record_id: Id of 15 or 18 characters, or the external id's value when `external_id_field` is given.
            caller: Who asks.
            external_id_field: The external id to look by.

        Raises:
            InvalidRequest: A name or the id is malformed; nothing was sent.
            PolicyError: The caller may not; nothing was deleted.
            ClientError: Salesforce refused, or could not be reached.
        """
        sobject = check_object(object_name)
        key = check_field(external_id_field) if external_id_field else None
        value = record_id if key else check_id(record_id)
        records = self._salesforce(caller).records
        if key is not None:
            identifier = await self._guard.deletable(caller, sobject, key, value)
            if identifier is None:
                await records.delete(sobject, value, external_id_field=key)
                return RecordOutcome(record_id=None)
            value = identifier
        else:
            await self._guard.write(caller, IngestOperation.DELETE, sobject, [{"Id": value}])
        await records.delete(sobject, value)
        return RecordOutcome(record_id=value)

    async def describe(self, object_name: str, *, caller: Caller, scope: Scope = Scope.RECORDS_READ) -> dict[str, Any]:
        """Return Salesforce's describe of an object, from the cache when it has not changed.

        Args:
            object_name: API name.
            caller: Who asks; sees what their policy shows.
            scope: What it is asked for: roles that grant it count.

        Raises:
            InvalidRequest: The name is malformed; nothing was sent.
            ClientError: There is no such object, or Salesforce could not be reached.
        """
        call_for(caller.username)
        return await self._guard.describe(caller, check_object(object_name), scope=scope)

    async def objects(self, *, caller: Caller) -> dict[str, Any]:
        """Return Salesforce's list of all objects, from the cache when it has not changed.

        Raises:
            ClientError: Salesforce could not be reached.
        """
        return self._guard.objects(caller, await self._salesforce(caller).describe.global_())

    async def _explain(self, error: ClientError, sobject: str, data: Mapping[str, Any], caller: Caller) -> None:
        """Add to a refusal what the describe, as the caller may see it, says about the fields that it is about."""
        if isinstance(error, SalesforceError):
            whole = await describe_for_help(self._orgs.get(self._org).salesforce, sobject, error.faults)
            describe = self._guard.shown(caller, sobject, whole)
            for item in help_for(error.faults, describe, data):
                error.add_note(item.message)
                error.details.append(item.to_json())

    def _salesforce(self, caller: Caller) -> Salesforce:
        call_for(caller.username)
        return self._orgs.get(self._org).salesforce


def _writable(data: Mapping[str, Any]) -> dict[str, Any]:
    for name in data:
        if name.lower() not in _IDENTITY_KEYS:
            check_field(name, "A field name in data")
    return {name: value for name, value in data.items() if name.lower() not in _IDENTITY_KEYS}
