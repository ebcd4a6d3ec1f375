"""The firewall for SOSL: each object of RETURNING is checked as a query is, and what is looked through as well.

A search finds a record by text in any of its fields: whether it is found tells what stands there. So a search is let
through only where every field that it looks through is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orgbridge.services.policies.errors import QueryRefused
from orgbridge.services.policies.facts import ObjectFacts
from orgbridge.services.policies.firewall import QueryScope
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.policy import Policy
from orgbridge.services.policies.questions import Lookup, Question
from orgbridge.soql import parse_search, print_search, tree
from orgbridge.soql.sosl_tree import Search, SearchGroup
from orgbridge.wire.fieldtypes import FieldType

_SEARCH = frozenset({Operation.SEARCH})
#: Types that no search looks through. Everything else may be, also where the emulated org does not.
_NEVER_SEARCHED = frozenset(
    {
        FieldType.ID, FieldType.REFERENCE, FieldType.BOOLEAN, FieldType.INT, FieldType.DOUBLE, FieldType.CURRENCY,
        FieldType.PERCENT, FieldType.DATE, FieldType.DATETIME, FieldType.TIME, FieldType.ADDRESS, FieldType.LOCATION,
    }
)  # fmt: skip
#: Settings that change nothing of what is found or shown.
_HARMLESS_SETTINGS = frozenset({"spell_correction", "metadata"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuredSearch:
    """A search that may be run."""

    search: Search
    #: Its text.
    text: str


def secure_search(sosl: str, policy: Policy, lookup: Lookup) -> SecuredSearch:
    """Return a search as a policy allows it.

    Raises:
        SOQLError: The text is no SOSL.
        PolicyError: The search may not be run.
    """
    search = parse_search(sosl)
    if policy.is_unrestricted:
        return SecuredSearch(search=search, text=sosl)
    if not search.returning:
        raise QueryRefused("Name the objects to be searched: RETURNING Account(Id, Name).")
    for setting in search.settings:
        if setting.name.lower() not in _HARMLESS_SETTINGS:
            raise QueryRefused(
                f"WITH {setting.name} cannot be checked: leave it out.", soql=sosl, position=setting.position
            )
    question = Question(sosl, policy, lookup, _SEARCH)
    secured = replace(search, returning=tuple(_returned(question, query, search.group) for query in search.returning))
    text = print_search(secured)
    if parse_search(text) != secured:
        raise QueryRefused("The search cannot be written in a form that is sure to be read as it was checked.")
    return SecuredSearch(search=secured, text=text)


def _returned(question: Question, query: tree.Query, group: SearchGroup) -> tree.Query:
    source = query.sources[0]
    facts = question.object(source.path[0], source.position)
    searched = _searched(facts, group)
    if not any(one.rights.plain >= searched for one in question.view(facts).grants):
        raise question.refused(
            f"A search looks through fields of {facts.name} that are not shown to you as they are, and what it finds "
            "would tell of them: use a query, or search IN EMAIL FIELDS or IN PHONE FIELDS if that is enough.",
            source.position,
        )
    scope = QueryScope(question, facts, query, takes_subqueries=False)
    for name in searched:
        scope.compare_root(name)
    return scope.secured(outer_name=facts.name)


def _searched(facts: ObjectFacts, group: SearchGroup) -> frozenset[str]:
    match group:
        case SearchGroup.EMAIL:
            return frozenset(name for name, field in facts.fields.items() if field.type == FieldType.EMAIL.value)
        case SearchGroup.PHONE:
            return frozenset(name for name, field in facts.fields.items() if field.type == FieldType.PHONE.value)
        case _:
            # Which fields count as names differs by object (a web site does): all that hold text.
            return frozenset(name for name, field in facts.fields.items() if field.type not in _NEVER_SEARCHED)
