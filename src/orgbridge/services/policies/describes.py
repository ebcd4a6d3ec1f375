"""Describes as a caller may see them: what is hidden is not there, what may not be written says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgbridge.services.policies.facts import ObjectFacts
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.policy import Policy
from orgbridge.wire.bulk import IngestOperation

_FLAGS: dict[str, tuple[Operation, ...]] = {
    "createable": (Operation.CREATE, Operation.UPSERT),
    "updateable": (Operation.UPDATE, Operation.UPSERT),
    "deletable": (Operation.DELETE, Operation.HARD_DELETE),
    "undeletable": (),
    "mergeable": (),
    "queryable": (Operation.QUERY, Operation.EXPORT),
    "retrieveable": (Operation.READ,),
    "searchable": (Operation.SEARCH,),
}
_LOADS: dict[str, tuple[IngestOperation, ...]] = {
    "createable": (IngestOperation.INSERT, IngestOperation.UPSERT),
    "updateable": (IngestOperation.UPDATE, IngestOperation.UPSERT),
    "deletable": (IngestOperation.DELETE, IngestOperation.HARD_DELETE),
}
#: What describe tells of a field by naming others or by its formula.
_TELLING = ("calculatedFormula", "defaultValueFormula", "filteredLookupInfo")


def objects_view(value: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    """Return the list of all objects with those that the caller may know."""
    shown = [item for item in value.get("sobjects", []) if policy.grants(str(item.get("name", "")))]
    return {**value, "sobjects": [_flags(item, policy) for item in shown]}


def describe_view(value: Mapping[str, Any], facts: ObjectFacts, policy: Policy) -> dict[str, Any]:
    """Return a describe with the fields and relationships that the caller may know."""
    views = [policy.view(facts, frozenset({operation})) for operation in Operation]
    loads = [policy.load_view(facts, operation) for operation in IngestOperation]
    shown = frozenset().union(*(view.shown for view in [*views, *loads]))
    plain = frozenset().union(*(one.rights.plain for view in [*views, *loads] for one in view.grants))
    writable = {
        "createable": _writable(policy, facts, (Operation.CREATE, Operation.UPSERT), _LOADS["createable"]),
        "updateable": _writable(policy, facts, (Operation.UPDATE, Operation.UPSERT), _LOADS["updateable"]),
    }
    fields = []
    for field in value.get("fields", []):
        name = str(field["name"]).lower()
        if name not in shown:
            continue
        view = dict(field)
        for flag, names in writable.items():
            view[flag] = bool(field.get(flag)) and name in names
        if name not in plain:
            for flag in ("filterable", "sortable", "groupable", "aggregatable", "idLookup", "externalId"):
                view[flag] = False
        for key in ("controllerName", "referenceTargetField", "compoundFieldName"):
            if view.get(key) and str(view[key]).lower() not in shown:
                view[key] = None
        if len(shown) < len(facts.fields):
            # A formula may name what is hidden.
            view.update(dict.fromkeys((key for key in _TELLING if key in view), None))
        if view.get("referenceTo"):
            view["referenceTo"] = [target for target in view["referenceTo"] if policy.grants(str(target))]
            if not view["referenceTo"]:
                view["relationshipName"] = None
        fields.append(view)
    children = [
        child for child in value.get("childRelationships", []) if policy.grants(str(child.get("childSObject", "")))
    ]
    return {**_flags(value, policy), "fields": fields, "childRelationships": children}


def _flags(value: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    name = str(value.get("name", ""))
    flags = {}
    for flag, operations in _FLAGS.items():
        if flag in value:
            allowed = any(policy.allows(name, operation) for operation in operations) or any(
                policy.allows_load(name, operation) for operation in _LOADS.get(flag, ())
            )
            flags[flag] = bool(value[flag]) and allowed
    return {**value, **flags}


def _writable(
    policy: Policy, facts: ObjectFacts, operations: tuple[Operation, ...], loads: tuple[IngestOperation, ...]
) -> frozenset[str]:
    views = [policy.view(facts, frozenset({operation})) for operation in operations]
    views += [policy.load_view(facts, operation) for operation in loads]
    return frozenset().union(*(one.rights.writable for view in views for one in view.grants))
