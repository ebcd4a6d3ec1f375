"""GROUP BY, ROLLUP, CUBE, HAVING and the aggregate functions, as one statement.

Groups form without regard to case, and show the least of the texts that fell together (Assumed).

Source: facts/salesforce/soql.md sections 1 ("Special shapes") and 2 ("Aggregates"). Assumed: texts of errors, from
memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeAlias, assert_never

from orgbridge.emulator.query.expressions import operand_of
from orgbridge.emulator.query.filters import Filter
from orgbridge.emulator.query.fragments import Fragment, balanced, join
from orgbridge.emulator.query.functions import formatted, text_literal
from orgbridge.emulator.query.operands import Operand
from orgbridge.emulator.query.ordering import order_term
from orgbridge.emulator.query.plans import AggregateShape, Context, ValueItem
from orgbridge.emulator.query.scopes import Scope
from orgbridge.soql import tree
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, TEXT_TYPES, FieldType

AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX", "GROUPING"})
#: Fields that ROLLUP and CUBE take. Source: soql.md section 2, groupSpec.
MAX_GROUPING_FIELDS = 3
_NUMERIC = DECIMAL_TYPES | {FieldType.INT}
_UNSUPPORTED = frozenset(
    {FieldType.BOOLEAN, FieldType.BASE64, FieldType.TIME, FieldType.ADDRESS, FieldType.LOCATION, FieldType.ANYTYPE}
)
_Identity: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """A planned aggregate query."""

    #: The statement without ORDER BY and LIMIT.
    statement: Fragment
    #: ORDER BY with its terms, or nothing.
    order: str
    #: How a row becomes a record.
    shape: AggregateShape


def plan_groups(context: Context, scope: Scope, query: tree.Query, conditions: Sequence[Fragment]) -> Groups:
    """Return the statement of an aggregate query.

    Args:
        context: What planning knows.
        scope: Resolves the paths.
        query: The query; it groups or uses an aggregate.
        conditions: SQL of WHERE, all of which must hold.

    Raises:
        SFError: An item is neither grouped nor aggregated, or a function does not take its field.
    """
    return _GroupPlanner(context, scope, query).plan(conditions)


class _GroupPlanner:
    def __init__(self, context: Context, scope: Scope, query: tree.Query) -> None:
        self._context = context
        self._scope = scope
        self._refusals = context.refusals
        self._query = query
        self._groups: dict[_Identity, Operand] = {}
        for item in query.group_by.items if query.group_by else ():
            operand = operand_of(scope, item)
            if operand.field is not None and not (operand.field.groupable and operand.field.is_stored):
                raise self._refusals.not_groupable(item.position, operand.name)
            self._groups[self._identity(item)] = operand
        #: The groups that the statement under construction keeps apart; the others are summed up.
        self._active: frozenset[_Identity] = frozenset(self._groups)

    def plan(self, conditions: Sequence[Fragment]) -> Groups:
        items = self._items()
        statements = []
        for active in self._grouping_sets():
            self._active = active
            statements.append(self._statement(conditions))
        self._active = frozenset(self._groups)
        order = [
            order_term(item, self._operand(item.expression), f"o{index}")
            for index, item in enumerate(self._query.order_by)
        ]
        union = statements[0] if len(statements) == 1 else join(" UNION ALL ", statements)
        return Groups(
            statement=union.wrap("SELECT * FROM (", ")"),
            order="ORDER BY " + ", ".join(order) if order else "",
            shape=AggregateShape(items=tuple(items)),
        )

    def _grouping_sets(self) -> list[frozenset[_Identity]]:
        names = list(self._groups)
        group_by = self._query.group_by
        grouping = group_by.grouping if group_by else tree.Grouping.PLAIN
        if grouping is not tree.Grouping.PLAIN and len(names) > MAX_GROUPING_FIELDS:
            text = f"{grouping.value} takes at most {MAX_GROUPING_FIELDS} fields"
            raise self._refusals.malformed(group_by.position if group_by else 0, text)
        match grouping:
            case tree.Grouping.PLAIN:
                return [frozenset(names)]
            case tree.Grouping.ROLLUP:
                return [frozenset(names[:count]) for count in range(len(names), -1, -1)]
            case tree.Grouping.CUBE:
                counts = range(len(names), -1, -1)
                return [frozenset(chosen) for count in counts for chosen in combinations(names, count)]
            case _:
                assert_never(grouping)

    def _items(self) -> list[ValueItem]:
        items: list[ValueItem] = []
        for index, item in enumerate(self._query.select):
            if not isinstance(item, tree.SelectExpression):
                raise self._refusals.not_evaluated(item.position, "SELECT")
            operand = self._operand(item.expression)
            key = item.alias or self._key(item.expression, operand, items)
            if any(key.lower() == other.key.lower() for other in items):
                raise self._refusals.malformed(item.position, f"duplicate alias: {key}")
            items.append(ValueItem(key=key, index=index, type=operand.type))
        return items

    def _key(self, expression: tree.Expression, operand: Operand, items: list[ValueItem]) -> str:
        if isinstance(expression, tree.FieldPath):
            return operand.name
        unnamed = sum(1 for item in items if item.key.startswith("expr") and item.key[4:].isdigit())
        return f"expr{unnamed}"

    def _statement(self, conditions: Sequence[Fragment]) -> Fragment:
        columns = [
            Fragment(f"{self._operand(item.expression).column} AS c{index}")
            for index, item in enumerate(self._query.select)
            if isinstance(item, tree.SelectExpression)
        ]
        for index, order in enumerate(self._query.order_by):
            columns.append(Fragment(f"{self._operand(order.expression).key} AS o{index}"))
        having = self._having()
        grouped = ", ".join(self._groups[name].key for name in self._groups if name in self._active)
        pieces = [join(", ", columns).wrap("SELECT ", f" FROM {self._scope.from_clause()}")]
        if conditions:
            pieces.append(balanced("AND", conditions).wrap("WHERE "))
        if self._groups:
            # The grand total of ROLLUP and CUBE is one group of all rows, and none where there are no rows.
            pieces.append(Fragment(f"GROUP BY {grouped or 'NULL'}"))
        if having is not None:
            pieces.append(having.wrap("HAVING "))
        return join(" ", pieces)

    def _having(self) -> Fragment | None:
        if self._query.having is None:
            return None
        return Filter(self._scope, self._context.now, operand=self._operand).condition(self._query.having)

    def _identity(self, expression: tree.Expression) -> _Identity:
        """Return what two spellings of the same group have in common."""
        if isinstance(expression, tree.FieldPath):
            return tuple(part.lower() for part in self._scope.strip(expression.parts))
        inner = [self._identity(a) for a in expression.arguments if isinstance(a, tree.FieldPath | tree.FunctionCall)]
        return (f"{expression.name.lower()}()", *(part for names in inner for part in names))

    def _operand(self, expression: tree.Expression) -> Operand:
        """Return the operand of a grouped expression or an aggregate, as the present grouping set has it."""
        if isinstance(expression, tree.FunctionCall) and expression.name.upper() in AGGREGATES:
            return self._aggregate(expression)
        if isinstance(expression, tree.FunctionCall) and expression.name.upper() == "FORMAT":
            return self._formatted(expression)
        identity = self._identity(expression)
        operand = self._groups.get(identity)
        if operand is None:
            name = operand_of(self._scope, expression).name
            text = f"Field must be grouped or aggregated: {name}"
            raise self._refusals.malformed(expression.position, text)
        if identity not in self._active:
            return replace(operand, column="NULL", key="NULL", is_key_stored=False)
        shown = f"MIN({operand.column})" if operand.type in TEXT_TYPES else operand.column
        return replace(operand, column=shown, is_key_stored=False)

    def _formatted(self, call: tree.FunctionCall) -> Operand:
        """Return FORMAT of a group's field or of an aggregate."""
        inner = call.arguments[0] if len(call.arguments) == 1 else None
        if not isinstance(inner, tree.FieldPath | tree.FunctionCall):
            raise self._refusals.not_evaluated(call.position, call.name)
        return formatted(self._scope, call, self._operand(inner))

    def _aggregate(self, call: tree.FunctionCall) -> Operand:
        name = call.name.upper()
        if len(call.arguments) != 1 or not isinstance(call.arguments[0], tree.FieldPath | tree.FunctionCall):
            raise self._refusals.not_evaluated(call.position, call.name)
        argument = call.arguments[0]
        if name == "GROUPING":
            return self._grouping(call, argument)
        inner = operand_of(self._scope, argument)
        kind = inner.type
        allowed = kind in _NUMERIC if name in ("SUM", "AVG") else kind not in _UNSUPPORTED
        if not allowed or not isinstance(argument, tree.FieldPath) or (inner.field and not inner.field.is_stored):
            text = f"field {inner.name} does not support aggregate operator {name}"
            raise self._refusals.malformed(call.position, text)
        column, result = self._sql(name, inner)
        folded = f"SF_FOLD({column})" if result in TEXT_TYPES and not inner.case_sensitive else column
        return Operand(
            column=column,
            key=folded,
            type=result,
            name=f"{name}({argument.text})",
            position=call.position,
            reference=inner.reference if name in ("SUM", "MIN", "MAX") else None,
            is_key_stored=False,
            case_sensitive=inner.case_sensitive,
        )

    def _sql(self, name: str, inner: Operand) -> tuple[str, FieldType]:
        if name == "COUNT":
            return f"COUNT({inner.column})", FieldType.INT
        if name == "COUNT_DISTINCT":
            return f"COUNT(DISTINCT {inner.key})", FieldType.INT
        if name == "SUM":
            return f"SUM({inner.column})", inner.type
        if name == "AVG":
            return f"AVG({inner.column})", FieldType.DOUBLE
        if inner.field is not None and inner.field.picklist and inner.type is FieldType.PICKLIST:
            return _extreme_choice(name, inner, [value.value for value in inner.field.picklist]), inner.type
        if inner.type in TEXT_TYPES and not inner.case_sensitive:
            # The folded text decides; the text itself follows a separator that sorts below every printed character.
            extreme = f"{name}({inner.key} || char(1) || {inner.column})"
            return f"substr({extreme}, instr({extreme}, char(1)) + 1)", inner.type
        return f"{name}({inner.column})", inner.type

    def _grouping(self, call: tree.FunctionCall, argument: tree.Argument) -> Operand:
        identity = self._identity(argument) if isinstance(argument, tree.FieldPath | tree.FunctionCall) else ()
        if identity not in self._groups:
            raise self._refusals.malformed(call.position, "GROUPING takes a field of GROUP BY")
        column = "0" if identity in self._active else "1"
        return Operand(
            column=column, key=column, type=FieldType.INT, name=call.name, position=call.position, is_key_stored=False
        )


def _extreme_choice(name: str, inner: Operand, choices: list[str]) -> str:
    """Return the first or last value of a picklist in the picklist's own order; values not in it come after all."""
    ranks = {value: index for index, value in enumerate(choices)}
    whens = " ".join(f"WHEN {text_literal(value)} THEN {rank}" for value, rank in ranks.items())
    rank = f"CASE WHEN {inner.column} IS NOT NULL THEN CASE {inner.column} {whens} ELSE {len(ranks)} END END"
    extreme = f"{name}(printf('%06d', {rank}) || {inner.column})"
    return f"substr({extreme}, 7)"
