"""What the columns of a query are: /query?q=…&columns=true, which the Salesforce CLI asks before it prints a table.

The query is planned, its records are not read. Assumed: all of it, from the types that open-source clients of this
parameter declare; a function is shown by its alias, else as it is written.
"""

from __future__ import annotations

from typing import Final

from orgbridge.emulator.query.plans import (
    AggregateShape,
    BlobItem,
    ChildItem,
    CompoundItem,
    Item,
    ParentItem,
    QueryPlan,
    RecordShape,
    TypeOfItem,
    ValueItem,
)
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.kit.json import JSON
from orgbridge.soql import print_expression, tree
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType

_APEX_TYPES: Final = {
    FieldType.ID: "Id",
    FieldType.REFERENCE: "Id",
    FieldType.BOOLEAN: "Boolean",
    FieldType.INT: "Integer",
    FieldType.DATE: "Date",
    FieldType.DATETIME: "Datetime",
    FieldType.TIME: "Time",
    FieldType.BASE64: "Blob",
    FieldType.ADDRESS: "Address",
    FieldType.LOCATION: "Location",
}
_UNTEXTUAL: Final = {*_APEX_TYPES, *DECIMAL_TYPES}


def query_columns(catalogue: Catalogue, plan: QueryPlan) -> dict[str, JSON]:
    """Return the reply that describes the columns of a planned query."""
    match plan.shape:
        case RecordShape():
            columns = [_column(catalogue, plan.sobject, item) for item in plan.shape.items]
        case AggregateShape():
            columns = [
                _group_column(plan.sobject, item, chosen)
                for item, chosen in zip(plan.shape.items, plan.query.select, strict=True)
            ]
        case None:
            columns = []
    return {
        "columnMetadata": columns,
        "entityName": plan.sobject.name,
        "groupBy": plan.query.group_by is not None,
        "idSelected": any(column["columnName"] == "Id" for column in columns),
        "keyPrefix": plan.sobject.key_prefix,
    }


def _column(catalogue: Catalogue, sobject: SObject, item: Item) -> dict[str, JSON]:
    match item:
        case ValueItem():
            return _plain(item.key, item.type, sobject.field(item.key))
        case BlobItem():
            return _plain(item.key, FieldType.BASE64, sobject.field(item.key))
        case CompoundItem():
            field = sobject.field(item.key)
            return _plain(item.key, FieldType.ADDRESS if field is None else field.type, field)
        case ParentItem():
            return _joined(catalogue, item.key, (item.shape,), sobject.relationship(item.key), aggregate=False)
        case TypeOfItem():
            return _joined(catalogue, item.key, item.branches, sobject.relationship(item.key), aggregate=False)
        case ChildItem():
            # A child subquery counts as an aggregate: many rows in one cell.
            return _joined(catalogue, item.key, (item.shape,), None, aggregate=True)


def _joined(
    catalogue: Catalogue, key: str, shapes: tuple[RecordShape, ...], reference: Field | None, *, aggregate: bool
) -> dict[str, JSON]:
    columns: dict[str, JSON] = {}
    for shape in shapes:
        target = catalogue.sobject(shape.type)
        for item in shape.items if target is not None else ():
            column = _column(catalogue, target, item)  # type: ignore[arg-type] # no item without its object
            columns.setdefault(str(column["columnName"]), column)
    kind = FieldType.ANYTYPE if aggregate else FieldType.REFERENCE
    found = _plain(key, kind, reference)
    foreign = None if reference is None else reference.name
    return {**found, "aggregate": aggregate, "foreignKeyName": foreign, "joinColumns": list(columns.values())}


def _group_column(sobject: SObject, item: ValueItem, chosen: tree.SelectItem) -> dict[str, JSON]:
    expression = chosen.expression if isinstance(chosen, tree.SelectExpression) else None
    if isinstance(expression, tree.FunctionCall):
        shown = chosen.alias if isinstance(chosen, tree.SelectExpression) else None
        found = _plain(item.key, item.type, None)
        return {**found, "aggregate": True, "displayName": shown or print_expression(expression)}
    return _plain(item.key, item.type, sobject.field(item.key))


def _plain(key: str, kind: FieldType, field: Field | None) -> dict[str, JSON]:
    is_number = kind in DECIMAL_TYPES or kind is FieldType.INT
    return {
        "aggregate": False,
        "apexType": _APEX_TYPES.get(kind, "Double" if kind in DECIMAL_TYPES else "String"),
        "booleanType": kind is FieldType.BOOLEAN,
        "columnName": key,
        "custom": field is not None and field.custom,
        "displayName": key,
        "foreignKeyName": None,
        "insertable": field is not None and field.createable,
        "joinColumns": [],
        "numberType": is_number,
        "textType": kind not in _UNTEXTUAL,
        "updatable": field is not None and field.updateable,
    }
