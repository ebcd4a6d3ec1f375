"""What a SOQL text says, as frozen values. Positions are kept for messages and take no part in equality.

Names are kept as written; what they mean is decided by whoever has a schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import TypeAlias

#: Characters of the longest whole number that is read as one: 63 bits with a sign.
INTEGER_CHARS = 20


def _position() -> int:
    """Declare where a node starts, from 0; 0 for nodes made by hand."""
    return field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StringValue:
    """A quoted text, escapes taken out."""

    #: The text itself.
    value: str
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberValue:
    """A number, digits as written, so that no precision is lost."""

    #: For example `-12.50` or `1e6`.
    text: str
    position: int = _position()

    @property
    def value(self) -> int | float:
        """The number; an int when it is written as one that SQL's integers can hold."""
        is_whole = self.text.lstrip("+-").isdigit() and len(self.text) <= INTEGER_CHARS
        return int(self.text) if is_whole else float(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class BooleanValue:
    """TRUE or FALSE."""

    #: The truth value.
    value: bool
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class NullValue:
    """NULL."""

    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class DateValue:
    """A calendar date."""

    #: The date, 1700-01-01 to 4000-12-31.
    value: date
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTimeValue:
    """An instant."""

    #: Aware, in UTC, to milliseconds.
    value: datetime
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeValue:
    """A time of day, such as `09:30:00.000Z`."""

    #: Without a zone; to milliseconds.
    value: time
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class DateLiteral:
    """A relative date such as `TODAY` or `LAST_N_DAYS:30`."""

    #: Upper case, one of `dateliterals.PLAIN_LITERALS` or `COUNTED_LITERALS`.
    name: str
    #: The number after the colon; None for plain literals.
    count: int | None = None
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyValue:
    """An amount with its ISO code, such as `USD5000`."""

    #: Three letters, upper case.
    code: str
    #: Digits as written.
    amount: str
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A `:name` to be replaced before the query is sent; read only when the parser was asked to allow it."""

    #: The name without the colon; may hold dots, such as `caller.user_id`.
    name: str
    position: int = _position()


class Wildcard(StrEnum):
    """What a LIKE pattern may hold besides text."""

    MANY = "%"
    ONE = "_"


@dataclass(frozen=True, slots=True, kw_only=True)
class LikePattern:
    """The right side of LIKE, escapes resolved: pieces of literal text between wildcards."""

    #: Texts (never empty, never two in a row) and wildcards in order.
    parts: tuple[str | Wildcard, ...]
    position: int = _position()


Value: TypeAlias = (
    StringValue
    | NumberValue
    | BooleanValue
    | NullValue
    | DateValue
    | DateTimeValue
    | TimeValue
    | DateLiteral
    | CurrencyValue
    | Bind
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPath:
    """A field, reached over relationships or an alias: `Name`, `Account.Owner.Name`."""

    #: Each name as written; at least one.
    parts: tuple[str, ...]
    position: int = _position()

    @property
    def text(self) -> str:
        """The path with dots."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """Aggregates, date functions, toLabel, FORMAT, convertCurrency, DISTANCE, GEOLOCATION, GROUPING and the like."""

    #: As written.
    name: str
    #: Fields, calls or values; empty only for `COUNT()`.
    arguments: tuple[Argument, ...] = ()
    position: int = _position()


Expression: TypeAlias = FieldPath | FunctionCall
Argument: TypeAlias = (
    "FieldPath | FunctionCall | StringValue | NumberValue | BooleanValue | NullValue | DateValue | DateTimeValue"
    " | TimeValue | DateLiteral | CurrencyValue | Bind"
)


class Operator(StrEnum):
    """Comparisons; `<>` is read as `!=`."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`left operator right`."""

    left: Expression
    operator: Operator
    right: Value
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """`left LIKE pattern`."""

    left: Expression
    #: A bind stands for a whole pattern.
    pattern: LikePattern | Bind
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class InList:
    """`left IN (values)` or `left IN :bind`, or NOT IN."""

    left: Expression
    #: At least one value, or one bind that stands for the whole list.
    values: tuple[Value, ...] | Bind
    negated: bool = False
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class InQuery:
    """`left IN (SELECT ...)`: a semi-join, or with NOT an anti-join."""

    left: Expression
    query: Query
    negated: bool = False
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class Includes:
    """`left INCLUDES (values)`, or EXCLUDES: for multi-select picklists; `;` in a value means "and"."""

    left: Expression
    values: tuple[StringValue | Bind, ...]
    #: True for EXCLUDES.
    negated: bool = False
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    """All of two or more conditions."""

    items: tuple[Condition, ...]
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class Or:
    """Any of two or more conditions."""

    items: tuple[Condition, ...]
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """The opposite of a condition."""

    item: Condition
    position: int = _position()


Condition: TypeAlias = "Comparison | Like | InList | InQuery | Includes | And | Or | Not"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectExpression:
    """A field or call, perhaps under another name."""

    expression: Expression
    alias: str | None = None
    position: int = _position()


class FieldGroup(StrEnum):
    """What FIELDS() may ask for."""

    ALL = "ALL"
    STANDARD = "STANDARD"
    CUSTOM = "CUSTOM"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectFields:
    """`FIELDS(ALL)` and its like."""

    group: FieldGroup
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectQuery:
    """A child subquery in parentheses."""

    query: Query
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """One branch of TYPEOF."""

    sobject: str
    fields: tuple[FieldPath, ...]
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectTypeOf:
    """`TYPEOF relationship WHEN ... THEN ... ELSE ... END`."""

    relationship: FieldPath
    whens: tuple[When, ...]
    #: Fields for every other type; empty when there is no ELSE.
    otherwise: tuple[FieldPath, ...] = ()
    position: int = _position()


SelectItem: TypeAlias = "SelectExpression | SelectFields | SelectQuery | SelectTypeOf"


@dataclass(frozen=True, slots=True, kw_only=True)
class FromItem:
    """An object, a child relationship, or `alias.Relationship`, perhaps with an alias."""

    #: `("Account",)`, `("Contacts",)`, `("c", "Account")`.
    path: tuple[str, ...]
    alias: str | None = None
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class WithMode:
    """`WITH SECURITY_ENFORCED`, `USER_MODE` or `SYSTEM_MODE`."""

    #: Upper case.
    mode: str
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCategory:
    """One `group selector categories` of WITH DATA CATEGORY."""

    group: str
    #: `AT`, `ABOVE`, `BELOW` or `ABOVE_OR_BELOW`.
    selector: str
    categories: tuple[str, ...]
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class WithDataCategory:
    """`WITH DATA CATEGORY a AT b AND c BELOW d`."""

    filters: tuple[DataCategory, ...]
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class WithRecordVisibility:
    """`WITH RecordVisibilityContext (name = value, ...)`."""

    #: Name and value pairs in order.
    settings: tuple[tuple[str, Value], ...]
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class WithCondition:
    """`WITH field = value`."""

    condition: Comparison
    position: int = _position()


With: TypeAlias = WithMode | WithDataCategory | WithRecordVisibility | WithCondition


class Grouping(StrEnum):
    """How GROUP BY groups."""

    PLAIN = "PLAIN"
    ROLLUP = "ROLLUP"
    CUBE = "CUBE"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupBy:
    """Fields or date functions that rows are grouped by."""

    items: tuple[Expression, ...]
    grouping: Grouping = Grouping.PLAIN
    position: int = _position()


class Direction(StrEnum):
    """Which way ORDER BY goes."""

    ASC = "ASC"
    DESC = "DESC"


class Nulls(StrEnum):
    """Where ORDER BY puts rows without a value."""

    FIRST = "FIRST"
    LAST = "LAST"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItem:
    """One key of ORDER BY; what is not written is None."""

    expression: Expression
    direction: Direction | None = None
    nulls: Nulls | None = None
    position: int = _position()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A whole query, or a subquery."""

    select: tuple[SelectItem, ...]
    #: The first is the object; others give aliases to its relationships.
    sources: tuple[FromItem, ...]
    #: As written after USING SCOPE.
    scope: str | None = None
    where: Condition | None = None
    with_: With | None = None
    group_by: GroupBy | None = None
    having: Condition | None = None
    order_by: tuple[OrderItem, ...] = ()
    limit: int | Bind | None = None
    offset: int | Bind | None = None
    #: `VIEW`, `REFERENCE`, `UPDATE` of FOR clauses, in order.
    for_: tuple[str, ...] = ()
    #: `TRACKING`, `VIEWSTAT` of UPDATE.
    update: tuple[str, ...] = ()
    #: Whether ALL ROWS ends it.
    all_rows: bool = False
    position: int = _position()
    #: Where LIMIT's and OFFSET's numbers stand.
    limit_position: int = _position()
    offset_position: int = _position()


Node: TypeAlias = (
    "Query | FromItem | Value | LikePattern | Expression | Condition | SelectItem | When | With | DataCategory"
    " | GroupBy | OrderItem"
)
