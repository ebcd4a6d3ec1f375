"""Who a token belongs to: userinfo and the identity address.

Source: facts/salesforce/auth.md section 4, errors.md section 1.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import TextFault
from orgbridge.emulator.org.org import UserInfo
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18

_FACES = {"enterprise": "c", "metadata": "m", "partner": "u"}
_RESOURCES = {
    "rest": "",
    "sobjects": "sobjects/",
    "search": "search/",
    "query": "query/",
    "recent": "recent/",
}


async def _caller(call: Call) -> UserInfo:
    scheme, _, token = (call.header("authorization") or "").partition(" ")
    given = token.strip() if scheme.lower() in ("bearer", "oauth") else call.query("oauth_token") or ""
    if not given:
        raise TextFault("Missing_OAuth_Token", 403)

    def find() -> UserInfo | None:
        session = call.parts.sessions.find(given)
        return call.parts.directory.by_id(session.user_id) if session else None

    user = await call.thread(find)
    if user is None:
        raise TextFault("Bad_OAuth_Token", 403)
    if not user.is_active:
        raise TextFault("Inactive_User", 403)
    return user


def _urls(call: Call, user: UserInfo) -> dict[str, str]:
    base, org = call.base_url, call.parts.directory.org_id
    urls = {key: f"{base}/services/Soap/{face}/{{version}}/{org[:15]}" for key, face in _FACES.items()}
    urls |= {key: f"{base}/services/data/v{{version}}/{rest}" for key, rest in _RESOURCES.items()}
    return urls | {"profile": f"{base}/{user.id}"}


async def userinfo(call: Call) -> Response:
    """Answer GET or POST /services/oauth2/userinfo."""
    user = await _caller(call)
    org = call.parts.directory.org_id
    first, _, last = user.name.rpartition(" ")
    body: dict[str, JSON] = {
        "sub": f"{call.base_url}/id/{org}/{user.id}",
        "user_id": user.id,
        "organization_id": org,
        "preferred_username": user.username,
        "nickname": user.name,
        "name": user.name,
        "email": user.email,
        "email_verified": True,
        "given_name": first or None,
        "family_name": last,
        "zoneinfo": "GMT",
        "photos": {"picture": None, "thumbnail": None},
        "profile": f"{call.base_url}/{user.id}",
        "picture": None,
        "address": {},
        "is_salesforce_integration_user": False,
        "urls": _urls(call, user),
        "active": True,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "updated_at": call.parts.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return call.json(body)


async def identity(call: Call) -> Response:
    """Answer GET /id/{org}/{user}."""
    user = await _caller(call)
    org = call.parts.directory.org_id
    if to_18(call.args["org"]) != org:
        raise TextFault("Wrong_Org", 403)
    if to_18(call.args["user"]) != user.id:
        raise TextFault("Bad_Id", 403)
    first, _, last = user.name.rpartition(" ")
    address = f"{call.base_url}/id/{org}/{user.id}"
    body: dict[str, JSON] = {
        "id": address,
        "asserted_user": True,
        "user_id": user.id,
        "organization_id": org,
        "username": user.username,
        "nick_name": user.name,
        "display_name": user.name,
        "email": user.email,
        "email_verified": True,
        "first_name": first or None,
        "last_name": last,
        "timezone": "GMT",
        "photos": {"picture": None, "thumbnail": None},
        "addr_street": None,
        "addr_city": None,
        "addr_state": None,
        "addr_country": None,
        "addr_zip": None,
        "mobile_phone": None,
        "mobile_phone_verified": False,
        "status": {"created_date": None, "body": None},
        "urls": _urls(call, user),
        "active": True,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": "0",
        "last_modified_date": call.parts.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "is_app_installed": True,
    }
    return call.json(body)
