"""SOAP in and out: envelopes read without regard to prefixes, results and faults with the tags that clients look for.

Source: facts/salesforce/auth.md section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from starlette.responses import Response

_MEDIA_TYPE = "text/xml;charset=UTF-8"
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
#: Namespace of each face of the API, by the letter in its address.
NAMESPACES = {"u": "urn:partner.soap.sforce.com", "c": "urn:enterprise.soap.sforce.com"}


class SOAPFault(Exception):
    """A call that is refused.

    Attributes:
        code: Salesforce's code.
        message: Salesforce's text.
        prefixed: Whether the fault code carries the prefix `sf:`, as it does after sign-in.
    """

    def __init__(self, code: str, message: str, *, prefixed: bool = False) -> None:
        self.code = code
        self.message = message
        self.prefixed = prefixed
        super().__init__(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class SOAPCall:
    """What an envelope asks for."""

    #: Local name of the operation.
    operation: str
    #: Its parameters by local name.
    values: dict[str, str]
    #: Values of the headers by local name, e.g. `sessionId` and `organizationId`.
    headers: dict[str, str]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def read_call(body: bytes) -> SOAPCall:
    """Return what an envelope asks for.

    Raises:
        SOAPFault: It cannot be read.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise SOAPFault("INVALID_OPERATION", "DOCTYPE is not allowed")
    try:
        # No document type gets here, so no entity can be expanded.
        envelope = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise SOAPFault("UNKNOWN_EXCEPTION", f"Unable to parse the request: {error}") from error
    content = envelope.find(f"{{{_ENVELOPE}}}Body")
    operation = content[0] if content is not None and len(content) else None
    header = envelope.find(f"{{{_ENVELOPE}}}Header")
    return SOAPCall(
        operation="" if operation is None else _local(operation.tag),
        values={} if operation is None else {_local(child.tag): child.text or "" for child in operation},
        headers={} if header is None else {_local(v.tag): (v.text or "").strip() for part in header for v in part},
    )


def elements(values: Mapping[str, str | None]) -> str:
    """Return the values as elements; None is nil."""
    return "".join(
        f'<{key} xsi:nil="true"/>' if value is None else f"<{key}>{escape(value)}</{key}>"
        for key, value in values.items()
    )


def result_reply(face: str, operation: str, result: str) -> Response:
    """Return the reply to an operation; `result` is XML already, and empty for none."""
    inner = f"<result>{result}</result>" if result else ""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" '
        f'xmlns="{NAMESPACES[face]}" xmlns:xsi="{_XSI}"><soapenv:Body><{operation}Response>{inner}'
        f"</{operation}Response></soapenv:Body></soapenv:Envelope>"
    )
    return Response(text, 200, media_type=_MEDIA_TYPE)


def fault_reply(fault: SOAPFault) -> Response:
    """Return the reply for a refusal: HTTP 500."""
    code, message = escape(fault.code), escape(fault.message)
    shown = f"sf:{code}" if fault.prefixed else code
    kind = "UnexpectedErrorFault" if fault.prefixed else "LoginFault"
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" '
        f'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="{_XSI}">'
        f"<soapenv:Body><soapenv:Fault><faultcode>{shown}</faultcode><faultstring>{code}: {message}</faultstring>"
        f'<detail><sf:{kind} xsi:type="sf:{kind}"><sf:exceptionCode>{code}</sf:exceptionCode>'
        f"<sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{kind}></detail></soapenv:Fault>"
        "</soapenv:Body></soapenv:Envelope>"
    )
    return Response(text, 500, media_type=_MEDIA_TYPE)
