"""Addresses below a row: related rows, bytes, a user's password.

`/sobjects/Contact/003…/Account` has the form of `/sobjects/Contact/External_Id__c/value`; a row id where a field would
stand tells them apart.

Source: facts/salesforce/rest.md section 3. Assumed: that related rows without `fields` show all their fields, and all
texts.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.http.resources import blobs, passwords, queries, records
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import ChildRelationship, Field, SObject
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.ids import is_id, to_18


async def retrieve(call: Call) -> Response:
    """Answer GET /sobjects/{sobject}/{field}/{value} and GET /sobjects/{sobject}/{id}/{what is below}."""
    if not _is_below_a_row(call):
        return await records.retrieve_by_key(call)
    sobject, record_id, name = _row(call)
    field = sobject.field(name)
    if field is not None and field.type is FieldType.BASE64:
        return await blobs.retrieve(call, sobject, record_id, field)
    if _is_password(sobject, name):
        return await passwords.show(call, record_id)
    relation = sobject.child_relationship(name)
    if relation is not None and sobject.relationship(name) is None:
        return await _children(call, sobject, record_id, relation)
    parent, parent_id = await _parent(call, sobject, record_id, name)
    return await records.show(call, parent, parent_id)


async def change(call: Call) -> Response:
    """Answer PATCH of the same addresses: an upsert, or a change of the parent row."""
    if not _is_below_a_row(call):
        return await records.upsert(call)
    parent, parent_id = await _single(call, "PATCH")
    row = await call.json_object()
    await records.change(call, parent, parent_id, row)
    return Response(status_code=204)


async def remove(call: Call) -> Response:
    """Answer DELETE of the same addresses: of the row with that key, or of the parent row."""
    if not _is_below_a_row(call):
        return await records.delete_by_key(call)
    sobject, record_id, name = _row(call)
    if _is_password(sobject, name):
        return await passwords.reset(call, record_id)
    parent, parent_id = await _single(call, "DELETE")
    await records.remove(call, parent, parent_id)
    return Response(status_code=204)


async def post(call: Call) -> Response:
    """Answer POST of the same addresses, which only a user's password takes.

    Raises:
        SFError: It is another address, or the password is refused.
    """
    if _is_below_a_row(call):
        sobject, record_id, name = _row(call)
        if _is_password(sobject, name):
            return await passwords.change(call, record_id)
    raise SFError("METHOD_NOT_ALLOWED", "HTTP Method 'POST' not allowed. Allowed are DELETE,GET,HEAD,PATCH")


def _is_below_a_row(call: Call) -> bool:
    name = call.args["field"]
    return is_id(name) and call.parts.org.sobject(call.args["sobject"]).field(name) is None


def _row(call: Call) -> tuple[SObject, str, str]:
    sobject = call.parts.org.sobject(call.args["sobject"], user_id=call.user_id)
    return sobject, to_18(call.args["field"]) or call.args["field"], call.args["value"]


def _is_password(sobject: SObject, name: str) -> bool:
    return sobject.name == "User" and name.lower() == "password"


async def _single(call: Call, method: str) -> tuple[str, str]:
    sobject, record_id, name = _row(call)
    if _is_password(sobject, name):
        raise SFError("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are DELETE,GET,HEAD,POST")
    if sobject.child_relationship(name) is not None and sobject.relationship(name) is None:
        raise SFError("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are GET,HEAD")
    return await _parent(call, sobject, record_id, name)


async def _parent(call: Call, sobject: SObject, record_id: str, name: str) -> tuple[str, str]:
    """Return object and id of the row that a relationship of a row leads to.

    Raises:
        SFError: 404: there is no such row or relationship, or it is empty.
    """
    org = call.parts.org
    reference: Field | None = sobject.relationship(name)
    if reference is None:
        raise not_found()
    user_id = call.user_id
    row = await call.thread(lambda: org.get(sobject.name, record_id, [reference.name], user_id=user_id))
    found = row[reference.name]
    target = org.view(user_id).by_prefix(found) if found else None
    if found is None or target is None:
        raise not_found()
    return target.name, str(found)


async def _children(call: Call, sobject: SObject, record_id: str, relation: ChildRelationship) -> Response:
    """Return the child rows in the form of a query's result."""
    org = call.parts.org
    child = org.sobject(relation.child, user_id=call.user_id)
    await call.thread(lambda: org.require(sobject.name, record_id))
    text = call.query("fields")
    given = [field.name for field in child.fields] if text is None else text.split(",")
    names = [name.strip() for name in given if name.strip()]
    for name in names:
        if child.field(name) is None:
            raise SFError("INVALID_FIELD", f"No such column '{name}' on sobject of type {child.name}")
    soql = f"SELECT {','.join(names)} FROM {child.name} WHERE {relation.field} = '{record_id}'"  # noqa: S608 SOQL of checked names
    return await queries.answer(call, soql, include_deleted=False)
