"""Which fields of an object a role sees, sees masked, and may write; compound and calculated fields included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from orgbridge.services.policies.facts import FieldFacts, ObjectFacts
from orgbridge.services.policies.model import Mask, ObjectRule, RolePolicy

_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_]*(?:\s*\.\s*[A-Za-z_][A-Za-z0-9_]*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRights:
    """What a role may do with each field; names in lower case. A field in neither does not exist for the role."""

    #: Shown as they are.
    plain: frozenset[str]
    #: Shown masked.
    masked: Mapping[str, Mask]
    #: May be written, as far as the policy goes.
    writable: frozenset[str]


def field_rights(role: RolePolicy, rule: ObjectRule, facts: ObjectFacts) -> FieldRights:
    """Return what a rule means for the fields that an object has."""
    masks = dict(rule.masked)
    masked: dict[str, Mask] = {}
    hidden: set[str] = set()
    for name, field in facts.fields.items():
        whole = field.compound if field.compound in facts.fields else None
        if not _is_shown(rule, name, whole):
            hidden.add(name)
        elif name in masks:
            masked[name] = masks[name]
        elif whole is not None and whole in masks:
            # The parts of a masked compound would tell it.
            masked[name] = masks[whole]
    for name, field in facts.fields.items():
        whole = field.compound
        if whole in facts.fields and (name in hidden or (name in masked and whole not in masks)):
            # A compound tells its parts.
            hidden.add(str(whole))
            masked.pop(str(whole), None)
    kept_back = hidden | masked.keys()
    for name, field in facts.fields.items():
        is_listed = name in rule.derived
        if field.is_calculated and not is_listed and not _is_harmless(field, role, facts, kept_back):
            hidden.add(name)
            masked.pop(name, None)
    plain = frozenset(facts.fields.keys() - hidden - masked.keys())
    return FieldRights(plain=plain, masked=masked, writable=plain - rule.read_only - _parts(rule, facts))


def _is_shown(rule: ObjectRule, name: str, whole: str | None) -> bool:
    if name == "id":
        return True
    if name in rule.hidden or (whole is not None and whole in rule.hidden):
        return False
    return rule.visible is None or name in rule.visible or (whole is not None and whole in rule.visible)


def _parts(rule: ObjectRule, facts: ObjectFacts) -> set[str]:
    return {name for name, field in facts.fields.items() if field.compound in rule.read_only}


def _is_harmless(field: FieldFacts, role: RolePolicy, facts: ObjectFacts, kept_back: set[str]) -> bool:
    """Tell whether a formula can tell nothing that is kept back: it is told, and names only fields that are shown.

    A roll-up counts rows that the role may not see, and a path in a formula leaves the object: both are shown only to
    a role from which nothing at all is kept back, or where the policy lists them as `derived`.
    """
    if role.shows_everything:
        return True
    if field.formula is None:
        return False
    text = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|/\*.*?\*/', " ", field.formula, flags=re.DOTALL)
    for found in _WORD.findall(text):
        word = re.sub(r"\s", "", found).lower()
        if "." in word or word in kept_back:
            return False
        other = facts.fields.get(word)
        if other is not None and other.is_calculated:
            # What the other one is made of may not be known yet.
            return False
    return True
