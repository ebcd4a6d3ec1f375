"""Replies as XML, for rows, queries, save results and errors; whoever asks for XML of anything else is refused.

Source: facts/salesforce/errors.md section 1 for errors. Assumed: the names of the other roots, and `xsi:nil` for null,
from memory of the guide's examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from starlette.responses import Response

from orgbridge.kit.json import JSON, loads

_XML = "application/xml;charset=UTF-8"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
#: What XML 1.0 cannot hold.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z_][\w.-]*\Z", re.ASCII)
#: Routes below `/services/data/{version}` whose replies have an XML form.
_PATTERNS = frozenset({"/query", "/query/{locator}", "/queryAll", "/queryAll/{locator}", "/sobjects/{sobject}/{id}"})
_BELOW_A_ROW = "/sobjects/{sobject}/{field}/{value}"
_KINDS = ("application/xml", "text/xml")


def wants_xml(accept: str | None) -> bool:
    """Tell whether a caller wants XML and would not take JSON."""
    kinds = (accept or "").lower()
    return "xml" in kinds and not any(kind in kinds for kind in ("*/*", "application/json", "application/*"))


def kinds_beside_json(pattern: str, method: str) -> tuple[str, ...]:
    """Return the kinds of reply that a route has beside JSON, for `Accept`; `/` stands for all."""
    tail = pattern.removeprefix("/services/data/{version}")
    if tail == _BELOW_A_ROW:
        # Bytes of a row come in whatever kind they were stored with.
        return ("/",)
    return _KINDS if tail in _PATTERNS or (tail == "/sobjects/{sobject}" and method == "POST") else ()


def as_xml(response: Response) -> Response:
    """Return a JSON reply as XML; any other reply as it is."""
    # A stream has no body yet: it is bytes of a row, of whatever kind.
    body = getattr(response, "body", b"")
    if not response.headers.get("content-type", "").startswith("application/json") or not body:
        return response
    value = loads(bytes(body))
    headers = {name: text for name, text in response.headers.items() if name not in ("content-type", "content-length")}
    return Response(_HEAD + "".join(_root(value)), response.status_code, headers, media_type=_XML)


def _root(value: JSON) -> Iterator[str]:
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            items = [piece for item in value for piece in _element("Error", item)]
        else:
            items = [piece for item in value for piece in _element("url", item)]
        root = "Errors" if value and isinstance(value[0], dict) else "MultipleChoices"
        yield f"<{root}>{''.join(items)}</{root}>"
        return
    name = "Result"
    if "attributes" in value:
        name = str(value["attributes"]["type"])
    elif "records" in value:
        name = "QueryResult"
    yield from _element(name, value, _XSI)


def _element(name: str, value: JSON, more: str = "") -> Iterator[str]:
    if not _NAME.match(name):
        name = "value"
    match value:
        case None:
            yield f'<{name}{more} xsi:nil="true"/>'
        case dict():
            attributes = value.get("attributes")
            shown = attributes if isinstance(attributes, dict) else {}
            yield f"<{name}{more}{''.join(f' {key}={quoteattr(_text(text))}' for key, text in shown.items())}>"
            for key, inner in value.items():
                if key == "attributes":
                    continue
                for one in inner if isinstance(inner, list) else [inner]:
                    yield from _element(key, one)
            yield f"</{name}>"
        case _:
            yield f"<{name}{more}>{escape(_text(value))}</{name}>"


def _text(value: JSON) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _ILLEGAL.sub("\ufffd", str(value))
