"""Records one by one: create, retrieve, update, upsert by external id, delete.

Source: facts/salesforce/rest.md section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orgbridge.client.errors import DuplicateValue, MalformedReply, NotFound
from orgbridge.client.replies import UpsertResult, parse_object
from orgbridge.client.transport.exchange import Reply, Transport
from orgbridge.client.transport.requests import Request, Resend, json_request, segment, with_params
from orgbridge.kit.json import JSON


class Records:
    """Single records of any object. Names of objects and fields are API names; values are JSON."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self, sobject: str, fields: Mapping[str, JSON], *, headers: Mapping[str, str] | None = None
    ) -> str:
        """Create a record and return its id. Never sent twice unless nothing of the first sending got out.

        Args:
            sobject: API name of the object.
            fields: Values by field.
            headers: Further headers, e.g. `Sforce-Duplicate-Rule-Header`.

        Raises:
            ConnectionFailed: With `sent` true the record may exist.
            SalesforceError: Nothing was created.
        """
        request = json_request("POST", self._path(sobject), dict(fields), headers=headers)
        return _id_of((await self._transport.send(request)).body)

    async def retrieve(
        self,
        sobject: str,
        record_id: str,
        fields: Sequence[str] | None = None,
        external_id_field: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return a record with its `attributes`.

        Args:
            sobject: API name of the object.
            record_id: The record's id; with `external_id_field` that field's value.
            fields: Fields to read, all readable ones when None.
            external_id_field: Look the record up by this field.
            headers: Further headers.

        Raises:
            NotFound: There is no such record or object.
            AmbiguousKey: Several records carry the external id.
            InvalidRequest: A field does not exist.
        """
        path = self._path(sobject, *([external_id_field] if external_id_field else []), record_id)
        target = with_params(path, {"fields": ",".join(fields)} if fields else None)
        request = Request(method="GET", target=target, headers=headers or {}, resend=Resend.ALWAYS)
        return parse_object((await self._transport.send(request)).body, "a retrieve")

    async def update(
        self,
        sobject: str,
        record_id: str,
        fields: Mapping[str, JSON],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Set fields of a record; None clears one, fields not named stay.

        Raises:
            NotFound: There is no such record.
            InvalidRequest: A value was refused; nothing was changed.
        """
        path = self._path(sobject, record_id)
        await self._transport.send(json_request("PATCH", path, dict(fields), headers=headers, resend=Resend.ALWAYS))

    async def upsert(
        self,
        sobject: str,
        external_id_field: str,
        value: str,
        fields: Mapping[str, JSON],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> UpsertResult:
        """Create the record with this external id, or update it. Safe to repeat, and repeated when a reply was lost.

        Args:
            sobject: API name of the object.
            external_id_field: An external-id or idLookup field.
            value: Its value; may hold any character.
            fields: Values by field, without the key itself.
            headers: Further headers.

        Raises:
            AmbiguousKey: Several records carry the value; nothing was changed.
            InvalidRequest: A value was refused; nothing was changed.
        """
        path = self._path(sobject, external_id_field, value)
        request = json_request("PATCH", path, dict(fields), headers=headers, resend=Resend.ALWAYS)
        try:
            reply = await self._transport.send(request)
        except DuplicateValue as error:
            # Two upserts of one new key can race; the loser hears of a duplicate and finds the record the next time.
            if external_id_field.lower() not in error.sf_message.lower():
                raise
            reply = await self._transport.send(request)
        return await self._upserted(reply, sobject, external_id_field, value)

    async def delete(
        self,
        sobject: str,
        record_id: str,
        external_id_field: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Put a record into the recycle bin.

        A "not found" after a try whose reply was lost means that the lost try did it, and is a success.

        Raises:
            NotFound: There is no such record.
            InvalidRequest: Salesforce refused, e.g. because other records depend on it.
        """
        path = self._path(sobject, *([external_id_field] if external_id_field else []), record_id)
        request = Request(method="DELETE", target=path, headers=headers or {}, resend=Resend.ALWAYS)
        try:
            await self._transport.send(request)
        except NotFound as error:
            if not error.repeated:
                raise

    def _path(self, *parts: str) -> str:
        return self._transport.path("/".join(("sobjects", *map(segment, parts))))

    async def _upserted(self, reply: Reply, sobject: str, field: str, value: str) -> UpsertResult:
        if reply.status == 204:
            # Up to v45 an update answers without a body.
            record = await self.retrieve(sobject, value, ["Id"], field)
            return UpsertResult(id=str(record["Id"]), created=False, repeated=reply.repeated)
        created = parse_object(reply.body, "an upsert").get("created", reply.status == 201)
        return UpsertResult(id=_id_of(reply.body), created=created is True, repeated=reply.repeated)


def _id_of(body: bytes) -> str:
    value = parse_object(body, "a save")
    if value.get("success") is not True or not value.get("id"):
        raise MalformedReply("Salesforce's reply to a save has no id or no success.")
    return str(value["id"])
