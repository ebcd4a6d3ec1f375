"""What a policy must know of an object, taken from its describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orgbridge.wire.ids import to_18

#: Fields that no update of a row changes.
_CONSTANT = frozenset({"id", "createddate", "createdbyid", "isdeleted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFacts:
    """One field."""

    #: As the schema spells it.
    name: str
    #: Type as describe has it.
    type: str
    #: Objects that a reference may point to; empty for other fields.
    targets: tuple[str, ...] = ()
    #: Name by which paths follow the reference, None when they cannot.
    relationship: str | None = None
    #: The compound field that this one is a part of, lower case.
    compound: str | None = None
    #: True for formulas and roll-ups.
    is_calculated: bool = False
    #: The formula where describe tells it.
    formula: str | None = None
    #: True for fields of the org's own making.
    is_custom: bool = False
    #: True for the field that names a record.
    is_name: bool = False
    #: True when an update may give it a value.
    is_updateable: bool = False

    @property
    def is_polymorphic(self) -> bool:
        """True when the reference may point to records of several objects."""
        return len(self.targets) > 1

    @property
    def is_derived(self) -> bool:
        """True when the value may change with a write that does not name the field."""
        return self.is_calculated or (not self.is_updateable and self.name.lower() not in _CONSTANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFacts:
    """A relationship to children."""

    #: As the schema spells it.
    name: str
    #: The children's object.
    sobject: str
    #: The children's field that points here.
    field: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ObjectFacts:
    """One object. Keys are in lower case; equal only to itself, so that what is worked out can be kept by it."""

    #: As the schema spells it.
    name: str
    #: First three characters of the ids of its records, empty when they have none.
    key_prefix: str
    fields: Mapping[str, FieldFacts]
    #: Fields by their relationship's name.
    relationships: Mapping[str, FieldFacts]
    children: Mapping[str, ChildFacts]

    @property
    def name_field(self) -> FieldFacts | None:
        """The field that names a record."""
        return next((field for field in self.fields.values() if field.is_name), None)

    def has_id(self, record_id: str) -> bool:
        """Tell whether an id can be that of a record of this object."""
        full = to_18(record_id)
        return full is not None and bool(self.key_prefix) and full.startswith(self.key_prefix)


def facts_of(describe: Mapping[str, Any]) -> ObjectFacts:
    """Return the facts that Salesforce's describe of an object tells."""
    fields = {str(field["name"]).lower(): _field(field) for field in describe.get("fields", [])}
    children = [
        ChildFacts(name=str(child["relationshipName"]), sobject=str(child["childSObject"]), field=str(child["field"]))
        for child in describe.get("childRelationships", [])
        if child.get("relationshipName") and child.get("childSObject") and child.get("field")
    ]
    return ObjectFacts(
        name=str(describe.get("name", "")),
        key_prefix=str(describe.get("keyPrefix") or ""),
        fields=fields,
        relationships={field.relationship.lower(): field for field in fields.values() if field.relationship},
        children={child.name.lower(): child for child in children},
    )


def _field(field: Mapping[str, Any]) -> FieldFacts:
    name = str(field["name"])
    compound = str(field.get("compoundFieldName") or "").lower()
    return FieldFacts(
        name=name,
        type=str(field.get("type", "")),
        targets=tuple(str(target) for target in field.get("referenceTo") or ()),
        relationship=str(field["relationshipName"]) if field.get("relationshipName") else None,
        compound=compound if compound and compound != name.lower() else None,
        is_calculated=bool(field.get("calculated")),
        formula=str(field["calculatedFormula"]) if field.get("calculatedFormula") else None,
        is_custom=bool(field.get("custom")),
        is_name=bool(field.get("nameField")),
        is_updateable=bool(field.get("updateable")),
    )
