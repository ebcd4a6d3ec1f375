"""Accounts that a user may buy for.

Source: facts/commerce/catalog.md section 5. Assumed: the list is sorted by name, the own account first.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.commerce import versions
from orgbridge.emulator.commerce.contexts import check_visitor, find_store, managed_accounts, own_account
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import WS, flag, need_version
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON

_ACCOUNT: Shape = {
    "accountId": 49,
    "accountName": 53,
    "address": 53,
    "externalManagedAccountId": 49,
    "isMyAccount": 53,
}


def _enter(call: Call, connection: Connection) -> None:
    policy = call.parts.commerce.policy
    check_visitor(connection, policy, find_store(connection, policy, call.args["webstore"]), call.user_id)


async def managed(call: Call) -> Response:
    """Answer GET external-managed-accounts."""
    need_version(call, 49)
    with_own = flag(call, "includeMyAccount")

    def work() -> list[JSON]:
        with call.parts.storage.read() as connection:
            _enter(call, connection)
            listed = [(row, account, False) for row, account in managed_accounts(connection, call.user_id)]
            own = own_account(connection, call.user_id)[1]
            if with_own and own is not None:
                listed.insert(0, ("", own, True))
            return [_account(call, connection, row or None, account, mine) for row, account, mine in listed]

    accounts = await call.thread(work)
    return call.json({"externalManagedAccounts": accounts, "totalExternalManagedAccounts": len(accounts)})


def _account(call: Call, connection: Connection, row: str | None, account_id: str, mine: bool) -> dict[str, JSON]:
    sql = (
        "SELECT Name, BillingStreet, BillingCity, BillingState, BillingPostalCode, BillingCountry"
        ' FROM "Account" WHERE Id = ?'
    )
    name, street, city, state, code, country = connection.execute(sql, (account_id,)).fetchone()
    values: dict[str, JSON] = {
        "accountId": account_id,
        "accountName": name,
        "address": {"street": street, "city": city, "state": state, "postalCode": code, "country": country},
        "externalManagedAccountId": row,
        "isMyAccount": mine,
    }
    return versions.body(_ACCOUNT, call.version, values)


ROUTES = (Route(pattern=f"{WS}/external-managed-accounts", handlers={"GET": managed}),)
