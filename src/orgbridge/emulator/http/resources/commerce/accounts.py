"""Accounts that a user may buy for, and the user's own profile.

Source: facts/commerce/catalog.md section 5. Assumed: the list is sorted by name, the own account first; codes that are
sent to verify a profile are not, those resources are not there.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.commerce import versions
from orgbridge.emulator.commerce.contexts import check_visitor, find_store, managed_accounts, own_account
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce import bodies
from orgbridge.emulator.http.resources.commerce.buyers import WS, flag, need_version
from orgbridge.emulator.http.resources.commerce.rowsaving import update_row
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
_PROFILE: Shape = {
    "email": 52,
    "firstName": 52,
    "isEmailVerified": 64,
    "isPhoneVerified": 64,
    "lastName": 52,
    "phoneNumber": 59,
    "userName": 59,
}
_COLUMNS = {"email": "Email", "firstName": "FirstName", "lastName": "LastName", "phoneNumber": "Phone"}
_INPUT: dict[str, type] = {**dict.fromkeys(_COLUMNS, str), "verificationInput": dict}


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


def _profile(call: Call, connection: Connection) -> dict[str, JSON]:
    sql = 'SELECT Email, FirstName, LastName, Phone, Username FROM "User" WHERE Id = ?'
    email, first, last, phone, username = connection.execute(sql, (call.user_id,)).fetchone()
    values: dict[str, JSON] = {
        "email": email,
        "firstName": first,
        "isEmailVerified": True,
        "isPhoneVerified": False,
        "lastName": last,
        "phoneNumber": phone,
        "userName": username,
    }
    return versions.body(_PROFILE, call.version, values)


async def profile(call: Call) -> Response:
    """Answer GET myprofile."""
    need_version(call, 52)

    def work() -> dict[str, JSON]:
        with call.parts.storage.read() as connection:
            _enter(call, connection)
            return _profile(call, connection)

    return call.json(await call.thread(work))


async def change_profile(call: Call) -> Response:
    """Answer PATCH myprofile."""
    need_version(call, 59)
    given = await bodies.read_body(call, _INPUT)

    def work() -> dict[str, JSON]:
        with call.parts.storage.write() as connection:
            _enter(call, connection)
            row = {_COLUMNS[name]: value for name, value in given.items() if name in _COLUMNS}
            if row:
                update_row(call, connection, "User", {"Id": call.user_id, **row})
            return _profile(call, connection)

    return call.json(await call.thread(work))


ROUTES = (
    Route(pattern=f"{WS}/external-managed-accounts", handlers={"GET": managed}),
    Route(pattern=f"{WS}/myprofile", handlers={"GET": profile, "PATCH": change_profile}),
)
