"""Duplicate rules in a simple form: rows are duplicates when all the fields of a rule say the same.

Read from `duplicateRules` and `matchingRules` of a Salesforce DX source folder; matching rules that compare in any
other way than exactly are refused, since what they would match is not documented.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orgbridge.emulator.schema.metadata_files import Element, MetadataError, read_xml

#: What a caller is told when the rule has no text. Source: facts/salesforce/errors.md section 2.
ALERT = "Use one of these records?"


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateRule:
    """One active duplicate rule."""

    #: API name.
    name: str
    #: Object whose rows are compared with each other.
    sobject: str
    #: API name of the matching rule.
    matching_rule: str = "Exact"
    #: Fields that must all hold the same text, without regard to case; rows with nothing in one of them never match.
    fields: tuple[str, ...]
    #: A new row that has a duplicate is refused for good; False lets it be saved on purpose.
    blocks_inserts: bool = True
    #: The same for changes.
    blocks_updates: bool = True
    #: A new row that has a duplicate, and is not blocked, is told of it.
    alerts_inserts: bool = True
    #: The same for changes.
    alerts_updates: bool = True
    #: What the caller is told.
    message: str = ALERT


def read_duplicate_rules(folder: Path) -> tuple[DuplicateRule, ...]:
    """Return the active duplicate rules of a source folder.

    Raises:
        MetadataError: A file cannot be read, or a rule compares in a way that is not emulated.
    """
    matching = {}
    for path in sorted(folder.rglob("*.matchingRule-meta.xml")):
        sobject = path.name.partition(".")[0]
        for element in read_xml(path).all("matchingRules"):
            matching[sobject, element.text("fullName") or ""] = (path, element)
    rules = []
    for path in sorted(folder.rglob("*.duplicateRule-meta.xml")):
        root = read_xml(path)
        if root.flag("isActive"):
            rules.append(_rule(path, root, matching))
    return tuple(rules)


def _rule(path: Path, root: Element, matching: dict[tuple[str, str], tuple[Path, Element]]) -> DuplicateRule:
    sobject, _, name = path.name.removesuffix(".duplicateRule-meta.xml").partition(".")
    matches = root.all("duplicateRuleMatchRules")
    if len(matches) != 1 or matches[0].text("matchRuleSObjectType") not in (None, sobject):
        raise MetadataError(path, "a duplicate rule must have one matching rule, of its own object, to be emulated")
    known = matching.get((sobject, matches[0].text("matchingRule") or ""))
    if known is None:
        raise MetadataError(path, f"there is no matching rule {matches[0].text('matchingRule')} in the folder")
    return DuplicateRule(
        name=name,
        sobject=sobject,
        matching_rule=known[1].text("fullName") or "",
        fields=_fields(*known),
        blocks_inserts=root.text("actionOnInsert") == "Block",
        blocks_updates=root.text("actionOnUpdate") == "Block",
        alerts_inserts=any(one.own_text == "Alert" for one in root.all("operationsOnInsert")),
        alerts_updates=any(one.own_text == "Alert" for one in root.all("operationsOnUpdate")),
        message=root.text("alertText") or ALERT,
    )


def _fields(path: Path, element: Element) -> tuple[str, ...]:
    items = element.all("matchingRuleItems")
    if element.text("booleanFilter") or not items:
        raise MetadataError(path, "a matching rule with a filter of its own is not emulated")
    for item in items:
        if item.text("matchingMethod") != "Exact" or item.text("blankValueBehavior") == "MatchBlanks":
            raise MetadataError(path, "a matching rule that is not Exact, or matches blanks, is not emulated")
    return tuple(item.text("fieldName") or "" for item in items)
