"""SOAP as far as signing in and out needs it: login, logout, getUserInfo, getServerTimestamp.

Everything else of SOAP is refused with a fault.

Source: facts/salesforce/auth.md section 5; `login()` is absent from v65 on (section 0). Assumed: the texts of faults
other than INVALID_LOGIN, and the order of their checks.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from starlette.responses import Response

from orgbridge.emulator.http.auth.passwords import Refusal, check_password, is_expired
from orgbridge.emulator.http.auth.soap_messages import (
    SOAPCall,
    SOAPFault,
    elements,
    fault_reply,
    read_call,
    result_reply,
)
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.org.readable import UserInfo
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.ids import to_18
from orgbridge.wire.versions import NEWEST, OLDEST

_LAST_WITH_LOGIN = 64
_VERSION = re.compile(r"(\d{1,3})\.0\Z")
_TEXTS = {
    "INVALID_LOGIN": "Invalid username, password, security token; or user locked out.",
    "LOGIN_MUST_USE_SECURITY_TOKEN": (
        "Invalid username, password, security token; or user locked out. Are you at a new location? When accessing "
        "Salesforce--either via a desktop client or the API--from outside of your company’s trusted networks, you must "
        "add a security token to your password to log in."
    ),
    "PASSWORD_LOCKOUT": "This account is locked out after too many failed attempts to log in.",
    "ORG_LOCKED": "This organization is locked.",
    "API_DISABLED_FOR_ORG": "API is not enabled for this Organization or Partner",
    "API_CURRENTLY_DISABLED": "API is disabled for this User",
}
_REFUSALS = {
    Refusal.INVALID: "INVALID_LOGIN",
    Refusal.LOCKED_OUT: "PASSWORD_LOCKOUT",
    Refusal.TOKEN_NEEDED: "LOGIN_MUST_USE_SECURITY_TOKEN",
}


async def partner(call: Call) -> Response:
    """Answer POST /services/Soap/u/{version}."""
    return await _answer(call, "u")


async def enterprise(call: Call) -> Response:
    """Answer POST /services/Soap/c/{version}."""
    return await _answer(call, "c")


async def elsewhere(call: Call) -> Response:
    """Answer POST /services/Soap/m, /T and /s: the Metadata, Tooling and Apex APIs, which are not emulated."""
    face = call.request.url.path.split("/")[3]
    apis = {"m": "Metadata", "t": "Tooling", "s": "Apex"}
    text = f"The emulated org has no SOAP {apis[face.lower()]} API"
    return fault_reply(SOAPFault("INVALID_OPERATION", text, prefixed=True))


async def _answer(call: Call, face: str) -> Response:
    try:
        version = _version(call.args["version"])
        asked = read_call(await call.body())
        match asked.operation:
            case "login":
                return await _login(call, face, version, asked)
            case "logout":
                await _session_user(call, asked)
                await call.thread(lambda: call.parts.sessions.revoke(asked.headers["sessionId"]))
                return result_reply(face, "logout", "")
            case "getUserInfo":
                user = await _session_user(call, asked)
                return result_reply(face, "getUserInfo", await _user_info(call, user))
            case "getServerTimestamp":
                await _session_user(call, asked)
                now = bulk_datetime(call.parts.clock.now())
                return result_reply(face, "getServerTimestamp", f"<timestamp>{now}</timestamp>")
            case other:
                text = f"The emulated org answers signing in and out only, not {other!r}"
                raise SOAPFault("INVALID_OPERATION", text)
    except SOAPFault as fault:
        return fault_reply(fault)


def _version(text: str) -> int:
    found = _VERSION.match(text)
    if found is None or not OLDEST <= int(found.group(1)) <= NEWEST:
        raise SOAPFault("UNSUPPORTED_API_VERSION", f"Invalid Api version specified on URL: {text}")
    return int(found.group(1))


async def _login(call: Call, face: str, version: int, asked: SOAPCall) -> Response:
    policy = call.parts.directory.policy
    if version > _LAST_WITH_LOGIN:
        # Assumed: text. Source of the fact: auth.md section 0.
        raise SOAPFault("INVALID_OPERATION", "SOAP API login() is not available in API version 65.0 and later.")
    if not policy.soap_login:
        raise SOAPFault("INVALID_OPERATION", "SOAP API login() is disabled by default in this org.")
    username, password = asked.values.get("username", ""), asked.values.get("password", "")
    named = asked.headers.get("organizationId")
    if named and to_18(named) != call.parts.directory.org_id:
        raise _fault("INVALID_LOGIN")
    user = await call.thread(lambda: check_password(call, username, password))
    if isinstance(user, Refusal):
        raise _fault(_REFUSALS[user])
    if not user.is_active:
        raise _fault("INVALID_LOGIN")
    if policy.org_locked:
        raise _fault("ORG_LOCKED")
    refusal = call.parts.directory.api_refusal(user.id)
    if refusal is not None:
        raise _fault(refusal.code)
    user_id = user.id
    session_id = await call.thread(lambda: call.parts.sessions.issue(user_id, None, flow="soap"))
    expired = "true" if await call.thread(lambda: is_expired(call, username)) else "false"
    base, org15 = escape(call.base_url), call.parts.directory.org_id[:15]
    result = (
        f"<metadataServerUrl>{base}/services/Soap/m/{version}.0/{org15}</metadataServerUrl>"
        f"<passwordExpired>{expired}</passwordExpired><sandbox>false</sandbox>"
        f"<serverUrl>{base}/services/Soap/{face}/{version}.0/{org15}</serverUrl>"
        f"<sessionId>{session_id}</sessionId><userId>{user.id}</userId>"
        f"<userInfo>{await _user_info(call, user)}</userInfo>"
    )
    return result_reply(face, "login", result)


def _fault(code: str) -> SOAPFault:
    return SOAPFault(code, _TEXTS[code])


async def _session_user(call: Call, asked: SOAPCall) -> UserInfo:
    token = asked.headers.get("sessionId", "")
    session = await call.thread(lambda: call.parts.sessions.find(token))
    user = await call.thread(lambda: call.parts.directory.by_id(session.user_id)) if session else None
    if user is None:
        text = "Invalid Session ID found in SessionHeader: Illegal Session"
        raise SOAPFault("INVALID_SESSION_ID", text, prefixed=True)
    return user


async def _user_info(call: Call, user: UserInfo) -> str:
    directory, org = call.parts.directory, call.parts.org
    wanted = ("ProfileId", "UserRoleId", "TimeZoneSidKey", "LocaleSidKey", "LanguageLocaleKey", "UserType")
    known = [name for name in wanted if org.sobject("User").field(name) is not None]
    row: dict[str, JSON] = await call.thread(lambda: org.get("User", user.id, known))
    return elements(
        {
            "accessibilityMode": "false",
            "chatterExternal": "false",
            "currencySymbol": "$",
            "orgAttachmentFileSizeLimit": "5242880",
            "orgDefaultCurrencyIsoCode": "USD",
            "orgDefaultCurrencyLocale": "en_US",
            "orgDisallowHtmlAttachments": "false",
            "orgHasPersonAccounts": "false",
            "organizationId": directory.org_id,
            "organizationMultiCurrency": "false",
            "organizationName": directory.org_name,
            "profileId": row.get("ProfileId") or "",
            "roleId": row.get("UserRoleId"),
            "sessionSecondsValid": str(directory.session_seconds),
            "userDefaultCurrencyIsoCode": None,
            "userEmail": user.email,
            "userFullName": user.name,
            "userId": user.id,
            "userLanguage": row.get("LanguageLocaleKey") or "en_US",
            "userLocale": row.get("LocaleSidKey") or "en_US",
            "userName": user.username,
            "userTimeZone": row.get("TimeZoneSidKey") or "GMT",
            "userType": row.get("UserType") or "Standard",
            "userUiSkin": "Theme3",
        }
    )
