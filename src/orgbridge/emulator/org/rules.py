"""What an object asks of every record, worked out once from its fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from orgbridge.emulator.org.duplicates import duplicate_row_rules
from orgbridge.emulator.org.hierarchies import parent_fields
from orgbridge.emulator.org.locks import RowLocks
from orgbridge.emulator.org.rollups import rollups
from orgbridge.emulator.org.rowrules import RowRule, row_rules
from orgbridge.emulator.org.values import Check, checker
from orgbridge.emulator.schema.duplicate_rules import DuplicateRule
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.emulator.schema.rendering import Stored
from orgbridge.wire.fieldtypes import FieldType

#: Objects whose rows bring others along, beside those that have totals in a parent.
_FAR = frozenset({"Asset", "ContentVersion", "PricebookEntry"})
_MANY_FIELDS, _MANY_CHARACTERS = 200, 50_000
_AUDIT = frozenset(
    {"Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The compiled rules of one object."""

    #: The object.
    sobject: SObject
    #: Fields that an insert must give.
    required: tuple[Field, ...]
    #: Fields that may never be cleared, though an insert may leave them out.
    not_null: tuple[Field, ...]
    #: Stored values that an insert without one gets.
    defaults: Mapping[str, Stored]
    #: References to other rows, by name.
    references: Mapping[str, Field]
    #: Fields of which two live rows may not hold the same value.
    unique: tuple[Field, ...]
    #: Fields with a shadow column.
    keyed: Mapping[str, Field]
    #: Fields that the platform numbers.
    auto_numbers: tuple[Field, ...]
    #: How each field's text becomes its value.
    checks: Mapping[str, Check]
    #: What is asked of several fields at once, or of other rows.
    row_rules: tuple[RowRule, ...]
    #: Record type of new rows that name none; None where there is no default.
    record_type: str | None
    #: Fields, in lower case, that make a save look at any number of rows when given; None when every save does.
    far_fields: frozenset[str] | None

    def reaches_little(self, row: Mapping[str, Any]) -> bool:
        """Tell whether saving a row reads and writes a few rows found by index at most, and is short itself."""
        if self.far_fields is None or len(row) > _MANY_FIELDS:
            return False
        size = 0
        for value in row.values():
            if isinstance(value, str):
                size += len(value)
            elif isinstance(value, dict | list):
                return False
        return size <= _MANY_CHARACTERS and _are_near(self.far_fields, tuple(row))


@lru_cache(maxsize=512)
def _are_near(far_fields: frozenset[str], names: tuple[str, ...]) -> bool:
    """Tell whether a record may name these fields without reaching far: keys of related rows may fit any number."""
    return not any("." in name or name.lower() in far_fields for name in names)


def compile_rules(catalogue: Catalogue, sobject: SObject, duplicate_rules: Sequence[DuplicateRule] = ()) -> Rules:
    """Return the rules of an object."""
    fields = [f for f in sobject.stored_fields if f.name not in _AUDIT]
    prefixes = {s.name: s.key_prefix for s in catalogue.sobjects()}
    return Rules(
        sobject=sobject,
        required=tuple(f for f in fields if f.required),
        not_null=tuple(
            f
            for f in fields
            if not f.nillable and not f.required and f.type is not FieldType.BOOLEAN and not f.auto_number
        ),
        defaults={
            f.name: int(f.default_value) if isinstance(f.default_value, bool) else f.default_value
            for f in fields
            if f.default_value is not None
        },
        references={f.name: f for f in fields if f.type is FieldType.REFERENCE},
        unique=tuple(f for f in fields if f.unique),
        keyed={f.name: f for f in fields if f.has_key},
        auto_numbers=tuple(f for f in fields if f.auto_number),
        checks={f.name: checker(f, prefixes) for f in fields},
        row_rules=row_rules(catalogue, sobject) + duplicate_row_rules(sobject, duplicate_rules),
        record_type=next((kind.id for kind in sobject.record_types if kind.default and kind.active), None),
        far_fields=_far_fields(catalogue, sobject, duplicate_rules),
    )


def _far_fields(
    catalogue: Catalogue, sobject: SObject, duplicate_rules: Sequence[DuplicateRule]
) -> frozenset[str] | None:
    """Return what makes saving a row reach far: totals of parents, trees, duplicates, bytes.

    A parent in the same object makes the save go up the tree, which may be of any height.
    """
    ruled = any(rule.sobject.lower() == sobject.name.lower() for rule in duplicate_rules)
    if sobject.blob_fields or ruled or sobject.name in _FAR or rollups(catalogue, sobject.name):
        return None
    return frozenset(field.name.lower() for field in parent_fields(sobject))


class Rulebook:
    """The rules of all objects of a catalogue, each worked out when it is first needed."""

    def __init__(self, catalogue: Catalogue, locks: RowLocks, duplicate_rules: Sequence[DuplicateRule] = ()) -> None:
        self.catalogue = catalogue
        self.locks = locks
        self._duplicate_rules = tuple(duplicate_rules)
        self._rules: dict[str, Rules] = {}

    def rules(self, sobject: SObject) -> Rules:
        """Return the rules of an object."""
        found = self._rules.get(sobject.name)
        if found is None:
            found = self._rules[sobject.name] = compile_rules(self.catalogue, sobject, self._duplicate_rules)
        return found
