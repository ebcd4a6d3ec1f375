"""Rows that a duplicate rule finds to be there already.

A record is compared with the live rows of the org, not with the others of its call. Source: facts/salesforce/errors.md
section 2 (DUPLICATES_DETECTED and `duplicateResult`).
"""

from __future__ import annotations

from collections.abc import Sequence

from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.lookups import json_list
from orgbridge.emulator.org.rowrules import RowRule, Rows
from orgbridge.emulator.org.values import add_fault
from orgbridge.emulator.schema.duplicate_rules import DuplicateRule
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.merging import UnknownObjectError
from orgbridge.emulator.schema.model import Catalogue, SObject
from orgbridge.emulator.storage.tables import column_type, quote
from orgbridge.kit.json import JSON


def check_duplicate_rules(catalogue: Catalogue, rules: Sequence[DuplicateRule]) -> None:
    """Refuse rules that compare what is not there.

    Raises:
        UnknownObjectError: A rule names an object or a field that the org does not have.
    """
    for rule in rules:
        sobject = catalogue.sobject(rule.sobject)
        for name in rule.fields:
            field = None if sobject is None else sobject.field(name)
            if field is None or not field.is_stored or column_type(field) != "TEXT":
                where = f"{rule.sobject}.{name}"
                raise UnknownObjectError(f"The duplicate rule {rule.name} compares {where}, which is no field of text")


def duplicate_row_rules(sobject: SObject, rules: Sequence[DuplicateRule]) -> tuple[RowRule, ...]:
    """Return the duplicate rules of an object."""
    found = []
    for rule in rules:
        if rule.sobject.lower() != sobject.name.lower():
            continue
        found.append(_row_rule(sobject, rule))
    return tuple(found)


def _row_rule(sobject: SObject, rule: DuplicateRule) -> RowRule:
    names = tuple(f.name for f in map(sobject.field, rule.fields) if f is not None)

    def check(rows: Rows) -> None:
        creating = rows.ids is None
        blocks = rule.blocks_inserts if creating else rule.blocks_updates
        alerts = rule.alerts_inserts if creating else rule.alerts_updates
        if not blocks and (not alerts or rows.context.allow_duplicates):
            return
        keys = [
            None if None in row else tuple(str(value).casefold() for value in row)
            for row in zip(*(rows.merged[name] for name in names), strict=True)
        ]
        known = _known(rows.context, sobject, names, {key for key in keys if key is not None})
        for place, key in enumerate(keys):
            own = None if rows.ids is None else rows.ids[place]
            others = [i for i in known.get(key, ()) if i != own] if key is not None else []
            if others:
                add_fault(rows.batch.faults, place, _fault(sobject, rule, others, allow=not blocks))

    return RowRule(names, check)


def _known(
    context: Context, sobject: SObject, names: Sequence[str], keys: set[tuple[str, ...]]
) -> dict[tuple[str, ...], list[str]]:
    """Return the live rows with these values, by their values without regard to case."""
    if not keys:
        return {}
    first = sobject.field(names[0])
    folded = first is not None and first.has_key and not first.case_sensitive
    column = quote(first.key_column) if first is not None and folded else f"SF_FOLD({quote(names[0])})"
    found: dict[tuple[str, ...], list[str]] = {}
    for record_id, *values in context.connection.execute(
        f"SELECT Id, {', '.join(map(quote, names))} FROM {quote(sobject.name)}"  # noqa: S608 names come from the catalogue
        f" WHERE IsDeleted = 0 AND {column} IN (SELECT value FROM json_each(?)) ORDER BY Id",
        (json_list({key[0] for key in keys}),),
    ):
        key = tuple(str(value).casefold() for value in values)
        if None not in values and key in keys:
            found.setdefault(key, []).append(record_id)
    return found


def _fault(sobject: SObject, rule: DuplicateRule, others: Sequence[str], *, allow: bool) -> Fault:
    matches: list[JSON] = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": sobject.name}, "Id": record_id},
        }
        for record_id in others
    ]
    result: JSON = {
        "allowSave": allow,
        "duplicateRule": rule.name,
        "duplicateRuleEntityType": sobject.name,
        "errorMessage": rule.message,
        "matchResults": [
            {
                "entityType": sobject.name,
                "errors": [],
                "matchEngine": "ExactMatchEngine",
                "matchRecords": matches,
                "rule": rule.matching_rule,
                "size": len(matches),
                "success": True,
            }
        ],
    }
    return Fault("DUPLICATES_DETECTED", rule.message, (), {"duplicateResult": result})
