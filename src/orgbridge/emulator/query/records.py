"""SELECT lists of records: fields, parents, compound fields, TYPEOF and child subqueries, as columns and a shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from orgbridge.emulator.query.expressions import selected_function
from orgbridge.emulator.query.fragments import Fragment, identifier
from orgbridge.emulator.query.plans import (
    BlobItem,
    ChildItem,
    Column,
    CompoundItem,
    Context,
    Feature,
    Item,
    ParentItem,
    RecordShape,
    TypeOfItem,
    ValueItem,
)
from orgbridge.emulator.query.scopes import Scope, Table
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.soql import tree
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType

#: LIMIT that FIELDS(ALL) and FIELDS(CUSTOM) need. Source: facts/salesforce/soql.md section 1, "Special shapes".
FIELDS_LIMIT = 200
#: Characters from which on a text area counts as a long one.
SHORT_TEXT = 255
#: Parts of an address and of a location, as the compound value shows them. Source: the same.
_ADDRESS_PARTS = ("city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state", "street")
_LOCATION_PARTS = ("latitude", "longitude")
#: Plans a child subquery: its statement as one value per row, and the shape of its records.
ChildPlanner = Callable[[tree.SelectQuery, Scope], tuple[Fragment, ChildItem]]


@dataclass(slots=True)
class _Node:
    """A record under construction: the root or a parent."""

    table: Table
    items: list[Item | _Node] = field(default_factory=list)


class SelectList:
    """Gathers the columns of a statement and the shape of its records, item by item.

    Args:
        context: What planning knows.
        scope: Resolves the paths.
        plan_child: Plans child subqueries.
        nested: True inside a child subquery, whose rows travel as JSON.
    """

    def __init__(self, context: Context, scope: Scope, plan_child: ChildPlanner, *, nested: bool = False) -> None:
        self._context = context
        self._scope = scope
        self._refusals = context.refusals
        self._plan_child = plan_child
        self._nested = nested
        self._columns: list[Fragment] = []
        self._places: dict[str, int] = {}
        self._nodes: dict[tuple[str, ...], _Node] = {(): _Node(scope.root)}
        self._selected: set[str] = set()
        self._long_texts = 0
        self._unnamed = 0
        self.csv_columns: list[Column] = []
        self.features: set[Feature] = set()
        self._place(f"{scope.alias}.{identifier('Id')}")

    def add_all(self, query: tree.Query) -> None:
        """Add every item of a query's SELECT.

        Raises:
            SFError: An item is refused.
        """
        for item in query.select:
            match item:
                case tree.SelectExpression():
                    self._add_expression(item)
                case tree.SelectFields():
                    self._add_group(item, query)
                case tree.SelectQuery():
                    self._add_child(item)
                case tree.SelectTypeOf():
                    self._add_typeof(item)
                case _:
                    assert_never(item)

    def _add_expression(self, item: tree.SelectExpression) -> None:
        if isinstance(item.expression, tree.FunctionCall):
            self._add_call(item.expression, item.alias)
        elif item.alias is None:
            self._add_path(item.expression)
        else:
            # Assumed: code and text.
            raise self._refusals.malformed(item.position, "only aggregate expressions use field aliasing")

    def columns(self) -> list[Fragment]:
        """Return the columns one by one."""
        return self._columns

    def shape(self) -> RecordShape:
        """Return how a row becomes a record."""
        return self._shape(self._nodes[()])

    def _shape(self, node: _Node) -> RecordShape:
        items: list[Item] = []
        for item in node.items:
            if isinstance(item, _Node):
                items.append(ParentItem(key=item.table.path[-1], shape=self._shape(item)))
            else:
                items.append(item)
        return RecordShape(
            type=node.table.sobject.name,
            id_index=self._id_place(node.table),
            type_index=self._type_place(node.table),
            items=tuple(items),
        )

    def _id_place(self, table: Table) -> int:
        found = table.sobject.field("Id")
        return self._place(table.column(found)) if found else 0

    def _type_place(self, table: Table) -> int | None:
        found = table.sobject.field("Type") if table.is_polymorphic else None
        return self._place(table.column(found)) if found else None

    def _place(self, sql: str) -> int:
        """Return the place of a column in the row, adding it when it is not there yet."""
        if sql not in self._places:
            self._places[sql] = len(self._columns)
            self._columns.append(Fragment(sql))
        return self._places[sql]

    def _node(self, table: Table) -> _Node:
        """Return the record under construction of a table, adding its parents where they are first named."""
        if table.path not in self._nodes:
            parent = self._node(self._scope.table(table.path[:-1], 0))
            node = _Node(table)
            parent.items.append(node)
            self._nodes[table.path] = node
        return self._nodes[table.path]

    def _add_path(self, path: tree.FieldPath) -> None:
        reference = self._scope.resolve(path)
        header = path.text if len(path.parts) == len(self._scope.strip(path.parts)) else ""
        self._add_field(reference.table, reference.field, header)

    def _add_field(self, table: Table, selected: Field, header: str = "", *, named: bool = True) -> None:
        """Add a field of a table; `named` is false for one that FIELDS() brought in."""
        name = ".".join((*table.path, selected.name))
        self._select_once(name)
        item = self._item(table, selected)
        self._node(table).items.append(item)
        self._long_texts += selected.custom and selected.type is FieldType.TEXTAREA and selected.length > SHORT_TEXT
        if self._long_texts > 1:
            self.features.add(Feature.LONG_TEXTS)
        if isinstance(item, ValueItem):
            self.csv_columns.append(Column(header=header or name, index=item.index, type=selected.type))
        elif named:
            self.features.add(Feature.COMPOUND if isinstance(item, CompoundItem) else Feature.BASE64)

    def _select_once(self, name: str) -> None:
        if name.lower() in self._selected:
            raise SFError("INVALID_FIELD", f"duplicate field selected: {name}")
        self._selected.add(name.lower())

    def _item(self, table: Table, selected: Field) -> Item:
        match selected.type:
            case FieldType.ADDRESS:
                return self._compound(table, selected, _ADDRESS_PARTS)
            case FieldType.LOCATION:
                return self._compound(table, selected, _LOCATION_PARTS)
            case FieldType.BASE64:
                return BlobItem(key=selected.name, index=self._place(f"{table.column(selected)} IS NOT NULL"))
            case _:
                return self._value(table, selected)

    def _value(self, table: Table, selected: Field) -> ValueItem:
        return self._valued(selected.name, table.column(selected), selected.type)

    def _valued(self, key: str, column: str, kind: FieldType) -> ValueItem:
        if self._nested and kind in DECIMAL_TYPES:
            # SQLite writes only 15 digits of a real number into JSON; 17 are needed to get the same number back.
            column = f"CASE WHEN {column} IS NOT NULL THEN printf('%!.17g', {column}) END"
        return ValueItem(key=key, index=self._place(column), type=kind)

    def _compound(self, table: Table, compound: Field, names: tuple[str, ...]) -> CompoundItem:
        components = table.sobject.components(compound.name)
        parts: list[tuple[str, ValueItem | None]] = []
        for name in names:
            found = next((c for c in components if _is_part(c, name)), None)
            parts.append((name, self._value(table, found) if found else None))
        return CompoundItem(key=compound.name, parts=tuple(parts))

    def _add_call(self, call: tree.FunctionCall, alias: str | None) -> None:
        operand = selected_function(self._scope, call)
        table = operand.reference.table if operand.reference else self._scope.root
        key = alias or (operand.name if operand.reference else f"expr{self._unnamed}")
        self._unnamed += operand.reference is None and alias is None
        self._select_once(".".join((*table.path, key)))
        item = self._valued(key, operand.column, operand.type)
        self._node(table).items.append(item)
        self.csv_columns.append(Column(header=key, index=item.index, type=item.type))

    def _add_group(self, item: tree.SelectFields, query: tree.Query) -> None:
        if item.group is not tree.FieldGroup.STANDARD:
            self.features.add(Feature.FIELDS_UNBOUNDED)
            if not _is_small(query):
                # Assumed: the text, from memory; the bound is documented.
                text = f"The SOQL FIELDS function must have a LIMIT of at most {FIELDS_LIMIT}"
                raise self._refusals.malformed(item.position, text)
        fields = [f for f in self._scope.sobject.fields if _in_group(f, item.group)]
        if not fields:
            text = "'FIELDS(...)' expansion function must result in at least one field being selected."
            raise self._refusals.malformed(item.position, text)
        for selected in fields:
            self._add_field(self._scope.root, selected, named=False)

    def _add_child(self, item: tree.SelectQuery) -> None:
        fragment, child = self._plan_child(item, self._scope)
        self._select_once(child.key)
        self.features.add(Feature.CHILDREN)
        index = len(self._columns)
        self._columns.append(fragment)
        self._nodes[()].items.append(ChildItem(key=child.key, index=index, shape=child.shape))

    def _add_typeof(self, item: tree.SelectTypeOf) -> None:
        self.features.add(Feature.TYPEOF)
        parts = self._scope.strip(item.relationship.parts)
        table = self._scope.table(parts, item.position)
        if not table.is_polymorphic:
            # Assumed: code and text.
            raise self._refusals.malformed(item.position, f"'{parts[-1]}' is not a polymorphic relationship")
        self._select_once(".".join(table.path))
        branches: list[RecordShape] = []
        for when in item.whens:
            found = next(((a, s) for a, s in table.targets if s.name.lower() == when.sobject.lower()), None)
            if found is None:
                raise self._refusals.no_object(when.position, when.sobject)
            target = Table(sobject=found[1], targets=(found,), path=table.path)
            branches.append(self._branch(target, when.fields))
        if item.otherwise:
            branches.append(self._branch(table, item.otherwise))
        parent = self._node(self._scope.table(table.path[:-1], item.position))
        parent.items.append(TypeOfItem(key=table.path[-1], branches=tuple(branches)))

    def _branch(self, table: Table, paths: tuple[tree.FieldPath, ...]) -> RecordShape:
        items: list[Item] = []
        for path in paths:
            found = table.sobject.field(path.parts[0]) if len(path.parts) == 1 else None
            if found is None:
                raise self._refusals.no_column(path.position, path.text, table.sobject.name)
            items.append(self._item(table, found))
        return RecordShape(
            type=table.sobject.name,
            id_index=self._id_place(table),
            type_index=self._type_place(table),
            items=tuple(items),
        )


def _is_part(component: Field, part: str) -> bool:
    name = component.name.removesuffix("__s").replace("__", "")
    return name.lower().endswith(part.lower())


def _in_group(selected: Field, group: tree.FieldGroup) -> bool:
    match group:
        case tree.FieldGroup.ALL:
            return True
        case tree.FieldGroup.STANDARD:
            return not selected.custom
        case tree.FieldGroup.CUSTOM:
            return selected.custom
        case _:
            assert_never(group)


def _is_small(query: tree.Query) -> bool:
    """Tell whether a query can only give as many rows as FIELDS(ALL) may: by LIMIT, or by a list of Ids."""
    if isinstance(query.limit, int) and query.limit <= FIELDS_LIMIT:
        return True
    conditions = query.where.items if isinstance(query.where, tree.And) else (query.where,)
    for condition in conditions:
        match condition:
            case tree.InList(left=tree.FieldPath(parts=(name,)), negated=False, values=tuple() as values):
                if name.lower() == "id" and len(values) <= FIELDS_LIMIT:
                    return True
            case tree.Comparison(left=tree.FieldPath(parts=(name,)), operator=tree.Operator.EQUAL):
                if name.lower() == "id":
                    return True
    return False


def child_relationship_of(context: Context, parent: SObject, source: tree.FromItem) -> tuple[str, SObject, Field]:
    """Return name, object and reference field of the child relationship that a subquery reads.

    Raises:
        SFError: INVALID_TYPE, the parent has no such relationship.
    """
    parts = source.path[1:] if len(source.path) == 2 and source.path[0].lower() == parent.name.lower() else source.path
    found = parent.child_relationship(parts[0]) if len(parts) == 1 else None
    child = context.catalogue.sobject(found.child) if found else None
    reference = child.field(found.field) if child and found else None
    if found is None or child is None or reference is None or found.name is None:
        raise context.refusals.no_child_relationship(source.position, ".".join(source.path))
    return found.name, child, reference
