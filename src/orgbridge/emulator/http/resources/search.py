"""/search (SOSL) and /parameterizedSearch.

Source: facts/salesforce/soql.md section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.query.searching import SearchPlan, plan_search
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON
from orgbridge.soql import SOQLError, parse, parse_search, parse_term, tree
from orgbridge.soql.sosl_tree import Search, SearchGroup

#: Versions up to this one get a bare list. Source: facts/salesforce/soql.md section 5.
_BARE_UNTIL = 36
#: Parameters of a parameterized search that hold for all objects.
_COMMON = frozenset(
    {"q", "fields", "in", "sobjects", "overalllimit", "defaultlimit", "offset", "metadata", "spellcorrection"}
)
#: Parameters that change nothing in an org without article statistics, unless they ask for them.
_STATISTICS = frozenset({"updatetracking", "updateviewstat"})


async def search(call: Call) -> Response:
    """Answer GET /search?q=FIND {...}."""
    for name in call.request.query_params:
        if name not in ("q", "_HttpMethod"):
            raise _unknown(name)
    sosl = call.query("q")
    if not sosl:
        # Assumed: the text, after that of /query.
        raise SFError("MALFORMED_SEARCH", "A search string has to be specified")
    try:
        tree_of_search = parse_search(sosl)
    except SOQLError as error:
        raise SFError(error.error_code, error.message) from error
    return await _answer(call, tree_of_search, sosl, None)


async def parameterized_by_get(call: Call) -> Response:
    """Answer GET /parameterizedSearch?q=Acme&sobject=Account&Account.fields=Id,Name."""
    params = call.request.query_params
    given: dict[str, JSON] = {name.lower(): params[name] for name in params if name != "_HttpMethod"}
    names = [piece for text in params.getlist("sobject") for piece in text.split(",") if piece.strip()]
    sobjects: list[JSON] = []
    for name in map(str.strip, names):
        own: dict[str, JSON] = {"name": name}
        for key in list(given):
            if key.startswith(f"{name.lower()}."):
                own[key.partition(".")[2]] = given.pop(key)
        sobjects.append(own)
    given.pop("sobject", None)
    if sobjects:
        given["sobjects"] = sobjects
    return await _parameterized(call, given)


async def parameterized_by_post(call: Call) -> Response:
    """Answer POST /parameterizedSearch with a JSON body."""
    body = await call.json_object()
    return await _parameterized(call, {name.lower(): value for name, value in body.items()})


async def _parameterized(call: Call, given: Mapping[str, JSON]) -> Response:
    for name, value in given.items():
        is_idle = name in _STATISTICS and str(value).lower() == "false"
        if name not in _COMMON and not is_idle:
            raise _unknown(name)
    text = given.get("q")
    if not isinstance(text, str) or not text.strip():
        raise SFError("MALFORMED_SEARCH", "A search string has to be specified")
    try:
        # Assumed: signs that SOSL reserves part words here, as the text is not inside braces.
        term = parse_term(text, strict=False)
        search_tree = Search(
            term=term,
            group=_group(given.get("in", "ALL")),
            returning=_returning(given),
            limit=_number("overallLimit", given.get("overalllimit")),
        )
    except SOQLError as error:
        raise SFError(error.error_code, error.message) from error
    metadata = str(given.get("metadata") or "").upper()
    if metadata not in ("", "LABELS"):
        raise _unknown(f"metadata={metadata}")
    default_limit = _number("defaultLimit", given.get("defaultlimit"))
    return await _answer(call, search_tree, text, default_limit, with_labels=metadata == "LABELS")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    plan: SearchPlan
    records: list[JSON]


async def _answer(
    call: Call, search_tree: Search, text: str, default_limit: int | None, *, with_labels: bool = False
) -> Response:
    parts, user_id, version = call.parts, call.user_id, f"v{call.version}.0"

    def run() -> _Found:
        plan = plan_search(
            parts.org.view(user_id),
            search_tree,
            text,
            now=parts.clock.now(),
            user_id=user_id,
            default_limit=default_limit,
        )
        with parts.storage.read() as connection:
            return _Found(plan=plan, records=_records(plan, connection, version))

    found = await call.thread(run)
    if call.version <= _BARE_UNTIL:
        return call.json(found.records)
    reply: dict[str, JSON] = {"searchRecords": found.records}
    if with_labels or found.plan.has_labels:
        reply["metadata"] = _labels(found.plan)
    return call.json(reply)


def _records(plan: SearchPlan, connection: Connection, version: str) -> list[JSON]:
    return list(plan.records(connection, version))


def _labels(plan: SearchPlan) -> JSON:
    """Return the labels of the fields asked for. Assumed: the names of the keys."""
    entities: list[JSON] = []
    for one in plan.plans:
        fields: list[JSON] = []
        for column in one.columns:
            field = one.sobject.field(column.header)
            if field is not None:
                fields.append({"name": field.name, "label": field.label})
        entities.append({"entityName": one.sobject.name, "fieldMetadata": fields})
    return {"entityMetadata": entities}


def _returning(given: Mapping[str, JSON]) -> tuple[tree.Query, ...]:
    sobjects = given.get("sobjects") or []
    common = given.get("fields")
    if not isinstance(sobjects, list):
        raise _wrong("sobjects")
    if common is not None and not sobjects:
        raise SFError("MALFORMED_SEARCH", "fields needs at least one of sobjects")
    queries = []
    for item in sobjects:
        described = {"name": item} if isinstance(item, str) else item
        if not isinstance(described, dict) or not isinstance(described.get("name"), str):
            raise _wrong("sobjects")
        queries.append(_query({key.lower(): value for key, value in described.items()}, common))
    offset = _number("offset", given.get("offset"))
    if offset is not None:
        queries = [replace(query, offset=offset) for query in queries]
    return tuple(queries)


def _query(described: Mapping[str, JSON], common: JSON) -> tree.Query:
    for name in described:
        if name not in ("name", "fields", "limit", "where", "orderby"):
            raise _unknown(f"sobjects.{name}")
    fields = _names(described.get("fields") or common or "Id")
    soql = f"SELECT {', '.join(fields)} FROM {described['name']}"  # noqa: S608 SOQL, which is parsed and checked
    for key, word in (("where", "WHERE"), ("orderby", "ORDER BY")):
        value = described.get(key)
        if value is not None and not isinstance(value, str):
            raise _wrong(key)
        soql += f" {word} {value}" if value else ""
    query = parse(soql)
    is_more = query.limit or query.offset or query.group_by or query.with_ or query.scope or query.for_
    if is_more or query.update or query.all_rows or len(query.sources) > 1:
        raise SFError("MALFORMED_SEARCH", "where and orderBy take conditions and sort keys only")
    if any(not isinstance(item, tree.SelectExpression) for item in query.select):
        raise SFError("MALFORMED_SEARCH", "fields takes field names only")
    return replace(query, limit=_number("limit", described.get("limit")))


def _names(value: JSON) -> list[str]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise _wrong("fields")
    return [str(name).strip() for name in names]


def _group(value: JSON) -> SearchGroup:
    name = str(value).upper().removesuffix(" FIELDS")
    if name not in SearchGroup.__members__:
        raise _wrong("in")
    return SearchGroup[name]


def _number(name: str, value: JSON) -> int | None:
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 9:
        raise _wrong(name)
    return int(text)


def _wrong(name: str) -> SFError:
    # Assumed: code and text.
    return SFError("MALFORMED_SEARCH", f"The value of {name} is not understood")


def _unknown(name: str) -> SFError:
    return SFError("FUNCTIONALITY_NOT_ENABLED", f"The emulated org does not know the parameter {name}")
