"""One record at a time: create, read, update, upsert, delete; and what the org says about its objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orgbridge.client.errors import ClientError, outcome_unknown
from orgbridge.client.salesforce import Salesforce
from orgbridge.orgs.connections import Orgs
from orgbridge.services.errors import InvalidRequest, OutcomeUnknown
from orgbridge.services.names import check_field, check_fields, check_id, check_object
from orgbridge.services.policies.guard import Guard
from orgbridge.services.scopes import Caller
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
        await self._guard.write(caller, IngestOperation.INSERT, sobject, [fields])
        try:
            return RecordOutcome(record_id=await self._salesforce().records.create(sobject, fields))
        except ClientError as error:
            if outcome_unknown(error):
                raise OutcomeUnknown(error) from error
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
        data = await self._guard.retrieve(caller, sobject, value, fields=names, key=key)
        if data is not None:
            pass
        elif key:
            data = await self._salesforce().records.retrieve(sobject, record_id, fields=names, external_id_field=key)
        else:
            data = await self._salesforce().records.retrieve(sobject, value, fields=names)
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
        await self._guard.write(caller, IngestOperation.UPDATE, sobject, [{"Id": identifier, **fields}])
        await self._salesforce().records.update(sobject, identifier, fields)
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
        await self._guard.write(caller, IngestOperation.UPSERT, sobject, [{**fields, key: value}], key=key)
        done = await self._salesforce().records.upsert(sobject, key, value, fields)
        return RecordOutcome(record_id=done.id, created=done.created)

    async def delete(self, object_name: str, record_id: str, *, caller: Caller) -> RecordOutcome:
        """Put one record into the recycle bin.

        Raises:
            InvalidRequest: A name or the id is malformed; nothing was sent.
            PolicyError: The caller may not; nothing was written.
            ClientError: Salesforce refused, or could not be reached.
        """
        sobject, identifier = check_object(object_name), check_id(record_id)
        await self._guard.write(caller, IngestOperation.DELETE, sobject, [{"Id": identifier}])
        await self._salesforce().records.delete(sobject, identifier)
        return RecordOutcome(record_id=identifier)

    async def describe(self, object_name: str, *, caller: Caller) -> dict[str, Any]:
        """Return Salesforce's describe of an object, from the cache when it has not changed.

        Raises:
            InvalidRequest: The name is malformed; nothing was sent.
            ClientError: There is no such object, or Salesforce could not be reached.
        """
        return await self._guard.describe(caller, check_object(object_name))

    async def objects(self, *, caller: Caller) -> dict[str, Any]:
        """Return Salesforce's list of all objects, from the cache when it has not changed.

        Raises:
            ClientError: Salesforce could not be reached.
        """
        return self._guard.objects(caller, await self._salesforce().describe.global_())

    async def limits(self) -> dict[str, Any]:
        """Return the org's limits as Salesforce gives them.

        Raises:
            ClientError: Salesforce could not be reached.
        """
        return await self._salesforce().limits.get()

    def calls(self) -> int:
        """Return how many HTTP requests this process has made to Salesforce."""
        return self._salesforce().calls

    def _salesforce(self) -> Salesforce:
        return self._orgs.get(self._org).salesforce


def _writable(data: Mapping[str, Any]) -> dict[str, Any]:
    for name in data:
        if name.lower() not in _IDENTITY_KEYS:
            check_field(name, "A field name in data")
    return {name: value for name, value in data.items() if name.lower() not in _IDENTITY_KEYS}
