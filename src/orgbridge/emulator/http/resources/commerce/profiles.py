"""The user's own profile, and the codes that its changes are proved with.

Source: facts/commerce/catalog.md section 5; the reference of Commerce Webstore My Profile, Initiate OTP and Verify OTP
(64). Assumed: 200 with the status Failure for a code that is not right; the texts; that any `reCaptchaToken` will do.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from orgbridge.emulator.commerce import profilecodes, versions
from orgbridge.emulator.commerce.contexts import check_visitor, find_store
from orgbridge.emulator.commerce.deals import bad_input, required
from orgbridge.emulator.commerce.profilecodes import Kind, Purpose
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce import bodies
from orgbridge.emulator.http.resources.commerce.buyers import WS, need_version
from orgbridge.emulator.http.resources.commerce.rowsaving import update_row
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON

_PROFILE: Shape = {
    "email": 52,
    "firstName": 52,
    "isEmailVerified": 64,
    "isPhoneVerified": 64,
    "lastName": 52,
    "phoneNumber": 59,
    "userName": 59,
}
_CHANGED: Shape = {**_PROFILE, "verificationResponse": 64}
_COLUMNS = {"email": "Email", "firstName": "FirstName", "lastName": "LastName", "phoneNumber": "Phone"}
_INPUT: dict[str, type] = {**dict.fromkeys(_COLUMNS, str), "verificationInput": dict}
_PROVED: Mapping[str, type] = {"reCaptchaToken": str, "stepUpVerificationIdentifier": str}
_CODE: Mapping[str, type] = {"code": str, "identifier": str}
_ORDER: Mapping[str, type] = {"method": str, "reCaptchaToken": str, "type": str}
_KINDS = {"email": Kind.EMAIL, "phoneNumber": Kind.SMS}
_SINCE_CODES = 64


def _enter(call: Call, connection: Connection) -> None:
    policy = call.parts.commerce.policy
    check_visitor(connection, policy, find_store(connection, policy, call.args["webstore"]), call.user_id)


def _profile(call: Call, connection: Connection) -> dict[str, JSON]:
    sql = 'SELECT Email, FirstName, LastName, Phone, Username FROM "User" WHERE Id = ?'
    email, first, last, phone, username = connection.execute(sql, (call.user_id,)).fetchone()
    return {
        "email": email,
        "firstName": first,
        "isEmailVerified": profilecodes.is_verified(connection, call.user_id, Kind.EMAIL),
        "isPhoneVerified": profilecodes.is_verified(connection, call.user_id, Kind.SMS),
        "lastName": last,
        "phoneNumber": phone,
        "userName": username,
    }


async def show(call: Call) -> Response:
    """Answer GET myprofile."""
    need_version(call, 52)

    def work() -> dict[str, JSON]:
        with call.parts.storage.read() as connection:
            _enter(call, connection)
            return versions.body(_PROFILE, call.version, _profile(call, connection))

    return call.json(await call.thread(work))


async def change(call: Call) -> Response:
    """Answer PATCH myprofile."""
    need_version(call, 59)
    given = await bodies.read_body(call, _INPUT)
    proof = bodies.check_object(given.get("verificationInput", {}), _PROVED)
    addresses = [name for name in _KINDS if name in given]
    proves = call.parts.commerce.policy.profile_codes
    if proves and len(addresses) > 1:
        raise bad_input("Change either the email address or the phone number.")

    def work() -> dict[str, JSON]:
        with call.parts.storage.write() as connection:
            _enter(call, connection)
            if proves and addresses:
                _check_step_up(call, connection, proof)
            row = {_COLUMNS[name]: value for name, value in given.items() if name in _COLUMNS}
            if row:
                update_row(call, connection, "User", {"Id": call.user_id, **row})
            response = _send(call, connection, Purpose.VERIFY, _KINDS[addresses[0]]) if proves and addresses else {}
            for name in addresses if proves else ():
                profilecodes.set_verified(connection, call.user_id, _KINDS[name], verified=False)
            values = {**_profile(call, connection), "verificationResponse": response}
            return versions.body(_CHANGED, call.version, values)

    return call.json(await call.thread(work))


def _check_step_up(call: Call, connection: Connection, proof: Mapping[str, JSON]) -> None:
    required(proof, "reCaptchaToken")
    identifier = required(proof, "stepUpVerificationIdentifier")
    if not profilecodes.use_step_up(connection, call.parts.clock.now(), call.user_id, identifier):
        raise call.parts.commerce.policy.no_access.error("The change isn't verified.")


def _send(call: Call, connection: Connection, purpose: Purpose, kind: Kind) -> dict[str, JSON]:
    """Let a code be on its way to the user's present address.

    Raises:
        SFError: The user has no such address. Nothing was sent.
    """
    sql = f'SELECT "{kind.column}" FROM "User" WHERE Id = ?'  # noqa: S608 one of two names
    (address,) = connection.execute(sql, (call.user_id,)).fetchone()
    if not address:
        raise bad_input("There is no address or phone number to send a code to.")
    identifier = profilecodes.send(connection, call.parts.clock.now(), call.user_id, purpose, kind)
    return {
        "identifier": identifier,
        "message": "The update request was successful.",
        "method": kind.value,
        "recipient": kind.masked(address),
        "status": "Success",
    }


async def initiate(call: Call) -> Response:
    """Answer POST myprofile/actions/initOTP."""
    need_version(call, _SINCE_CODES)
    given = await bodies.read_body(call, _ORDER)
    required(given, "reCaptchaToken")
    kind = {one.value.upper(): one for one in Kind}.get(required(given, "method").upper())
    purpose = {one.value.lower(): one for one in Purpose}.get(required(given, "type").lower())
    if kind is None or purpose is None:
        raise bad_input("The method must be EMAIL or SMS, and the type StepUp or Verify.")

    def work() -> dict[str, JSON]:
        with call.parts.storage.write() as connection:
            _enter(call, connection)
            sent = _send(call, connection, purpose, kind)
            return {name: value for name, value in sent.items() if name != "method"}

    return call.json(await call.thread(work))


async def verify(call: Call) -> Response:
    """Answer POST myprofile/actions/verify."""
    need_version(call, _SINCE_CODES)
    given = await bodies.read_body(call, _CODE)
    identifier = required(given, "identifier")
    matches = profilecodes.is_code(required(given, "code"), call.parts.commerce.policy.profile_code)

    def work() -> bool:
        with call.parts.storage.write() as connection:
            _enter(call, connection)
            now = call.parts.clock.now()
            return profilecodes.prove(connection, now, call.user_id, identifier, matches=matches)

    done = await call.thread(work)
    message = "The verification request was successful." if done else "The verification request failed."
    return call.json({"identifier": identifier, "message": message, "status": "Success" if done else "Failure"})


_MINE = f"{WS}/myprofile"
ROUTES = (
    Route(pattern=_MINE, handlers={"GET": show, "PATCH": change}),
    Route(pattern=f"{_MINE}/actions/initOTP", handlers={"POST": initiate}),
    Route(pattern=f"{_MINE}/actions/verify", handlers={"POST": verify}),
)
