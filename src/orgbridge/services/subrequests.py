"""What one subrequest of a composite call does, found from its method, URL and body before anything is sent.

Only what can be told for certain passes: records by id or external id, queries whose text can be parsed, collections,
describes. Everything else is refused, so that no subrequest does what nobody has checked.

A reference `@{name.field}` is put in by Salesforce after we have looked. It may therefore stand only where its value
cannot change what the subrequest does: as a value in a body; and where it can be nothing but an id (`@{name.id}`), in a
path and inside the quotes of a query.

Source: facts/salesforce/composite.md section 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from orgbridge.client.transport.requests import segment, with_params
from orgbridge.services.binds import soql_refused
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.names import check_field, check_fields, check_object
from orgbridge.services.queries import check_soql
from orgbridge.soql import SOQLError, parse, tree, walk
from orgbridge.wire.ids import to_18
from orgbridge.wire.limits import COLLECTION_RECORDS

_VERSION = re.compile(r"/services/data/v\d{1,3}\.\d/")
_REFERENCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,254}\Z")
_ID_REFERENCE = re.compile(r"@\{[A-Za-z0-9][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+|\[\d+\])*\.[Ii]d\}")
#: An id that stands for a reference while a query is parsed.
_SOME_ID = "001000000000000AAA"
#: Headers that change how a subrequest is done and not what it may do, in lower case. Source: rest.md section 4.
_HEADERS = frozenset(
    {
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "sforce-auto-assign",
        "sforce-duplicate-rule-header",
        "sforce-mru",
        "sforce-query-options",
    }
)


class Action(StrEnum):
    """What a subrequest does."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    QUERY = "query"
    DESCRIBE = "describe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subrequest:
    """One subrequest, understood."""

    #: What it does.
    action: Action
    #: Objects that it names, as written; for a query those of its FROM clauses, subqueries included.
    objects: tuple[str, ...]
    #: Fields that it reads or writes by name, as written; empty for all readable ones and for queries.
    fields: tuple[str, ...] = ()
    #: The text of a query.
    soql: str | None = None
    #: Name of it and of its result.
    reference_id: str = ""
    #: As it is sent: `method`, `url`, `referenceId`, `body`, `httpHeaders`.
    wire: Mapping[str, Any] = field(repr=False)

    @property
    def writes(self) -> bool:
        """True when it may change something."""
        return self.action not in (Action.READ, Action.QUERY, Action.DESCRIBE)

    @property
    def counts_as_query(self) -> bool:
        """True when it is one of the few queries and collections that a call may have."""
        return self.action is Action.QUERY or "/composite/" in str(self.wire["url"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the path and the body say."""

    action: Action
    #: Below the base path, segments encoded.
    path: str
    objects: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    soql: str | None = None


def understood(item: Mapping[str, Any], base_path: str) -> Subrequest:
    """Return what a subrequest does.

    Args:
        item: `method`, `url`, `referenceId`, and perhaps `body` and `httpHeaders`. The URL may begin with
            `/services/data/vXX.X/` of any version, or after it; it is sent with our version.
        base_path: Where resources of our version lie, without a slash at the end.

    Raises:
        InvalidRequest: It cannot be told what it does, or it does what is not allowed here.
    """
    method, reference = str(item["method"]), str(item["referenceId"])
    if not _REFERENCE_ID.match(reference):
        raise InvalidRequest("A referenceId has letters, digits and underscores and begins with a letter or digit.")
    found = _analysed(method, str(item["url"]), item.get("body"))
    wire: dict[str, Any] = {"method": method, "url": f"{base_path}/{found.path}", "referenceId": reference}
    if item.get("body") is not None:
        wire["body"] = item["body"]
    if headers := item.get("httpHeaders"):
        for name in headers:
            if str(name).lower() not in _HEADERS:
                raise InvalidRequest(f"The header {str(name)[:60]!r} is not allowed in a subrequest.")
        wire["httpHeaders"] = dict(headers)
    return Subrequest(
        action=found.action,
        objects=found.objects,
        fields=found.fields,
        soql=found.soql,
        reference_id=reference,
        wire=wire,
    )


def _analysed(method: str, url: str, body: Any) -> _Found:
    parts = urlsplit(_VERSION.sub("", url, count=1) if _VERSION.match(url) else url)
    if parts.scheme or parts.netloc or parts.fragment or parts.path.startswith("/"):
        raise InvalidRequest("A subrequest's url is a path below /services/data/vXX.X/.")
    params = parse_qsl(parts.query, keep_blank_values=True)
    if len(dict(params)) != len(params):
        raise InvalidRequest("A subrequest's url gives a parameter twice.")
    segments = [unquote(piece) for piece in parts.path.strip("/").split("/")]
    if any(piece in ("", ".", "..") for piece in segments):
        raise InvalidRequest("A subrequest's url has an empty segment.")
    match [piece if number else piece.lower() for number, piece in enumerate(segments)]:
        case ["sobjects", *rest]:
            return _record(method, rest, dict(params), body)
        case [("query" | "queryall") as word]:
            return _query(method, "queryAll" if word == "queryall" else "query", dict(params))
        case ["composite", "sobjects", *rest]:
            return _collection(method, rest, dict(params), body)
        case _:
            raise _denied(method, parts.path)


def _record(method: str, rest: Sequence[str], params: Mapping[str, str], body: Any) -> _Found:
    match (method, rest):
        case ("GET", []):
            _only(params)
            return _Found(action=Action.DESCRIBE, path="sobjects")
        case ("GET", [name, "describe"]):
            _only(params)
            return _Found(action=Action.DESCRIBE, path=f"sobjects/{check_object(name)}/describe", objects=(name,))
        case ("POST", [name]):
            _only(params)
            fields = _body_fields(body)
            return _Found(action=Action.CREATE, path=f"sobjects/{check_object(name)}", objects=(name,), fields=fields)
        case ("GET" | "PATCH" | "DELETE", [name, identifier]):
            path = f"sobjects/{check_object(name)}/{_identifier(identifier)}"
            return _row(method, path, name, params, body, Action.UPDATE)
        case ("GET" | "PATCH" | "DELETE", [name, key, value]) if not _is_identifier(key):
            path = f"sobjects/{check_object(name)}/{check_field(key, 'The key in a url')}/{_value(value)}"
            return _row(method, path, name, params, body, Action.UPSERT)
        case _:
            raise _denied(method, "/".join(["sobjects", *rest]))


def _row(method: str, path: str, name: str, params: Mapping[str, str], body: Any, write: Action) -> _Found:
    if method == "PATCH":
        _only(params)
        return _Found(action=write, path=path, objects=(name,), fields=_body_fields(body))
    if method == "DELETE":
        _only(params)
        return _Found(action=Action.DELETE, path=path, objects=(name,))
    _only(params, "fields")
    fields = tuple(check_fields(params.get("fields")) or ())
    target = with_params(path, {"fields": ",".join(fields)} if fields else None)
    return _Found(action=Action.READ, path=target, objects=(name,), fields=fields)


def _query(method: str, word: str, params: Mapping[str, str]) -> _Found:
    if method != "GET" or set(params) != {"q"}:
        raise _denied(method, word)
    soql = check_soql(params["q"])
    plain = _ID_REFERENCE.sub(_SOME_ID, soql)
    if "@{" in plain:
        raise InvalidRequest("A query may refer only to the id of another result, as in '@{name.id}'.")
    try:
        query = parse(plain)
    except SOQLError as error:
        raise soql_refused(plain, error) from error
    texts = sum(node.value.count(_SOME_ID) for node in walk(query) if isinstance(node, tree.StringValue))
    if texts < len(_ID_REFERENCE.findall(soql)):
        raise InvalidRequest("A reference in a query must stand inside quotes.")
    objects = tuple(
        dict.fromkeys(".".join(node.sources[0].path) for node in walk(query) if isinstance(node, tree.Query))
    )
    return _Found(action=Action.QUERY, path=f"{word}?q={_encoded(soql)}", objects=objects, soql=plain)


def _collection(method: str, rest: Sequence[str], params: Mapping[str, str], body: Any) -> _Found:
    match (method, rest):
        case ("POST" | "PATCH", []):
            _only(params)
            objects, fields = _collected(body)
            action = Action.CREATE if method == "POST" else Action.UPDATE
            return _Found(action=action, path="composite/sobjects", objects=objects, fields=fields)
        case ("PATCH", [name, key]):
            _only(params)
            objects, fields = _collected(body)
            if {item.lower() for item in objects} != {name.lower()}:
                raise InvalidRequest(f"The records of this collection must be of type {name}.")
            path = f"composite/sobjects/{check_object(name)}/{check_field(key, 'The key in a url')}"
            return _Found(action=Action.UPSERT, path=path, objects=objects, fields=fields)
        case ("POST", [name]):
            _only(params)
            if not isinstance(body, Mapping) or set(body) != {"ids", "fields"} or not isinstance(body["fields"], list):
                raise InvalidRequest("Records are retrieved by `ids` and `fields`.")
            fields = tuple(check_fields(",".join(str(item) for item in body["fields"])) or ())
            path = f"composite/sobjects/{check_object(name)}"
            return _Found(action=Action.READ, path=path, objects=(name,), fields=fields)
        case _:
            # A collection is deleted by ids alone, which do not tell the object that they are of.
            raise _denied(method, "/".join(["composite", "sobjects", *rest]))


def _collected(body: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the objects and the fields of a collection's records."""
    records = body.get("records") if isinstance(body, Mapping) else None
    if not isinstance(records, list) or not 1 <= len(records) <= COLLECTION_RECORDS:
        raise InvalidRequest(f"A collection has `records`, 1 to {COLLECTION_RECORDS} of them.")
    if set(body) - {"records", "allOrNone"}:
        raise InvalidRequest("A collection has `records` and `allOrNone` and nothing else.")
    objects: dict[str, None] = {}
    fields: dict[str, None] = {}
    for record in records:
        attributes = record.get("attributes") if isinstance(record, Mapping) else None
        name = attributes.get("type") if isinstance(attributes, Mapping) else None
        if not isinstance(name, str):
            raise InvalidRequest("Every record of a collection names its object in `attributes.type`.")
        objects[check_object(name)] = None
        fields |= dict.fromkeys(_body_fields(record))
    return tuple(objects), tuple(fields)


def _body_fields(body: Any) -> tuple[str, ...]:
    if not isinstance(body, Mapping):
        raise InvalidRequest("The body of this subrequest is an object of fields.")
    names = tuple(name for name in body if name.lower() not in ("attributes", "id"))
    for name in names:
        check_field(name, "A field name in a body")
    return names


def _identifier(text: str) -> str:
    if not _is_identifier(text):
        raise InvalidRequest(f"{text[:60]!r} in a url is neither a record id nor a reference to one.")
    return text


def _is_identifier(text: str) -> bool:
    # Ids have digits; names of 15 or 18 letters may be a field's.
    return bool(_ID_REFERENCE.fullmatch(text)) or (to_18(text) is not None and any(letter.isdigit() for letter in text))


def _encoded(text: str) -> str:
    """Return the text for a URL; Salesforce finds references before it decodes, so they stay as they are."""
    out, end = [], 0
    for found in _ID_REFERENCE.finditer(text):
        out += [quote(text[end : found.start()], safe=""), found.group()]
        end = found.end()
    return "".join([*out, quote(text[end:], safe="")])


def _value(text: str) -> str:
    if _ID_REFERENCE.fullmatch(text):
        return text
    if "@{" in text:
        raise InvalidRequest("In a url only the id of another result may be referred to, as in @{name.id}.")
    return segment(text)


def _only(params: Mapping[str, str], *names: str) -> None:
    if strange := set(params) - set(names):
        raise InvalidRequest(f"The parameter {min(strange)[:60]!r} is not allowed in this subrequest.")


def _denied(method: str, path: str) -> InvalidRequest:
    return InvalidRequest(
        f"{method} {path[:100]} is not allowed in a composite call here: records by id or external id, query, "
        "queryAll, collections and describes are."
    )
