"""Tree to canonical SOQL: keywords in upper case, names as they are, only the parentheses that are needed.

Parsing what is printed gives the same tree.
"""

from __future__ import annotations

from typing import assert_never

from orgbridge.soql import tree
from orgbridge.soql.quoting import quote


def print_query(query: tree.Query) -> str:
    """Return the text of a query."""
    parts = [
        "SELECT " + ", ".join(_select_item(item) for item in query.select),
        "FROM " + ", ".join(".".join(source.path) + _alias(source.alias) for source in query.sources),
    ]
    if query.scope is not None:
        parts.append(f"USING SCOPE {query.scope}")
    if query.where is not None:
        parts.append(f"WHERE {print_condition(query.where)}")
    if query.with_ is not None:
        parts.append(f"WITH {_with(query.with_)}")
    if query.group_by is not None:
        parts.append(_group_by(query.group_by))
    if query.having is not None:
        parts.append(f"HAVING {print_condition(query.having)}")
    if query.order_by:
        parts.append("ORDER BY " + ", ".join(print_order_item(item) for item in query.order_by))
    if query.limit is not None:
        parts.append(f"LIMIT {_count(query.limit)}")
    if query.offset is not None:
        parts.append(f"OFFSET {_count(query.offset)}")
    parts += [f"FOR {word}" for word in query.for_]
    if query.update:
        parts.append("UPDATE " + ", ".join(query.update))
    if query.all_rows:
        parts.append("ALL ROWS")
    return " ".join(parts)


def print_condition(condition: tree.Condition) -> str:
    """Return the text of a condition, as it stands after WHERE."""
    match condition:
        case tree.And(items=items):
            return " AND ".join(_operand(item) for item in items)
        case tree.Or(items=items):
            return " OR ".join(_operand(item) for item in items)
        case tree.Not(item=item):
            return f"NOT {_operand(item)}"
        case tree.Comparison():
            return f"{print_expression(condition.left)} {condition.operator.value} {print_value(condition.right)}"
        case tree.Like():
            return f"{print_expression(condition.left)} LIKE {_pattern(condition.pattern)}"
        case tree.InList():
            return f"{print_expression(condition.left)} {_in(condition.negated)} {_values(condition.values)}"
        case tree.InQuery():
            return f"{print_expression(condition.left)} {_in(condition.negated)} ({print_query(condition.query)})"
        case tree.Includes():
            word = "EXCLUDES" if condition.negated else "INCLUDES"
            return f"{print_expression(condition.left)} {word} {_values(condition.values)}"
        case _:
            assert_never(condition)


def print_expression(expression: tree.Expression) -> str:
    """Return the text of a field path or a call."""
    match expression:
        case tree.FieldPath():
            return expression.text
        case tree.FunctionCall(name=name, arguments=arguments):
            return f"{name}({', '.join(_argument(argument) for argument in arguments)})"
        case _:
            assert_never(expression)


def print_value(value: tree.Value) -> str:
    """Return the literal of a value."""
    match value:
        case tree.StringValue() | tree.BooleanValue() | tree.DateValue() | tree.DateTimeValue() | tree.TimeValue():
            return quote(value.value)
        case tree.NumberValue(text=text):
            return text
        case tree.NullValue():
            return "NULL"
        case tree.DateLiteral(name=name, count=count):
            return name if count is None else f"{name}:{count}"
        case tree.CurrencyValue(code=code, amount=amount):
            return code + amount
        case tree.Bind(name=name):
            return f":{name}"
        case _:
            assert_never(value)


def _operand(condition: tree.Condition) -> str:
    text = print_condition(condition)
    return f"({text})" if isinstance(condition, tree.And | tree.Or | tree.Not) else text


def _argument(argument: tree.Argument) -> str:
    if isinstance(argument, tree.FieldPath | tree.FunctionCall):
        return print_expression(argument)
    return print_value(argument)


def _in(negated: bool) -> str:
    return "NOT IN" if negated else "IN"


def _values(values: tuple[tree.Value, ...] | tree.Bind) -> str:
    if isinstance(values, tree.Bind):
        return print_value(values)
    return "(" + ", ".join(print_value(value) for value in values) + ")"


def _pattern(pattern: tree.LikePattern | tree.Bind) -> str:
    if isinstance(pattern, tree.Bind):
        return print_value(pattern)
    pieces = [
        part.value if isinstance(part, tree.Wildcard) else quote(part)[1:-1].replace("%", "\\%").replace("_", "\\_")
        for part in pattern.parts
    ]
    return "'" + "".join(pieces) + "'"


def _alias(alias: str | None) -> str:
    return "" if alias is None else f" {alias}"


def _count(count: int | tree.Bind) -> str:
    return str(count) if isinstance(count, int) else print_value(count)


def _select_item(item: tree.SelectItem) -> str:
    match item:
        case tree.SelectExpression(expression=expression, alias=alias):
            return print_expression(expression) + _alias(alias)
        case tree.SelectFields(group=group):
            return f"FIELDS({group.value})"
        case tree.SelectQuery(query=query):
            return f"({print_query(query)})"
        case tree.SelectTypeOf():
            return _typeof(item)
        case _:
            assert_never(item)


def _typeof(item: tree.SelectTypeOf) -> str:
    whens = "".join(f" WHEN {when.sobject} THEN {_paths(when.fields)}" for when in item.whens)
    otherwise = f" ELSE {_paths(item.otherwise)}" if item.otherwise else ""
    return f"TYPEOF {item.relationship.text}{whens}{otherwise} END"


def _paths(paths: tuple[tree.FieldPath, ...]) -> str:
    return ", ".join(path.text for path in paths)


def _with(clause: tree.With) -> str:
    match clause:
        case tree.WithMode(mode=mode):
            return mode
        case tree.WithDataCategory(filters=filters):
            return "DATA CATEGORY " + " AND ".join(_category(item) for item in filters)
        case tree.WithRecordVisibility(settings=settings):
            inner = ", ".join(f"{name} = {print_value(value)}" for name, value in settings)
            return f"RecordVisibilityContext ({inner})"
        case tree.WithCondition(condition=condition):
            return print_condition(condition)
        case _:
            assert_never(clause)


def _category(item: tree.DataCategory) -> str:
    names = item.categories[0] if len(item.categories) == 1 else "(" + ", ".join(item.categories) + ")"
    return f"{item.group} {item.selector} {names}"


def _group_by(group_by: tree.GroupBy) -> str:
    items = ", ".join(print_expression(item) for item in group_by.items)
    return "GROUP BY " + (items if group_by.grouping is tree.Grouping.PLAIN else f"{group_by.grouping.value}({items})")


def print_order_item(item: tree.OrderItem) -> str:
    """Return the text of one key of ORDER BY."""
    direction = f" {item.direction.value}" if item.direction else ""
    nulls = f" NULLS {item.nulls.value}" if item.nulls else ""
    return print_expression(item.expression) + direction + nulls
