"""SOAP login(): the way in for clients that have a user name, a password and a security token.

Everything else of SOAP is refused with a fault.

Source: facts/salesforce/auth.md section 5; `login()` is absent from v65 on (section 0).
"""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.org.org import UserInfo
from orgbridge.wire.versions import OLDEST

_XML = "text/xml;charset=UTF-8"
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_NAMESPACES = {"u": "urn:partner.soap.sforce.com", "c": "urn:enterprise.soap.sforce.com"}
_LAST_WITH_LOGIN = 64
_VERSION = re.compile(r"(\d{1,3})\.0\Z")
_INVALID_LOGIN = "Invalid username, password, security token; or user locked out."


class _SOAPFault(Exception):
    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(code)


async def partner_login(call: Call) -> Response:
    """Answer POST /services/Soap/u/{version}."""
    return await _login(call, "u")


async def enterprise_login(call: Call) -> Response:
    """Answer POST /services/Soap/c/{version}."""
    return await _login(call, "c")


async def _login(call: Call, face: str) -> Response:
    try:
        username, password = _credentials(call.args["version"], await call.body())
        user = await call.thread(lambda: call.parts.directory.check_password(username, password))
        if user is None or not user.is_active:
            raise _SOAPFault("INVALID_LOGIN", _INVALID_LOGIN)
    except _SOAPFault as fault:
        return _fault(fault)
    user_id = user.id
    session_id = await call.thread(lambda: call.parts.sessions.issue(user_id, None))
    return Response(_result(call, face, user, session_id), 200, media_type=_XML)


def _credentials(version: str, body: bytes) -> tuple[str, str]:
    found = _VERSION.match(version)
    if found is None or int(found.group(1)) < OLDEST:
        raise _SOAPFault("UNSUPPORTED_API_VERSION", f"Invalid Api version specified on URL: {version}")
    if int(found.group(1)) > _LAST_WITH_LOGIN:
        # Assumed: text. Source of the fact: auth.md section 0.
        raise _SOAPFault("INVALID_OPERATION", "SOAP API login() is not available in API version 65.0 and later.")
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise _SOAPFault("INVALID_OPERATION", "DOCTYPE is not allowed")
    try:
        # No document type gets here, so no entity can be expanded.
        envelope = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise _SOAPFault("UNKNOWN_EXCEPTION", f"Unable to parse the request: {error}") from error
    calls = envelope.find(f"{{{_ENVELOPE}}}Body")
    operation = calls[0] if calls is not None and len(calls) else None
    if operation is None or _local(operation.tag) != "login":
        name = _local(operation.tag) if operation is not None else ""
        raise _SOAPFault("INVALID_OPERATION", f"The emulated org answers login() only, not {name!r}")
    values = {_local(child.tag): child.text or "" for child in operation}
    return values.get("username", ""), values.get("password", "")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _fault(fault: _SOAPFault) -> Response:
    code, message = escape(fault.code), escape(fault.message)
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" '
        'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body><soapenv:Fault><faultcode>{code}</faultcode><faultstring>{code}: {message}</faultstring>"
        f'<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode>'
        f"<sf:exceptionMessage>{message}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
        "</soapenv:Body></soapenv:Envelope>"
    )
    return Response(text, 500, media_type=_XML)


def _result(call: Call, face: str, user: UserInfo, session_id: str) -> str:
    directory = call.parts.directory
    version = call.args["version"]
    org15 = directory.org_id[:15]
    info = {
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
        "profileId": "",
        "roleId": None,
        "sessionSecondsValid": str(directory.session_seconds),
        "userDefaultCurrencyIsoCode": None,
        "userEmail": user.email,
        "userFullName": user.name,
        "userId": user.id,
        "userLanguage": "en_US",
        "userLocale": "en_US",
        "userName": user.username,
        "userTimeZone": "GMT",
        "userType": "Standard",
        "userUiSkin": "Theme3",
    }
    fields = "".join(
        f'<{key} xsi:nil="true"/>' if value is None else f"<{key}>{escape(value)}</{key}>"
        for key, value in info.items()
    )
    base = escape(call.base_url)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" '
        f'xmlns="{_NAMESPACES[face]}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><loginResponse><result>'
        f"<metadataServerUrl>{base}/services/Soap/m/{version}/{org15}</metadataServerUrl>"
        "<passwordExpired>false</passwordExpired><sandbox>false</sandbox>"
        f"<serverUrl>{base}/services/Soap/{face}/{version}/{org15}</serverUrl>"
        f"<sessionId>{session_id}</sessionId><userId>{user.id}</userId><userInfo>{fields}</userInfo>"
        "</result></loginResponse></soapenv:Body></soapenv:Envelope>"
    )
