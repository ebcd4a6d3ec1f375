"""Replies and errors of Bulk API 1.0, in XML and in JSON.

Source: facts/salesforce/bulk1.md. The content types carry no charset, as recorded and as one reader insists on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.jobs.classic.faults import ClassicFault
from orgbridge.emulator.jobs.classic.results import NAMESPACE, XML_HEAD, xml_text
from orgbridge.emulator.jobs.classic.rows import ContentType
from orgbridge.kit.json import JSON

_JSON, _XML, _CSV = "application/json", "application/xml", "text/csv"
MEDIA_TYPES = {ContentType.CSV: _CSV, ContentType.JSON: _JSON, ContentType.XML: _XML}


def wants_json(call: Call) -> bool:
    """Tell whether a call about a job speaks JSON: its Content-Type decides, and without one what it accepts."""
    content_type = call.header("content-type")
    if content_type is not None:
        return content_type.partition(";")[0].strip().lower() == _JSON
    return _JSON in (call.header("accept") or "").lower()


def _json(call: Call, value: JSON, status: int) -> Response:
    reply = json_reply(value, status, pretty=call.pretty)
    reply.headers["Content-Type"] = _JSON
    return reply


def _element(value: JSON) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return xml_text(str(value))


def _elements(values: Mapping[str, JSON]) -> str:
    return "".join(f" <{key}>{_element(value)}</{key}>\n" for key, value in values.items())


def _xml(text: str, status: int) -> Response:
    return Response(XML_HEAD + text, status, media_type=_XML)


def info_reply(call: Call, name: str, info: Mapping[str, JSON], *, as_json: bool, status: int = 200) -> Response:
    """Return jobInfo or batchInfo."""
    if as_json:
        return _json(call, info, status)
    return _xml(f'<{name}\n   xmlns="{NAMESPACE}">\n{_elements(info)}</{name}>', status)


def batch_list_reply(call: Call, infos: Sequence[Mapping[str, JSON]], *, as_json: bool) -> Response:
    """Return batchInfoList."""
    if as_json:
        return _json(call, {"batchInfo": list(infos)}, 200)
    items = "".join(f" <batchInfo>\n{_elements(info)} </batchInfo>\n" for info in infos)
    return _xml(f'<batchInfoList\n   xmlns="{NAMESPACE}">\n{items}</batchInfoList>', 200)


def result_list_reply(call: Call, ids: Sequence[str], *, as_json: bool) -> Response:
    """Return the ids of the result files of a query batch."""
    if as_json:
        return _json(call, list(ids), 200)
    items = "".join(f"<result>{result_id}</result>" for result_id in ids)
    return _xml(f'<result-list xmlns="{NAMESPACE}">{items}</result-list>', 200)


def fault_reply(call: Call, fault: ClassicFault) -> Response:
    """Return the error for a refusal: HTTP 400 whatever it is."""
    if wants_json(call):
        return _json(call, {"exceptionCode": fault.code, "exceptionMessage": fault.message}, 400)
    body = _elements({"exceptionCode": fault.code, "exceptionMessage": fault.message})
    return _xml(f'<error\n   xmlns="{NAMESPACE}">\n{body}</error>', 400)
