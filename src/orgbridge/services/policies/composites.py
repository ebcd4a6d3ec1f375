"""The firewall for composite calls: each subrequest is what it can be told to be, checked as the single call is.

What a reference to another result will stand for is not known: it may be an id in a path or in quotes, and a value that
no condition on rows compares. Everything that cannot be analysed is refused.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from orgbridge.services.policies.errors import QueryRefused
from orgbridge.wire.bulk import IngestOperation

_VERSION = re.compile(r"/services/data/v\d{1,3}\.\d/")
_REFERENCE = re.compile(r"@\{[^}]*\}")
_ID_REFERENCE = re.compile(r"@\{[A-Za-z0-9_.\[\]]+\.[Ii]d\}")


class Checks(Protocol):
    """What the single calls are checked by, for one caller."""

    def query(self, soql: str, include_deleted: bool) -> Awaitable[str]:
        """Return a query as it may be run."""

    def fields(self, object_name: str, fields: Sequence[str] | None) -> Awaitable[list[str]]:
        """Return the fields that may be read of any record of an object."""

    def write(
        self, operation: IngestOperation, object_name: str, records: Sequence[Mapping[str, Any]], key: str | None
    ) -> Awaitable[None]:
        """See that records may be written."""


async def secure_subrequest(wire: Mapping[str, Any], checks: Checks) -> dict[str, Any]:
    """Return a subrequest as it may be sent.

    Args:
        wire: `method`, `url`, `referenceId`, and perhaps `body` and `httpHeaders`; the URL below the version's path or
            with it.
        checks: Of the caller.

    Raises:
        PolicyError: It may not be sent, or what it does cannot be told.
    """
    method, url, body = str(wire["method"]), str(wire["url"]), wire.get("body")
    found = _VERSION.match(url)
    base = found.group() if found else ""
    parts = urlsplit(url[len(base) :])
    params = dict(parse_qsl(parts.query, keep_blank_values=True))
    segments = [unquote(piece) for piece in parts.path.split("/")]
    if any(piece in ("", ".", "..") for piece in segments):
        raise _unknown(method, parts.path)
    path = parts.path
    match [method, *segments]:
        case ["GET", ("query" | "queryAll") as word] if set(params) == {"q"}:
            path = f"{word}?q={await _query(checks, params['q'], deleted=word == 'queryAll')}"
        case ["GET", "sobjects", name, identifier] if identifier != "describe" and set(params) <= {"fields"}:
            path = f"{parts.path}?fields={','.join(await checks.fields(name, _list(params.get('fields'))))}"
        case ["POST", "sobjects", name] if not params:
            await checks.write(IngestOperation.INSERT, name, [_fields(body)], None)
        case ["PATCH", "sobjects", name, identifier] if not params:
            await checks.write(IngestOperation.UPDATE, name, [{**_fields(body), "Id": identifier}], None)
        case ["PATCH", "sobjects", name, key, value] if not params:
            await checks.write(IngestOperation.UPSERT, name, [{**_fields(body), key: value}], key)
        case ["DELETE", "sobjects", name, identifier] if not params:
            await checks.write(IngestOperation.DELETE, name, [{"Id": identifier}], None)
        case [("POST" | "PATCH"), "composite", "sobjects"] if not params:
            operation = IngestOperation.INSERT if method == "POST" else IngestOperation.UPDATE
            for name, records in _by_type(body).items():
                await checks.write(operation, name, records, None)
        case ["PATCH", "composite", "sobjects", name, key] if not params:
            groups = _by_type(body)
            if {kind.lower() for kind in groups} != {name.lower()}:
                raise _unknown(method, parts.path)
            for records in groups.values():
                await checks.write(IngestOperation.UPSERT, name, records, key)
        case ["POST", "composite", "sobjects", name] if not params and isinstance(body, Mapping):
            allowed = await checks.fields(name, [str(field) for field in body.get("fields", [])])
            return {**wire, "body": {"ids": body.get("ids", []), "fields": allowed}}
        case _:
            raise _unknown(method, parts.path)
    return {**wire, "url": base + path}


async def _query(checks: Checks, soql: str, *, deleted: bool) -> str:
    if any(not _ID_REFERENCE.fullmatch(one) for one in _REFERENCE.findall(soql)):
        raise QueryRefused("A query may refer only to the id of another result, as in '@{name.id}'.")
    text = await checks.query(soql, deleted)
    # Salesforce looks for references before it decodes the URL.
    pieces = re.split(f"({_ID_REFERENCE.pattern})", text)
    return "".join(piece if number % 2 else quote(piece, safe="") for number, piece in enumerate(pieces))


def _list(fields: str | None) -> list[str] | None:
    return None if fields is None else [name.strip() for name in fields.split(",") if name.strip()]


def _fields(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise QueryRefused("The body of this subrequest must be an object of fields.")
    return body


def _by_type(body: Any) -> dict[str, list[Mapping[str, Any]]]:
    records = body.get("records") if isinstance(body, Mapping) else None
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in records if isinstance(records, list) else []:
        attributes = record.get("attributes") if isinstance(record, Mapping) else None
        kind = attributes.get("type") if isinstance(attributes, Mapping) else None
        if not isinstance(kind, str):
            raise QueryRefused("Every record of a collection names its object in attributes.type.")
        groups.setdefault(kind, []).append(record)
    if not groups:
        raise QueryRefused("A collection has records.")
    return groups


def _unknown(method: str, path: str) -> QueryRefused:
    return QueryRefused(
        f"What {method} {path[:100]} does cannot be checked against your roles: use the single call for it, or "
        "records by id, queries and collections."
    )
