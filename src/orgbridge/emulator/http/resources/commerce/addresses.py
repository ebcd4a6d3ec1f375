"""Addresses of a buyer's account: rows of ContactPointAddress below it.

Source: facts/commerce/catalog.md section 6. Assumed: one default per type, the former one steps back; an address that
is not this account's is told as missing; changing needs no name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from orgbridge.emulator.commerce import versions
from orgbridge.emulator.commerce.contexts import BuyerContext, buyer_context
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce import bodies, paging
from orgbridge.emulator.http.resources.commerce.buyers import WS, flag, need_version, words
from orgbridge.emulator.http.resources.commerce.rowsaving import delete_rows, insert_row, update_row
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18

_ADDRESS: Shape = {
    "addressId": 54,
    "addressType": 54,
    "city": 54,
    "companyName": 57,
    "country": 54,
    "countryCode": (54, 58),
    "fields": 54,
    "firstName": 57,
    "isDefault": 54,
    "lastName": 57,
    "middleName": 57,
    "name": 54,
    "phoneNumber": 57,
    "postalCode": 54,
    "region": 54,
    "regionCode": (54, 58),
    "street": 54,
}
_COLLECTION: Shape = {
    "count": 54,
    "currentPageToken": 54,
    "currentPageUrl": 54,
    "items": 54,
    "nextPageToken": 54,
    "nextPageUrl": 54,
    "pageSize": 54,
    "previousPageToken": 54,
    "previousPageUrl": 54,
    "sortOrder": 54,
}
#: Properties of the body with the columns they stand for.
_COLUMNS = {
    "addressType": "AddressType",
    "city": "City",
    "companyName": "CompanyName",
    "country": "Country",
    "firstName": "AddressFirstName",
    "isDefault": "IsDefault",
    "lastName": "AddressLastName",
    "middleName": "AddressMiddleName",
    "name": "Name",
    "phoneNumber": "PhoneNumber",
    "postalCode": "PostalCode",
    "region": "State",
    "street": "Street",
}
_INPUT: Mapping[str, type] = {
    **dict.fromkeys(_COLUMNS, str),
    "isDefault": bool,
    "commerceAddressFieldInputList": list,
    "countryCode": str,
    "regionCode": str,
}
_TYPES = ("Shipping", "Billing")
_ORDERS = {
    "CreatedDateAsc": "CreatedDate, Id",
    "CreatedDateDesc": "CreatedDate DESC, Id DESC",
    "NameAsc": "Name, Id",
    "NameDesc": "Name DESC, Id DESC",
}
_SELECT = f'SELECT Id, {", ".join(_COLUMNS.values())} FROM "ContactPointAddress" WHERE IsDeleted = 0 AND ParentId = ?'  # noqa: S608


def _buyer(call: Call, connection: Connection) -> BuyerContext:
    """Return the buyer of the account that the path names."""
    return buyer_context(
        connection,
        call.parts.commerce.policy,
        store_id=call.args["webstore"],
        user_id=call.user_id,
        effective_account_id=call.args["account"],
    )


async def show_all(call: Call) -> Response:
    """Answer GET accounts/{account}/addresses."""
    need_version(call, 54)
    policy = call.parts.commerce.policy
    kinds, order = words(call, "addressType"), call.query("sortOrder") or "CreatedDateDesc"
    if any(kind not in _TYPES for kind in kinds):
        raise policy.bad_input.error(f"The value of the addressType parameter isn't valid: {', '.join(kinds)}")
    if order not in _ORDERS:
        raise policy.bad_input.error(f"The value of the sortOrder parameter isn't valid: {order}")
    page, wanted = paging.page_of(call, default=25, most=100), call.query("addressId")
    supported = flag(call, "excludeUnsupportedCountries")

    def work() -> dict[str, JSON]:
        with call.parts.storage.read() as connection:
            buyer = _buyer(call, connection)
            rows = connection.execute(f"{_SELECT} ORDER BY {_ORDERS[order]}", (buyer.account_id,)).fetchall()
        found = [dict(zip(("Id", *_COLUMNS), row, strict=True)) for row in rows]
        found = [one for one in found if not kinds or one["addressType"] in kinds]
        if flag(call, "defaultOnly"):
            found = [one for one in found if one["isDefault"]]
        if wanted:
            found = [one for one in found if one["Id"] == to_18(wanted)]
        if supported and buyer.store.country:
            found = [one for one in found if one["country"] == buyer.store.country]
        shown = page.cut(found)
        values: dict[str, JSON] = {
            "count": len(shown),
            "items": [_shown(one, call.version) for one in shown],
            "pageSize": page.size,
            "sortOrder": order,
        }
        return versions.body(_COLLECTION, call.version, values | page.links(len(found)))

    return call.json(await call.thread(work))


def _shown(row: Mapping[str, Any], version: int) -> dict[str, JSON]:
    values: dict[str, JSON] = {name: row[name] for name in _COLUMNS}
    values |= {
        "addressId": row["Id"],
        "isDefault": bool(row["isDefault"]),
        "countryCode": row["country"],
        "regionCode": row["region"],
        "fields": {},
    }
    return versions.body(_ADDRESS, version, values)


def _one(connection: Connection, account_id: str, address_id: str) -> dict[str, Any] | None:
    row = connection.execute(f"{_SELECT} AND Id = ?", (account_id, to_18(address_id) or "")).fetchone()
    return None if row is None else dict(zip(("Id", *_COLUMNS), row, strict=True))


def _columns(call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that a body gives; codes of countries and regions go before their names."""
    policy = call.parts.commerce.policy
    if given.get("addressType", _TYPES[0]) not in _TYPES:
        raise policy.bad_input.error(f"The address type {given['addressType']} isn't valid.")
    row = {_COLUMNS[name]: value for name, value in given.items() if name in _COLUMNS}
    if call.version <= 58:
        row |= {column: given[name] for name, column in _CODES.items() if given.get(name)}
    return row


_CODES = {"countryCode": "Country", "regionCode": "State"}


def _step_back(call: Call, connection: Connection, account_id: str, kept: str) -> None:
    """Let the other addresses of the same type be no default any more, if this one is."""
    here = _one(connection, account_id, kept)
    if here is None or not here["isDefault"]:
        return
    others: Sequence[tuple[str]] = connection.execute(
        'SELECT Id FROM "ContactPointAddress" WHERE ParentId = ? AND AddressType IS ? AND IsDefault = 1 AND Id <> ?'
        " AND IsDeleted = 0",
        (account_id, here["addressType"], kept),
    ).fetchall()
    for (other,) in others:
        update_row(call, connection, "ContactPointAddress", {"Id": other, "IsDefault": False})


async def create(call: Call) -> Response:
    """Answer POST accounts/{account}/addresses."""
    need_version(call, 54)
    given = await bodies.read_body(call, _INPUT)
    row = _columns(call, given)
    if not str(given.get("name", "")).strip():
        raise call.parts.commerce.policy.bad_input.error("You must specify a value for the name parameter.")

    def work() -> dict[str, JSON]:
        with call.parts.storage.write() as connection:
            buyer = _buyer(call, connection)
            full = {"AddressType": _TYPES[0], **row, "ParentId": buyer.account_id}
            made = insert_row(call, connection, "ContactPointAddress", full)
            _step_back(call, connection, buyer.account_id, made)
            return _shown(_one(connection, buyer.account_id, made) or {}, call.version)

    return call.json(await call.thread(work), 201)


async def change(call: Call) -> Response:
    """Answer PATCH accounts/{account}/addresses/{address}."""
    need_version(call, 54)
    row = _columns(call, await bodies.read_body(call, _INPUT))

    def work() -> dict[str, JSON]:
        with call.parts.storage.write() as connection:
            buyer = _buyer(call, connection)
            found = _find(call, connection, buyer)
            if row:
                update_row(call, connection, "ContactPointAddress", {"Id": found, **row})
            _step_back(call, connection, buyer.account_id, found)
            return _shown(_one(connection, buyer.account_id, found) or {}, call.version)

    return call.json(await call.thread(work))


async def delete(call: Call) -> Response:
    """Answer DELETE accounts/{account}/addresses/{address}."""
    need_version(call, 54)

    def work() -> None:
        with call.parts.storage.write() as connection:
            found = _find(call, connection, _buyer(call, connection))
            delete_rows(call, connection, "ContactPointAddress", [found])

    await call.thread(work)
    return Response(status_code=204)


def _find(call: Call, connection: Connection, buyer: BuyerContext) -> str:
    found = _one(connection, buyer.account_id, call.args["address"])
    if found is None:
        raise call.parts.commerce.policy.missing.error(f"The address {call.args['address']} isn't available.")
    return str(found["Id"])


ROUTES = (
    Route(pattern=f"{WS}/accounts/{{account}}/addresses", handlers={"GET": show_all, "POST": create}),
    Route(pattern=f"{WS}/accounts/{{account}}/addresses/{{address}}", handlers={"PATCH": change, "DELETE": delete}),
)
