"""WHERE to SQL. Every simple condition is either true or false, never unknown; NOT turns it round.

So `F != 'x'` and `F NOT IN ('x')` are true for rows where F is null, and `F = 'x'`, `F < 1`, `F LIKE 'x%'` are false
for them. Assumed: `NOT (F < 1)`, `NOT (F LIKE 'x%')` and EXCLUDES are true for null by the same rule. An empty text
is null, as the platform stores it so; a boolean that is null (a missing parent's) is false.

Source: facts/salesforce/soql.md section 2, "Semantics to emulate".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from orgbridge.emulator.query.expressions import filtered_operand
from orgbridge.emulator.query.fragments import Fragment, Parameter, balanced
from orgbridge.emulator.query.functions import ORG_CURRENCY
from orgbridge.emulator.query.operands import Operand
from orgbridge.emulator.query.periods import Period, period_of
from orgbridge.emulator.query.scopes import Scope
from orgbridge.soql import tree
from orgbridge.soql.tree import Operator
from orgbridge.wire.dates import bulk_datetime
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, ID_TYPES, TEXT_TYPES, FieldType
from orgbridge.wire.ids import to_18

#: Characters of one text in WHERE. Source: facts/salesforce/soql.md, "Length".
MAX_TEXT_CHARS = 4_000
_NEVER, _ALWAYS = Fragment("0"), Fragment("1")
#: Types that have an order for `<` and the like.
_ORDERED = DECIMAL_TYPES | ID_TYPES | {
    FieldType.INT,
    FieldType.DATE,
    FieldType.DATETIME,
    FieldType.TIME,
    FieldType.STRING,
    FieldType.TEXTAREA,
    FieldType.PICKLIST,
    FieldType.COMBOBOX,
    FieldType.PHONE,
    FieldType.URL,
    FieldType.EMAIL,
}  # fmt: skip
_TEXTUAL = _ORDERED & TEXT_TYPES
#: How messages name the types whose name differs from describe's.
_TYPE_NAMES = {FieldType.DATETIME: "dateTime", FieldType.CURRENCY: "double", FieldType.PERCENT: "double"}


class Filter:
    """Turns the conditions of one scope into SQL.

    Args:
        scope: Resolves the fields and gathers the joins.
        now: The instant that relative dates count from.
        operand: Resolves the left side; HAVING puts aggregates there.
        semi_join: Plans the query inside IN; None where none may stand.
    """

    def __init__(
        self,
        scope: Scope,
        now: datetime,
        *,
        operand: Callable[[tree.Expression], Operand] | None = None,
        semi_join: Callable[[tree.InQuery], Fragment] | None = None,
    ) -> None:
        self._scope = scope
        self._refusals = scope.refusals
        self._today = now.date()
        self._operand = operand or (lambda expression: filtered_operand(scope, expression))
        self._semi_join = semi_join

    def condition(self, condition: tree.Condition, *, negated: bool = False) -> Fragment:
        """Return the SQL of a condition, or of its opposite.

        Raises:
            SFError: A field, operator or value in it is refused.
        """
        match condition:
            case tree.And(items=items):
                word = "OR" if negated else "AND"
                return balanced(word, [self.condition(item, negated=negated) for item in items])
            case tree.Or(items=items):
                word = "AND" if negated else "OR"
                return balanced(word, [self.condition(item, negated=negated) for item in items])
            case tree.Not(item=item):
                return self.condition(item, negated=not negated)
            case tree.Comparison():
                return self._comparison(condition, negated)
            case tree.Like():
                return _unless(self._like(condition), negated)
            case tree.InList():
                return _unless(self._in(condition), negated != condition.negated)
            case tree.Includes():
                return _unless(self._includes(condition), negated != condition.negated)
            case tree.InQuery():
                return self._in_query(condition, negated)
            case _:
                assert_never(condition)

    def _comparison(self, condition: tree.Comparison, negated: bool) -> Fragment:
        operand, operator = self._operand(condition.left), condition.operator
        if operand.is_distance and operator not in (Operator.LESS, Operator.GREATER):
            raise self._refusals.wrong_operator(condition.position, "location")
        if operator in (Operator.EQUAL, Operator.NOT_EQUAL):
            positive = self._equal(operand, condition.right)
            return _unless(positive, negated != (operator is Operator.NOT_EQUAL))
        if operand.type not in _ORDERED or isinstance(condition.right, tree.NullValue):
            raise self._refusals.wrong_operator(condition.position, operand.type.value)
        return _unless(self._range(operand, operator, condition.right), negated)

    def _equal(self, operand: Operand, value: tree.Value) -> Fragment:
        if operand.type is FieldType.BOOLEAN:
            return self._boolean(operand, value)
        if isinstance(value, tree.NullValue) or _is_empty(operand, value):
            return Fragment(f"{operand.column} IS NULL")
        if isinstance(value, tree.DateLiteral):
            start, end = self._bounds(operand, value)
            return Fragment(f"({operand.key} >= ? AND {operand.key} < ?)", (start, end))
        return Fragment(f"{operand.key} = ?", (self._parameter(operand, value),))

    def _boolean(self, operand: Operand, value: tree.Value) -> Fragment:
        if not isinstance(value, tree.BooleanValue | tree.NullValue):
            raise self._refusals.wrong_type(operand.position, operand.name, "boolean", quoted=False)
        wanted = isinstance(value, tree.BooleanValue) and value.value
        is_joined = operand.reference is not None and operand.reference.is_joined
        # The parent may be missing, and the field of a group may be summed up over: both are null, which is false.
        if wanted or (operand.is_key_stored and not is_joined):
            return Fragment(f"{operand.column} = ?", (int(wanted),))
        return Fragment(f"COALESCE({operand.column}, 0) = 0")

    def _range(self, operand: Operand, operator: Operator, value: tree.Value) -> Fragment:
        if isinstance(value, tree.DateLiteral):
            start, end = self._bounds(operand, value)
            # `<` a period is before its start, `>` is after its end; the end itself is the first instant after it.
            sign, bound = {
                Operator.LESS: ("<", start),
                Operator.LESS_OR_EQUAL: ("<", end),
                Operator.GREATER: (">=", end),
                Operator.GREATER_OR_EQUAL: (">=", start),
            }[operator]
            return Fragment(f"{operand.key} {sign} ?", (bound,))
        return Fragment(f"{operand.key} {operator.value} ?", (self._parameter(operand, value),))

    def _bounds(self, operand: Operand, literal: tree.DateLiteral) -> tuple[str, str]:
        if operand.type not in (FieldType.DATE, FieldType.DATETIME):
            raise self._wrong_type(operand)
        try:
            period = period_of(literal, self._today)
        except OverflowError:
            # Assumed: code and text.
            raise self._refusals.at(
                "NUMBER_OUTSIDE_VALID_RANGE", literal.position, f"{literal.name}:{literal.count} is out of range"
            ) from None
        return _bounds_of(period, operand.type)

    def _parameter(self, operand: Operand, value: tree.Value) -> Parameter:
        """Return a value as the operand's key holds it, or refuse its type."""
        kind = operand.type
        match value:
            case tree.StringValue(value=text) if kind in ID_TYPES:
                identity = to_18(text)
                if identity is None:
                    raise self._refusals.bad_id(operand.position, text)
                return identity
            case tree.StringValue(value=text) if kind in _TEXTUAL or kind is FieldType.MULTIPICKLIST:
                self._check_length(text, value.position)
                return operand.fold(text)
            case tree.NumberValue() if kind in DECIMAL_TYPES or kind is FieldType.INT:
                number = value.value
                return number if abs(number) < 2**63 else float(number)
            case tree.DateValue(value=day) if kind is FieldType.DATE:
                return day.isoformat()
            case tree.DateTimeValue(value=instant) if kind is FieldType.DATETIME:
                return bulk_datetime(instant)
            case tree.TimeValue(value=moment) if kind is FieldType.TIME:
                return f"{moment.isoformat('milliseconds')}Z"
            case tree.CurrencyValue(code=code, amount=amount) if kind is FieldType.CURRENCY:
                if code != ORG_CURRENCY:
                    # Assumed: code and text; that only the org's own currencies are taken is documented.
                    raise self._refusals.at("INVALID_FIELD", value.position, f"Invalid currency: {code}")
                return float(amount)
            case _:
                raise self._wrong_type(operand)

    def _wrong_type(self, operand: Operand) -> Exception:
        quoted = operand.type in ID_TYPES or operand.type in _TEXTUAL or operand.type is FieldType.MULTIPICKLIST
        name = "string" if quoted else _TYPE_NAMES.get(operand.type, operand.type.value)
        return self._refusals.wrong_type(operand.position, operand.name, name, quoted=quoted)

    def _check_length(self, text: str, position: int) -> None:
        if len(text) > MAX_TEXT_CHARS:
            # Assumed: code and text.
            raise self._refusals.malformed(
                position, f"String literals cannot be longer than {MAX_TEXT_CHARS} characters."
            )

    def _like(self, condition: tree.Like) -> Fragment:
        operand = self._operand(condition.left)
        if operand.type not in _TEXTUAL or not isinstance(condition.pattern, tree.LikePattern):
            raise self._refusals.wrong_operator(condition.position, operand.type.value)
        parts = [p if isinstance(p, tree.Wildcard) else operand.fold(p) for p in condition.pattern.parts]
        self._check_length("".join(parts), condition.pattern.position)
        if not parts:
            return Fragment(f"{operand.column} IS NULL")
        matches = Fragment(f"{operand.key} GLOB ?", ("".join(_glob(part) for part in parts),))
        bounds = _prefix_bounds(parts[0]) if operand.is_key_stored else None
        if bounds is None:
            return matches
        # SQLite turns no bound pattern into a range by itself, so the range of the prefix is spelt out for the index.
        return Fragment(
            f"({operand.key} >= ? AND {operand.key} < ? AND {matches.text})", (*bounds, *matches.parameters)
        )

    def _in(self, condition: tree.InList) -> Fragment:
        operand = self._operand(condition.left)
        if operand.is_distance:
            raise self._refusals.wrong_operator(condition.position, "location")
        if isinstance(condition.values, tree.Bind):
            raise self._refusals.malformed(condition.values.position, "Bind variables only allowed in Apex code")
        plain: list[Parameter] = []
        pieces: list[Fragment] = []
        for value in condition.values:
            special = isinstance(value, tree.NullValue | tree.DateLiteral | tree.BooleanValue)
            if special or operand.type is FieldType.BOOLEAN or _is_empty(operand, value):
                pieces.append(self._equal(operand, value))
            else:
                plain.append(self._parameter(operand, value))
        if plain:
            pieces.append(Fragment(f"{operand.key} IN ({', '.join('?' * len(plain))})", tuple(plain)))
        return balanced("OR", pieces)

    def _includes(self, condition: tree.Includes) -> Fragment:
        operand = self._operand(condition.left)
        if operand.type is not FieldType.MULTIPICKLIST:
            raise self._refusals.wrong_operator(condition.position, operand.type.value)
        return balanced("OR", [self._includes_all(operand, value) for value in condition.values])

    def _includes_all(self, operand: Operand, value: tree.StringValue | tree.Bind) -> Fragment:
        if isinstance(value, tree.Bind):
            raise self._refusals.malformed(value.position, "Bind variables only allowed in Apex code")
        wanted = [operand.fold(text.strip()) for text in value.value.split(";") if text.strip()]
        if not wanted:
            return Fragment(f"{operand.column} IS NULL")
        text = f"instr(';' || {operand.key} || ';', ?) > 0"
        return balanced("AND", [Fragment(text, (f";{choice};",)) for choice in wanted])

    def _in_query(self, condition: tree.InQuery, negated: bool) -> Fragment:
        if self._semi_join is None:
            raise self._refusals.malformed(condition.position, "Nesting of semi join sub-selects is not supported")
        operand = self._operand(condition.left)
        inner = self._semi_join(condition)
        return _unless(inner.wrap(f"{operand.column} IN (", ")"), negated != condition.negated)


def _unless(positive: Fragment, negated: bool) -> Fragment:
    """Return the condition, or its opposite in a logic that knows no third value."""
    return positive.wrap("(", ") IS NOT TRUE") if negated else positive


def _is_empty(operand: Operand, value: tree.Value) -> bool:
    return isinstance(value, tree.StringValue) and not value.value and operand.type not in ID_TYPES


def _bounds_of(period: Period, kind: FieldType) -> tuple[str, str]:
    time = "T00:00:00.000Z" if kind is FieldType.DATETIME else ""
    return f"{period.start.isoformat()}{time}", f"{period.end.isoformat()}{time}"


def _glob(part: str | tree.Wildcard) -> str:
    """Return a piece of a LIKE pattern in the language of SQLite's GLOB, which minds case and is given folded text."""
    if isinstance(part, tree.Wildcard):
        return "*" if part is tree.Wildcard.MANY else "?"
    return "".join(f"[{char}]" if char in "*?[" else char for char in part)


def _prefix_bounds(part: str | tree.Wildcard) -> tuple[str, str] | None:
    """Return the least text with a prefix and the least text after all of them; None when there is no prefix."""
    if isinstance(part, tree.Wildcard):
        return None
    last = ord(part[-1])
    if last in (0xD7FF, 0x10FFFF):
        return None
    return part, part[:-1] + chr(last + 1)
