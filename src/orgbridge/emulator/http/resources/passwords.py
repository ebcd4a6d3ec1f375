"""A user's password: whether it has expired, a new one, a reset one. `/sobjects/User/{id}/password`.

Source: REST API Developer Guide, "Manage User Passwords" (isExpired, NewPassword, 204, 403 INSUFFICIENT_ACCESS,
INVALID_NEW_PASSWORD). Assumed: who may (everybody their own, and whoever may change users), the rules of a password
and the texts of what breaks them but that of letters and numbers; the security token stays.
"""

from __future__ import annotations

import re
import secrets

from starlette.responses import Response

from orgbridge.emulator.http.auth.passwords import is_expired
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.grants import Grants
from orgbridge.emulator.org.readable import UserInfo
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

_LEAST = 8
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def _user(call: Call, record_id: str) -> UserInfo:
    """Return the user whose password it is. Blocks.

    Raises:
        SFError: There is no such user, or the caller may not.
    """
    org = call.parts.org
    found = org.user(org.require("User", record_id))
    if found is None:
        raise SFError("NOT_FOUND", "The requested resource does not exist")
    seen = org.view(call.user_id).sobject("User")
    if found.id != call.user_id and (seen is None or not seen.updateable):
        raise SFError("INSUFFICIENT_ACCESS", "You do not have permission to view this record.", 403)
    return found


def _grants(call: Call) -> Grants:
    # In a composite call the parts work inside its transaction.
    return Grants(call.parts.storage, call.parts.clock)


async def show(call: Call, record_id: str) -> Response:
    """Answer GET."""
    expired = await call.thread(lambda: is_expired(call, _user(call, record_id).username))
    return call.json({"isExpired": expired})


async def change(call: Call, record_id: str) -> Response:
    """Answer POST `{"NewPassword": "..."}`."""
    body = await call.json_object()
    password = body.get("NewPassword")
    if set(body) != {"NewPassword"} or not isinstance(password, str):
        raise SFError("JSON_PARSER_ERROR", "NewPassword is expected, and nothing else at [line:1, column:1]")

    def work() -> None:
        user = _user(call, record_id)
        _check(call, user, password)
        _grants(call).set_password(user.username, password)

    await call.thread(work)
    return Response(status_code=204)


async def reset(call: Call, record_id: str) -> Response:
    """Answer DELETE: the password is one that is made up, told once, and has to be changed."""
    password = "".join(secrets.choice(_LETTERS) for _ in range(8)) + str(secrets.randbelow(10))

    def work() -> JSON:
        _grants(call).set_password(_user(call, record_id).username, password, expired=True)
        return {"NewPassword": password}

    return call.json(await call.thread(work))


def _check(call: Call, user: UserInfo, password: str) -> None:
    if len(password) < _LEAST:
        raise SFError("INVALID_NEW_PASSWORD", f"Your password must be at least {_LEAST} characters long.", 400)
    if not re.search(r"[A-Za-z]", password) or not re.search(r"[0-9]", password):
        raise SFError("INVALID_NEW_PASSWORD", "Your password must have a mix of letters and numbers.", 400)
    known, login = call.parts.grants.password(user.username), call.parts.directory.login(user.username)
    if known.fits(password) if known is not None else login is not None and login.password == password:
        raise SFError("INVALID_NEW_PASSWORD", "invalid repeated password", 400)
