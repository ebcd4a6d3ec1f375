"""Field paths to columns: which table a query reads, and which parents its paths join to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from orgbridge.emulator.query.fragments import identifier
from orgbridge.emulator.query.refusals import Refusals
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.soql import tree
from orgbridge.wire.fieldtypes import FieldType

#: Parents that one path may climb. Source: facts/salesforce/soql.md, "Relationship limits".
MAX_LEVELS = 5
#: Parents that one query may reach. Source: the same.
MAX_PARENTS = 55
#: Fields of the object `Name` that stands for "whatever a polymorphic reference points to".
#: Assumed: the list; those of them are there that one of the possible objects has.
_NAME_FIELDS = ("Id", "FirstName", "LastName", "Email", "Phone", "Title", "Username", "Alias", "IsActive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An object as it stands in the statement."""

    #: The object; for a polymorphic reference the made-up object `Name`.
    sobject: SObject
    #: The SQL alias, or one per possible object of a polymorphic reference.
    targets: tuple[tuple[str, SObject], ...]
    #: Relationship names from the root, in schema case; empty for the root.
    path: tuple[str, ...] = ()

    @property
    def is_polymorphic(self) -> bool:
        """True when rows of several objects may stand here."""
        return self.sobject.name == "Name" and all(target is not self.sobject for _, target in self.targets)

    def column(self, field: Field, *, key: bool = False) -> str:
        """Return the SQL of a field of this table.

        Args:
            field: One of the object's.
            key: Whether to give the shadow column that equality compares, where there is one.
        """
        if not self.is_polymorphic:
            alias = self.targets[0][0]
            return f"{alias}.{identifier(field.key_column if key else field.name)}"
        if field.name == "Type":
            whens = " ".join(
                f"WHEN {alias}.{identifier('Id')} IS NOT NULL THEN '{s.name}'" for alias, s in self.targets
            )
            return f"CASE {whens} END"
        columns = list(self._target_columns(field))
        return columns[0] if len(columns) == 1 else f"COALESCE({', '.join(columns)})"

    def _target_columns(self, field: Field) -> Iterator[str]:
        for alias, target in self.targets:
            found = target.name_field if field.name == "Name" else target.field(field.name)
            if found is not None:
                yield f"{alias}.{identifier(found.name)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A field path, resolved."""

    table: Table
    field: Field
    #: Where the path stands in the query.
    position: int

    @property
    def column(self) -> str:
        """SQL of the stored value."""
        return self.table.column(self.field)

    @property
    def has_key(self) -> bool:
        """True when the value that equality compares is stored."""
        return self.field.has_key and not self.table.is_polymorphic

    @property
    def key(self) -> str:
        """SQL of the value that equality compares: without regard to case unless the field has one."""
        if self.has_key:
            return self.table.column(self.field, key=True)
        if self.field.is_text and not self.field.case_sensitive:
            return f"SF_FOLD({self.column})"
        return self.column

    @property
    def is_joined(self) -> bool:
        """True when the row may be missing, as it is a parent's."""
        return bool(self.table.path)


class Aliases:
    """Gives each table of a statement its own alias."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def next(self) -> str:
        """Return an alias not given before."""
        return f"t{next(self._numbers)}"


class Scope:
    """The root object of one query or subquery and the parents joined to it so far."""

    def __init__(
        self,
        catalogue: Catalogue,
        refusals: Refusals,
        sobject: SObject,
        aliases: Aliases,
        sources: tuple[tree.FromItem, ...],
    ) -> None:
        self.catalogue = catalogue
        self.refusals = refusals
        self.sobject = sobject
        self.root = Table(sobject=sobject, targets=((aliases.next(), sobject),))
        self._aliases = aliases
        self._tables: dict[tuple[str, ...], Table] = {(): self.root}
        self._joins: list[str] = []
        self._prefixes: dict[str, tuple[str, ...]] = {}
        self._name_sources(sources)

    @property
    def alias(self) -> str:
        """SQL alias of the root table."""
        return self.root.targets[0][0]

    def from_clause(self) -> str:
        """Return `"Object" AS t0` with the joins that the paths resolved so far need."""
        return " ".join([f"{identifier(self.sobject.name)} AS {self.alias}", *self._joins])

    def _name_sources(self, sources: tuple[tree.FromItem, ...]) -> None:
        if sources[0].alias:
            self._prefixes[sources[0].alias.lower()] = ()
        for source in sources[1:]:
            if len(source.path) < 2 or source.path[0].lower() not in self._prefixes:
                raise self.refusals.no_relationship(source.position, source.path[0])
            path = self._prefixes[source.path[0].lower()] + source.path[1:]
            self.table(path, source.position)
            if source.alias:
                self._prefixes[source.alias.lower()] = path

    def strip(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """Return a path from the root: an alias in front of it is resolved, the object's own name taken off."""
        first = parts[0].lower()
        if len(parts) > 1 and first in self._prefixes:
            return self._prefixes[first] + parts[1:]
        if len(parts) > 1 and first == self.sobject.name.lower() and not self.sobject.relationship(parts[0]):
            return parts[1:]
        return parts

    def resolve(self, path: tree.FieldPath) -> Reference:
        """Return the column of a path, joining the parents it goes over.

        Raises:
            SFError: INVALID_FIELD, an unknown relationship or field.
        """
        parts = self.strip(path.parts)
        table = self.table(parts[:-1], path.position)
        field = table.sobject.field(parts[-1])
        if field is None:
            raise self.refusals.no_column(path.position, parts[-1], table.sobject.name)
        return Reference(table=table, field=field, position=path.position)

    def table(self, relationships: tuple[str, ...], position: int) -> Table:
        """Return the parent that is reached over relationship names."""
        if len(relationships) > MAX_LEVELS:
            # Assumed: code and text; the bound is documented.
            raise self.refusals.at(
                "INVALID_FIELD", position, f"A field path can not traverse more than {MAX_LEVELS} relationships"
            )
        key = tuple(name.lower() for name in relationships)
        if key not in self._tables:
            if len(self._tables) > MAX_PARENTS:
                # Assumed: code and text; the bound is documented.
                text = f"Maximum {MAX_PARENTS} child to parent relationships are allowed in a query"
                raise self.refusals.malformed(position, text)
            parent = self.table(relationships[:-1], position)
            self._tables[key] = self._join(parent, relationships[-1], position)
        return self._tables[key]

    def _join(self, parent: Table, name: str, position: int) -> Table:
        reference = parent.sobject.relationship(name)
        targets = [s for s in map(self.catalogue.sobject, reference.reference_to) if s] if reference else []
        if reference is None or reference.relationship_name is None or not targets:
            raise self.refusals.no_relationship(position, name)
        joined = tuple((self._join_one(parent, reference, target), target) for target in targets)
        sobject = _name_object(targets) if reference.is_polymorphic else targets[0]
        return Table(sobject=sobject, targets=joined, path=(*parent.path, reference.relationship_name))

    def _join_one(self, parent: Table, reference: Field, target: SObject) -> str:
        alias = self._aliases.next()
        on = f"{alias}.{identifier('Id')} = {parent.column(reference)}"
        self._joins.append(f"LEFT JOIN {identifier(target.name)} AS {alias} ON {on}")
        return alias


def _name_object(targets: list[SObject]) -> SObject:
    fields: list[Field] = []
    for name in _NAME_FIELDS:
        found = next((f for f in (target.field(name) for target in targets) if f is not None), None)
        if found is not None:
            fields.append(found)
    fields.insert(1, Field(name="Name", label="Full Name", type=FieldType.STRING, length=121, name_field=True))
    fields.append(Field(name="Type", label="Type", type=FieldType.PICKLIST, length=255))
    return SObject(name="Name", label="Name", label_plural="Name", key_prefix="", fields=tuple(fields))
