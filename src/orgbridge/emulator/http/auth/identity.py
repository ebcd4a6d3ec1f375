"""Who a token belongs to: userinfo and the identity address; what the sign-in offers, for those who ask first.

Source: facts/salesforce/auth.md head and section 4, errors.md section 1. Assumed: the values of keys that the org knows
nothing of (photos, status), and the offset without daylight saving.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.responses import Response

from orgbridge.emulator.http.auth.signing import public_jwk
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import TextFault
from orgbridge.emulator.http.replies import json_reply
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18

_FACES = {"enterprise": "c", "metadata": "m", "partner": "u"}
_RESOURCES = {
    "rest": "",
    "sobjects": "sobjects/",
    "search": "search/",
    "query": "query/",
    "recent": "recent/",
    "feeds": "chatter/feeds",
    "groups": "chatter/groups",
    "users": "chatter/users",
    "feed_items": "chatter/feed-items",
}
_FIELDS = (
    *("Id", "Username", "FirstName", "LastName", "Name", "CommunityNickname", "Email", "IsActive", "MobilePhone"),
    *("Street", "City", "State", "PostalCode", "Country", "TimeZoneSidKey", "LocaleSidKey", "LanguageLocaleKey"),
    *("UserType", "LastModifiedDate"),
)
_User = dict[str, JSON]


async def _caller(call: Call) -> _User:
    scheme, _, token = (call.header("authorization") or "").partition(" ")
    given = token.strip() if scheme.lower() in ("bearer", "oauth") else call.query("oauth_token") or ""
    if not given:
        raise TextFault("Missing_OAuth_Token", 403)

    def find() -> _User | None:
        sessions = call.parts.sessions
        session = sessions.find(given) or sessions.holder(given)
        return call.parts.org.get("User", session.user_id, _known_fields(call)) if session else None

    user = await call.thread(find)
    if user is None:
        raise TextFault("Bad_OAuth_Token", 403)
    if not user["IsActive"]:
        raise TextFault("Inactive_User", 403)
    return {name: user.get(name) for name in _FIELDS}


def _known_fields(call: Call) -> list[str]:
    sobject = call.parts.org.sobject("User")
    return [name for name in _FIELDS if sobject.field(name) is not None]


def _urls(call: Call, user: _User) -> dict[str, str]:
    base, org = call.base_url, call.parts.directory.org_id
    urls = {key: f"{base}/services/Soap/{face}/{{version}}/{org[:15]}" for key, face in _FACES.items()}
    urls |= {key: f"{base}/services/data/v{{version}}/{rest}" for key, rest in _RESOURCES.items()}
    return urls | {"profile": f"{base}/{user['Id']}"}


def _address(call: Call, user: _User) -> str:
    return f"{call.base_url}/id/{call.parts.directory.org_id}/{user['Id']}"


def _offset(user: _User) -> int:
    """Return the milliseconds between UTC and the user's standard time."""
    try:
        zone = ZoneInfo(str(user["TimeZoneSidKey"] or "GMT"))
    except (ZoneInfoNotFoundError, ValueError):
        return 0
    offset = zone.utcoffset(datetime(2024, 1, 1)), zone.dst(datetime(2024, 1, 1))
    whole, summer = (part.total_seconds() if part else 0.0 for part in offset)
    return int((whole - summer) * 1000)


def _type(user: _User) -> str:
    return str(user["UserType"] or "Standard").upper()


def _photos(call: Call) -> dict[str, JSON]:
    return {key: f"{call.base_url}/profilephoto/005/{size}" for key, size in (("picture", "F"), ("thumbnail", "T"))}


async def userinfo(call: Call) -> Response:
    """Answer GET or POST /services/oauth2/userinfo."""
    user = await _caller(call)
    modified = str(user["LastModifiedDate"] or "").removesuffix(".000+0000")
    body: dict[str, JSON] = {
        "sub": _address(call, user),
        "user_id": user["Id"],
        "organization_id": call.parts.directory.org_id,
        "preferred_username": user["Username"],
        "nickname": user["CommunityNickname"] or user["Name"],
        "name": user["Name"],
        "email": user["Email"],
        "email_verified": True,
        "given_name": user["FirstName"],
        "family_name": user["LastName"],
        "zoneinfo": user["TimeZoneSidKey"],
        "photos": _photos(call),
        "profile": f"{call.base_url}/{user['Id']}",
        "picture": _photos(call)["picture"],
        "address": {
            key: value
            for key, value in (
                ("street_address", user["Street"]),
                ("locality", user["City"]),
                ("region", user["State"]),
                ("postal_code", user["PostalCode"]),
                ("country", user["Country"]),
            )
            if value is not None
        },
        "is_salesforce_integration_user": False,
        "urls": _urls(call, user),
        "active": True,
        "user_type": _type(user),
        "language": user["LanguageLocaleKey"],
        "locale": user["LocaleSidKey"],
        "utcOffset": _offset(user),
        "updated_at": f"{modified}Z",
    }
    return call.json(body)


async def identity(call: Call) -> Response:
    """Answer GET /id/{org}/{user}."""
    user = await _caller(call)
    org = call.parts.directory.org_id
    if to_18(call.args["org"]) != org:
        raise TextFault("Wrong_Org", 403)
    if to_18(call.args["user"]) != user["Id"]:
        raise TextFault("Bad_Id", 403)
    body: dict[str, JSON] = {
        "id": _address(call, user),
        "asserted_user": True,
        "user_id": user["Id"],
        "organization_id": org,
        "username": user["Username"],
        "nick_name": user["CommunityNickname"] or user["Name"],
        "display_name": user["Name"],
        "email": user["Email"],
        "email_verified": True,
        "first_name": user["FirstName"],
        "last_name": user["LastName"],
        "timezone": user["TimeZoneSidKey"],
        "photos": _photos(call),
        "addr_street": user["Street"],
        "addr_city": user["City"],
        "addr_state": user["State"],
        "addr_country": user["Country"],
        "addr_zip": user["PostalCode"],
        "mobile_phone": user["MobilePhone"],
        "mobile_phone_verified": False,
        "status": {"created_date": None, "body": None},
        "urls": _urls(call, user),
        "active": True,
        "user_type": _type(user),
        "language": user["LanguageLocaleKey"],
        "locale": user["LocaleSidKey"],
        "utcOffset": _offset(user),
        "last_modified_date": user["LastModifiedDate"],
        "is_app_installed": True,
    }
    return call.json(body)


async def openid_configuration(call: Call) -> Response:
    """Answer GET /.well-known/openid-configuration."""
    base = call.base_url
    oauth = f"{base}/services/oauth2"
    body: dict[str, JSON] = {
        "issuer": base,
        "authorization_endpoint": f"{oauth}/authorize",
        "token_endpoint": f"{oauth}/token",
        "revocation_endpoint": f"{oauth}/revoke",
        "userinfo_endpoint": f"{oauth}/userinfo",
        "jwks_uri": f"{base}/id/keys",
        "introspection_endpoint": f"{oauth}/introspect",
        "scopes_supported": ["api", "id", "openid", "profile", "refresh_token", "offline_access", "web", "full"],
        "response_types_supported": ["code", "token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    }
    return json_reply(body)


async def keys(call: Call) -> Response:
    """Answer GET /id/keys."""
    return json_reply({"keys": [await call.thread(lambda: public_jwk(call.parts.storage))]})
