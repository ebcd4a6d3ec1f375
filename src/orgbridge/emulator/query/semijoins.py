"""`IN (SELECT ...)`: what the platform allows there, and its SQL.

Source: facts/salesforce/soql.md, "Semi-join limits". Assumed: the texts, from memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from orgbridge.emulator.query.access import sharing_conditions
from orgbridge.emulator.query.filters import Filter
from orgbridge.emulator.query.fragments import Fragment, balanced, identifier
from orgbridge.emulator.query.plans import Context
from orgbridge.emulator.query.scopes import Scope
from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.soql import tree
from orgbridge.wire.fieldtypes import ID_TYPES, FieldType

#: Semi- and anti-joins in one WHERE.
MAX_SEMI_JOINS = 2
_REFUSED_OBJECTS = frozenset({"activityhistory", "openactivity", "attachment", "event", "note", "task"})


def check_semi_joins(context: Context, where: tree.Condition) -> None:
    """Refuse semi-joins under OR or NOT, and more than two of them.

    Raises:
        SFError: MALFORMED_QUERY.
    """
    found = list(_semi_joins(where, ()))
    for condition, above in found:
        for kind in (tree.Or, tree.Not):
            if kind in above:
                word = kind.__name__.upper()
                text = f"Semi join sub-selects are not allowed with the '{word}' operator"
                raise context.refusals.malformed(condition.position, text)
    if len(found) > MAX_SEMI_JOINS:
        text = f"Maximum {MAX_SEMI_JOINS} semi join sub-selects are allowed"
        raise context.refusals.malformed(found[MAX_SEMI_JOINS][0].position, text)


def _semi_joins(condition: tree.Condition, above: tuple[type, ...]) -> Iterator[tuple[tree.InQuery, tuple[type, ...]]]:
    match condition:
        case tree.InQuery():
            yield condition, above
        case tree.And(items=items) | tree.Or(items=items):
            for item in items:
                yield from _semi_joins(item, (*above, type(condition)))
        case tree.Not(item=item):
            yield from _semi_joins(item, (*above, tree.Not))


def semi_join(context: Context, outer: Scope, condition: tree.InQuery) -> Fragment:
    """Return the statement inside IN.

    Raises:
        SFError: The left side or the inner query breaks a rule of semi-joins.
    """
    refusals, query, left = context.refusals, condition.query, condition.left
    if not isinstance(left, tree.FieldPath) or len(outer.strip(left.parts)) > 1:
        name = left.text if isinstance(left, tree.FieldPath) else left.name
        text = f"The left operand '{name}' cannot have more than one level of relationships"
        raise refusals.malformed(left.position, text)
    inner = _inner_object(context, outer, query)
    scope = Scope(context.catalogue, refusals, inner, context.aliases, query.sources)
    selected, path = _selected(context, scope, query)
    _check_same_target(context, outer, left, inner, selected, path)
    column = f"{scope.alias}.{identifier(selected.name)}"
    conditions = [Fragment(f"{column} IS NOT NULL")]
    if not context.include_deleted:
        conditions.append(Fragment(f"{scope.alias}.{identifier('IsDeleted')} = 0"))
    conditions += sharing_conditions(context, scope)
    if query.where is not None:
        conditions.append(Filter(scope, context.now).condition(query.where))
    where = balanced("AND", conditions)
    return where.wrap(" ".join(["SELECT", column, "FROM", scope.from_clause(), "WHERE "]))


def _inner_object(context: Context, outer: Scope, query: tree.Query) -> SObject:
    refusals, source = context.refusals, query.sources[0]
    for clause, word in ((query.group_by, "GROUP"), (query.order_by, "ORDER"), (query.limit, "LIMIT")):
        if clause:
            raise refusals.not_evaluated(query.position, word)
    if query.offset or query.for_ or query.update or query.with_ or query.scope or query.all_rows:
        raise refusals.not_evaluated(query.position, "SELECT")
    inner = context.catalogue.sobject(source.path[0]) if len(source.path) == 1 else None
    if inner is None:
        raise refusals.no_object(source.position, ".".join(source.path))
    if inner.name.lower() in _REFUSED_OBJECTS:
        text = f"Entity '{inner.name}' is not supported for semi join inner selects"
        raise refusals.malformed(source.position, text)
    if inner is outer.sobject:
        text = "The inner and outer selects should not be on the same object type"
        raise refusals.malformed(source.position, text)
    return inner


def _selected(context: Context, scope: Scope, query: tree.Query) -> tuple[Field, tree.FieldPath]:
    refusals, item = context.refusals, query.select[0]
    if len(query.select) > 1:
        raise refusals.malformed(query.select[1].position, "Semi join sub-selects can only query one field")
    if not isinstance(item, tree.SelectExpression) or not isinstance(item.expression, tree.FieldPath):
        raise refusals.malformed(item.position, "Semi join sub-selects can only query id fields")
    path = item.expression
    if len(scope.strip(path.parts)) > 1:
        text = f"The inner select field '{path.text}' cannot have more than one level of relationships"
        raise refusals.malformed(path.position, text)
    field = scope.resolve(path).field
    if field.type not in ID_TYPES:
        text = f"Semi join sub-selects can only query id fields, cannot use: '{field.name}'"
        raise refusals.malformed(path.position, text)
    return field, path


def _check_same_target(
    context: Context, outer: Scope, left: tree.FieldPath, inner: SObject, selected: Field, path: tree.FieldPath
) -> None:
    field = outer.resolve(left).field
    if field.type not in ID_TYPES:
        text = f"Semi join sub-selects can only query id fields, cannot use: '{field.name}'"
        raise context.refusals.malformed(left.position, text)
    if not _targets(field, outer.sobject) & _targets(selected, inner):
        text = (
            f"The selected field '{path.text}' in the subquery and the left operand field in the where expression in "
            f"the outer query '{left.text}' should point to the same object type"
        )
        raise context.refusals.malformed(left.position, text)


def _targets(field: Field, owner: SObject) -> frozenset[str]:
    return frozenset({owner.name}) if field.type is FieldType.ID else frozenset(field.reference_to)
