"""Objects, fields and relationships of an org, as plain values. Where they come from is in `loading`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from orgbridge.wire.fieldtypes import TEXT_TYPES, FieldType

#: Types that are made of other fields and have no column of their own.
COMPOUND_TYPES = frozenset({FieldType.ADDRESS, FieldType.LOCATION})
#: What the name of a shadow column ends with: it holds the value that equality compares.
KEY_SUFFIX = "$key"


@dataclass(frozen=True, slots=True, kw_only=True)
class PicklistValue:
    """One value of a picklist."""

    #: API name, as stored.
    value: str
    #: What people see.
    label: str
    #: False for a value kept only for old rows.
    active: bool = True
    #: True for the value that a new row gets.
    default: bool = False
    #: Values of the controlling field under which this one may be chosen; None when the field depends on no other.
    valid_for: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a roll-up summary field counts or sums up of the rows below."""

    #: API name of the object below.
    child: str
    #: Its reference to the row.
    reference: str
    #: `count`, `sum`, `min` or `max`.
    operation: str
    #: Field of the object below; None when rows are counted.
    field: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """One kind of rows of an object, with its own choice of picklist values."""

    #: Id of its row in RecordType; empty until the org gave it one.
    id: str = ""
    #: API name.
    developer_name: str
    #: What people see.
    name: str
    #: False for one that new rows cannot have.
    active: bool = True
    #: True for the one that a new row gets when it names none.
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an object."""

    #: API name.
    name: str
    #: What people see; error texts use it.
    label: str
    #: Type as in describe.
    type: FieldType
    #: Characters a text may have; 0 for other types.
    length: int = 0
    #: Digits of a decimal number in all; 0 for other types.
    precision: int = 0
    #: Digits after the point.
    scale: int = 0
    #: Digits of an int; 0 for other types.
    digits: int = 0
    #: May be null.
    nillable: bool = True
    #: May be given in an insert.
    createable: bool = True
    #: May be given in an update.
    updateable: bool = True
    #: The platform fills it when an insert leaves it out.
    defaulted_on_create: bool = False
    #: Value that an insert without one gets, in stored form; None for none or for one that the platform computes.
    default_value: str | int | float | bool | None = None
    #: Two live rows may not hold the same value.
    unique: bool = False
    #: Upper and lower case make different values where values are compared for uniqueness.
    case_sensitive: bool = False
    #: May be used as the key of an upsert.
    external_id: bool = False
    #: May be used to find a record in a relationship column.
    id_lookup: bool = False
    #: Only listed picklist values are taken.
    restricted_picklist: bool = False
    #: The values of a picklist.
    picklist: tuple[PicklistValue, ...] = ()
    #: Objects that a reference may point to.
    reference_to: tuple[str, ...] = ()
    #: Name of the reference in a parent path, e.g. `Account` for `AccountId`.
    relationship_name: str | None = None
    #: 0 for a master-detail's master; None otherwise.
    relationship_order: int | None = None
    #: The object's name.
    name_field: bool = False
    #: Numbered by the platform.
    auto_number: bool = False
    #: Form of an auto-number: the braces hold as many zeros as it has digits at least.
    number_format: str = "{00000000}"
    #: Computed by the platform, never written.
    calculated: bool = False
    #: May be used in WHERE.
    filterable: bool = True
    #: May be used in ORDER BY.
    sortable: bool = True
    #: May be used in GROUP BY.
    groupable: bool = True
    #: Made in this org.
    custom: bool = False
    #: The compound field that this one is a part of.
    compound_field_name: str | None = None
    #: Shown as HTML.
    html_formatted: bool = False
    #: Help for people.
    inline_help_text: str | None = None
    #: `plaintextarea`, `switchablepersonname` and the like.
    extra_type_info: str | None = None
    #: Deleting the referenced row deletes this one.
    cascade_delete: bool = False
    #: A row that is referenced cannot be deleted.
    restricted_delete: bool = False
    #: Field whose value says which values of this picklist may be chosen.
    controller_name: str | None = None
    #: What a roll-up summary field shows.
    summary: Summary | None = None

    @property
    def is_stored(self) -> bool:
        """True when the field has a column."""
        return self.type not in COMPOUND_TYPES

    @property
    def is_text(self) -> bool:
        """True when the stored value is text that people wrote."""
        return self.type in TEXT_TYPES

    @property
    def has_key(self) -> bool:
        """True when the field has a shadow column for equality; see `key_column`."""
        return self.is_text and (self.unique or self.external_id or self.id_lookup or self.name_field)

    @property
    def key_column(self) -> str:
        """Name of the column that equality compares: the shadow column where there is one, else the field's own."""
        return self.name + KEY_SUFFIX if self.has_key else self.name

    @property
    def required(self) -> bool:
        """True when an insert must give a value. Source: facts/salesforce/rest.md section 2."""
        return self.createable and not self.nillable and not self.defaulted_on_create

    @property
    def is_polymorphic(self) -> bool:
        """True when the reference may point to more than one object."""
        return len(self.reference_to) > 1

    def key_of(self, value: str) -> str:
        """Return what the shadow column holds for a value."""
        return value if self.case_sensitive else value.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRelationship:
    """One way in which rows of another object hang below a row."""

    #: Name in a child subquery; None where the platform gives none.
    name: str | None
    #: The object that holds the reference.
    child: str
    #: Its reference field.
    field: str
    #: Deleting the parent deletes the children.
    cascade_delete: bool = False
    #: A parent with children cannot be deleted.
    restricted_delete: bool = False


@dataclass(frozen=True, kw_only=True)
class SObject:
    """One object of the org. Names are looked up without regard to case."""

    #: API name.
    name: str
    #: Singular label.
    label: str
    #: Plural label.
    label_plural: str
    #: First three characters of its ids.
    key_prefix: str
    #: Fields in describe's order.
    fields: tuple[Field, ...]
    #: What hangs below its rows.
    child_relationships: tuple[ChildRelationship, ...] = ()
    #: Made in this org.
    custom: bool = False
    #: Rows may be inserted.
    createable: bool = True
    #: Rows may be updated.
    updateable: bool = True
    #: Rows may be deleted.
    deletable: bool = True
    #: Rows may be brought back from the recycle bin.
    undeletable: bool = True
    #: May be named in FROM.
    queryable: bool = True
    #: Has page layouts.
    layoutable: bool = True
    #: May be found by SOSL.
    searchable: bool = True
    #: Apex triggers may be written for it.
    triggerable: bool = True
    #: Kinds of rows beside the master one.
    record_types: tuple[RecordType, ...] = ()
    #: In a user's view: the SQL condition of the rows that are seen, for a row `{row}`, with the user's id as each `?`.
    sharing: str | None = None
    _by_name: dict[str, Field] = field(init=False, repr=False, compare=False)
    _by_relationship: dict[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {f.name.lower(): f for f in self.fields})
        related = {f.relationship_name.lower(): f for f in self.fields if f.relationship_name}
        object.__setattr__(self, "_by_relationship", related)

    def __hash__(self) -> int:
        return hash(self.name)

    def field(self, name: str) -> Field | None:
        """Return the field of that API name, or None."""
        return self._by_name.get(name.lower())

    def relationship(self, name: str) -> Field | None:
        """Return the reference field whose relationship has that name, or None."""
        return self._by_relationship.get(name.lower())

    def child_relationship(self, name: str) -> ChildRelationship | None:
        """Return the child relationship of that name, or None."""
        lowered = name.lower()
        return next((c for c in self.child_relationships if c.name and c.name.lower() == lowered), None)

    @cached_property
    def stored_fields(self) -> tuple[Field, ...]:
        """The fields that have a column, in order."""
        return tuple(f for f in self.fields if f.is_stored)

    @cached_property
    def blob_fields(self) -> tuple[Field, ...]:
        """The fields that hold bytes."""
        return tuple(f for f in self.fields if f.type is FieldType.BASE64)

    @cached_property
    def name_field(self) -> Field | None:
        """The field that names a row, or None."""
        return next((f for f in self.fields if f.name_field), None)

    def components(self, compound: str) -> tuple[Field, ...]:
        """Return the fields that a compound field is made of."""
        return tuple(f for f in self.fields if f.compound_field_name == compound and f.name != compound)


class Catalogue:
    """The objects of one org. Names are looked up without regard to case."""

    def __init__(self, sobjects: Iterable[SObject]) -> None:
        self._sobjects = tuple(sorted(sobjects, key=lambda s: s.name))
        self._by_name = {s.name.lower(): s for s in self._sobjects}
        self._by_prefix = {s.key_prefix: s for s in self._sobjects}

    @cached_property
    def summaries(self) -> dict[str, tuple[tuple[str, Field], ...]]:
        """The roll-up fields that follow the rows of an object, by its name: the parent's object and the field."""
        found: dict[str, tuple[tuple[str, Field], ...]] = {}
        for sobject in self._sobjects:
            for one in sobject.fields:
                if one.summary is not None:
                    found[one.summary.child] = (*found.get(one.summary.child, ()), (sobject.name, one))
        return found

    def sobject(self, name: str) -> SObject | None:
        """Return the object of that API name, or None."""
        return self._by_name.get(name.lower())

    def by_prefix(self, record_id: str) -> SObject | None:
        """Return the object that an id (or a key prefix) belongs to, or None."""
        return self._by_prefix.get(record_id[:3])

    def sobjects(self) -> tuple[SObject, ...]:
        """Return all objects, by name."""
        return self._sobjects
