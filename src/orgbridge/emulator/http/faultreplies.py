"""Replies that an order for trouble puts in place of the real ones, in the form of the API that was asked.

Source: facts/salesforce/auth.md section 5 for SOAP, whose faults are HTTP 500 whatever they say; bulk1.md for Bulk
API 1.0. Assumed: codes of Bulk API 1.0 for faults that its guide does not list.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import Response

from orgbridge.emulator.faults import RequestFault
from orgbridge.emulator.http.auth.soap_messages import SOAPFault, fault_reply
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.jobs.classic.results import NAMESPACE, XML_HEAD, xml_text

#: Codes of Bulk API 1.0. Source: bulk1.md.
_CLASSIC = {"REQUEST_LIMIT_EXCEEDED": "ExceededQuota", "INVALID_SESSION_ID": "InvalidSessionId"}


def fault_response(fault: RequestFault, status: int, path: str, headers: Headers) -> Response:
    """Return the reply that a request gets in place of its own.

    Args:
        fault: What was ordered.
        status: Of REST and Bulk replies.
        path: That was asked for.
        headers: Of the request.
    """
    lowered = path.lower()
    if lowered.startswith("/services/soap/") and status >= 400:
        reply = fault_reply(SOAPFault(fault.error_code, fault.message, prefixed=not _is_login(headers)))
    elif lowered.startswith("/services/async/") and status >= 400:
        reply = _classic(fault, status, headers)
    else:
        reply = json_reply([{"message": fault.message, "errorCode": fault.error_code}], status)
    if fault.retry_after is not None:
        reply.headers["Retry-After"] = fault.retry_after
    return reply


def _is_login(headers: Headers) -> bool:
    """Tell whether a SOAP call signs in, as its SOAPAction says; clients may send an empty one with login only."""
    return (headers.get("soapaction") or "").strip('"') in ("", "login")


def _classic(fault: RequestFault, status: int, headers: Headers) -> Response:
    words = [piece.capitalize() for piece in fault.error_code.split("_")]
    code = _CLASSIC.get(fault.error_code, "".join(words))
    told = headers.get("content-type") or headers.get("accept") or ""
    if "json" in told.lower():
        return json_reply({"exceptionCode": code, "exceptionMessage": fault.message}, status)
    text = (
        f'{XML_HEAD}<error\n   xmlns="{NAMESPACE}">\n <exceptionCode>{xml_text(code)}</exceptionCode>\n'
        f" <exceptionMessage>{xml_text(fault.message)}</exceptionMessage>\n</error>\n"
    )
    return Response(text, status, media_type="application/xml")
