"""SOSL: one statement per object, which looks for words in its text fields.

What is found where, as this org does it (Assumed, each): a word is found as a whole and without regard to case,
without stemming, synonyms or ranking; words that all must be found may stand in different fields of a record; records
come in the order in which they were made unless ORDER BY says otherwise. ALL FIELDS are those that people write text
into, not picklists, references and encrypted text; SIDEBAR FIELDS are names, emails, phones and external ids.

Source: facts/salesforce/soql.md section 5 (groups, at most 2,000 results).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from orgbridge.emulator.query import results
from orgbridge.emulator.query.fragments import Fragment, balanced
from orgbridge.emulator.query.planner import plan_tree
from orgbridge.emulator.query.plans import QueryPlan
from orgbridge.emulator.query.refusals import Refusals
from orgbridge.emulator.query.scopes import Scope
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.words import word_pattern
from orgbridge.kit.json import JSON
from orgbridge.soql import tree
from orgbridge.soql.sosl_tree import AllOf, AnyOf, Search, SearchGroup, Term, Without, Words
from orgbridge.wire.fieldtypes import FieldType

#: Results of one search. Source: facts/salesforce/soql.md section 5.
MAX_RESULTS = 2_000
#: Fields given to one call of an SQL function, which takes 127 arguments.
_FIELDS_AT_ONCE = 100
_WRITTEN = frozenset(
    {FieldType.STRING, FieldType.TEXTAREA, FieldType.EMAIL, FieldType.PHONE, FieldType.URL, FieldType.COMBOBOX}
)
#: Settings of WITH that change nothing here: spelling is never corrected.
_IDLE_SETTINGS = frozenset({"SPELL_CORRECTION"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """A search that may be run."""

    #: One plan per object, in order.
    plans: tuple[QueryPlan, ...]
    #: Most results.
    limit: int
    #: Whether labels of the fields are to be given with the results.
    has_labels: bool

    def records(self, connection: Connection, version: str) -> Iterator[dict[str, JSON]]:
        """Yield the records found, object by object."""
        left = self.limit
        for plan in self.plans:
            if left <= 0:
                return
            for record in results.page(plan, connection, version=version, size=left).records:
                left -= 1
                yield record


def plan_search(
    catalogue: Catalogue, search: Search, sosl: str, *, now: datetime, user_id: str, default_limit: int | None = None
) -> SearchPlan:
    """Return the plan of a search.

    Args:
        catalogue: The objects of the org.
        search: Its tree.
        sosl: Its text, which messages show.
        now: The present instant, which relative dates count from.
        user_id: Who asks.
        default_limit: Most results of an object that has no LIMIT of its own.

    Raises:
        SFError: The search names what is not there, or asks for what is not evaluated. Nothing was read.
    """
    refusals = Refusals(sosl)
    has_labels = _check_settings(search, refusals)
    if len(search.returning) > 1 and any(query.offset is not None for query in search.returning):
        text = "OFFSET is allowed only when one object is returned"
        raise refusals.at("MALFORMED_SEARCH", search.returning[0].position, text)
    queries = search.returning or tuple(_all_objects(catalogue))
    plans = []
    for query in queries:
        sobject = catalogue.sobject(query.sources[0].path[0])
        if sobject is not None and not sobject.searchable:
            # Assumed: code and text.
            text = f"entity type {sobject.name} does not support search"
            raise SFError("INVALID_TYPE_FOR_OPERATION", text)
        own = query.limit if isinstance(query.limit, int) else None
        limited = replace(query, limit=_smallest(own, None if own else default_limit, MAX_RESULTS))
        plans.append(_plan(catalogue, limited, search, sosl, now, user_id))
    return SearchPlan(plans=tuple(plans), limit=_smallest(search.limit, MAX_RESULTS), has_labels=has_labels)


def _plan(catalogue: Catalogue, query: tree.Query, search: Search, sosl: str, now: datetime, user_id: str) -> QueryPlan:
    def match(scope: Scope) -> Fragment:
        columns = [f'{scope.alias}."{field.name}"' for field in _fields(scope.sobject, search.group)]
        return _condition(search.term, columns)

    try:
        plan = plan_tree(catalogue, query, sosl, now=now, user_id=user_id, restriction=match)
    except SFError as error:
        if error.code == "MALFORMED_QUERY":
            raise SFError("MALFORMED_SEARCH", error.message) from error
        raise
    if plan.is_count or plan.is_aggregate:
        raise SFError("MALFORMED_SEARCH", "Aggregate functions are not supported in SOSL")
    return plan


def _check_settings(search: Search, refusals: Refusals) -> bool:
    """Tell whether labels are asked for; refuse settings that would change the results."""
    has_labels = False
    for setting in search.settings:
        value = setting.value.value if isinstance(setting.value, tree.StringValue) else None
        if setting.name.upper() == "METADATA" and value is not None and value.upper() == "LABELS":
            has_labels = True
        elif setting.name.upper() not in _IDLE_SETTINGS or setting.value is None:
            raise refusals.at("MALFORMED_SEARCH", setting.position, f"unexpected token: '{setting.name}'")
    return has_labels


def _all_objects(catalogue: Catalogue) -> Iterator[tree.Query]:
    select = (tree.SelectExpression(expression=tree.FieldPath(parts=("Id",))),)
    for sobject in catalogue.sobjects():
        if sobject.searchable and sobject.queryable:
            yield tree.Query(select=select, sources=(tree.FromItem(path=(sobject.name,)),))


def _smallest(*limits: int | None) -> int:
    return min(limit for limit in limits if limit is not None)


def _fields(sobject: SObject, group: SearchGroup) -> list[Field]:
    wanted: Callable[[Field], bool]
    match group:
        case SearchGroup.ALL:
            wanted = _is_written
        case SearchGroup.NAME:
            wanted = _is_name
        case SearchGroup.EMAIL:
            wanted = _is_email
        case SearchGroup.PHONE:
            wanted = _is_phone
        case SearchGroup.SIDEBAR:
            wanted = _is_in_sidebar
        case _:
            assert_never(group)
    return [field for field in sobject.stored_fields if field.type in _WRITTEN and wanted(field)]


def _is_written(field: Field) -> bool:
    return field.type in _WRITTEN


def _is_name(field: Field) -> bool:
    return field.name_field


def _is_email(field: Field) -> bool:
    return field.type is FieldType.EMAIL


def _is_phone(field: Field) -> bool:
    return field.type is FieldType.PHONE


def _is_in_sidebar(field: Field) -> bool:
    return field.name_field or field.external_id or field.type in (FieldType.EMAIL, FieldType.PHONE)


def _condition(term: Term, columns: list[str]) -> Fragment:
    match term:
        case Words(words=words):
            return _found(word_pattern(list(words)), columns)
        case AllOf(items=items):
            return balanced("AND", [_condition(item, columns) for item in items])
        case AnyOf(items=items):
            return balanced("OR", [_condition(item, columns) for item in items])
        case Without(item=item):
            return _condition(item, columns).wrap("NOT (", ")")
        case _:
            assert_never(term)


def _found(pattern: str, columns: list[str]) -> Fragment:
    chunks = [columns[start : start + _FIELDS_AT_ONCE] for start in range(0, len(columns), _FIELDS_AT_ONCE)]
    pieces = [Fragment(f"SF_CONTAINS(?, {', '.join(chunk)})", (pattern,)) for chunk in chunks]
    return balanced("OR", pieces) if pieces else Fragment("0")
