"""Connect's spellings of a value, made one: the only place that knows them.

Money and quantities are strings in most bodies, numbers in some (wishlists), and wrapped in `{"value": ...}` in search
results; lists are wrapped once or twice; unset properties are null or absent. Nothing here reads a float's text twice:
a number becomes a `Decimal` by its shortest text. No I/O.

Source: facts/commerce/carts.md sections 1 and 4, catalog.md sections 2 and 4, needs.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from orgbridge.client.errors import MalformedReply
from orgbridge.kit.json import JSON

#: How often lists may be wrapped before a reply is taken for broken.
_WRAPS = 4


def unwrapped(value: JSON) -> JSON:
    """Return what is inside of `{"value": ...}`, and anything else as it is."""
    while isinstance(value, dict) and set(value) == {"value"}:
        value = value["value"]
    return value


def text(body: Mapping[str, Any], name: str) -> str | None:
    """Return a text; None for null, absent or empty."""
    value = unwrapped(body.get(name))
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if not isinstance(value, dict | list) else None


def needed(body: Mapping[str, Any], name: str, what: str) -> str:
    """Return a text that a caller cannot do without.

    Raises:
        MalformedReply: It is null, absent or empty.
    """
    found = text(body, name)
    if found is None:
        raise MalformedReply(f"Salesforce's reply to {what} lacks `{name}`.")
    return found


def decimal(body: Mapping[str, Any], name: str) -> Decimal | None:
    """Return an amount or a quantity exactly; None for null or absent.

    Raises:
        MalformedReply: It is no number.
    """
    value = unwrapped(body.get(name))
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InvalidOperation
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise MalformedReply(f"Salesforce's `{name}` is no number.") from None
    if not number.is_finite():
        raise MalformedReply(f"Salesforce's `{name}` is no number.")
    return number


def count(body: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number, also one written as a text; None for null or absent.

    Raises:
        MalformedReply: It is no whole number.
    """
    number = decimal(body, name)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise MalformedReply(f"Salesforce's `{name}` is no whole number.")
    return int(number)


def flag(body: Mapping[str, Any], name: str) -> bool:
    """Return a truth, also one written as a text; False for null or absent."""
    value = unwrapped(body.get(name))
    return value is True or (isinstance(value, str) and value.lower() == "true")


def part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object inside; an empty one for null or absent."""
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def items(body: Mapping[str, Any], *names: str) -> list[Mapping[str, Any]]:
    """Return a list of objects, however often it is wrapped under its own or a like name.

    Args:
        body: The reply.
        *names: Names that the list or a wrapping has, e.g. `cartCoupons`, `coupons`.
    """
    value: JSON = body
    for _ in range(_WRAPS):
        if isinstance(value, list):
            break
        inside = next((value[name] for name in names if name in value), None) if isinstance(value, dict) else None
        if inside is None:
            return []
        value = inside
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: Mapping[str, Any]) -> dict[str, str | None]:
    """Return a map of field values as texts, whatever each of them is wrapped in.

    A Record Field (`{"label", "text", "type"}`) gives its text.
    """
    found: dict[str, str | None] = {}
    for name in value:
        inside = value[name]
        if isinstance(inside, dict) and "text" in inside:
            found[str(name)] = text(inside, "text")
        else:
            found[str(name)] = text(value, name)
    return found


def wire(number: Decimal) -> str:
    """Return a quantity as Connect takes it: plain digits, never `1E+2`."""
    return format(number.normalize(), "f") if number else "0"


def joined(values: Sequence[str]) -> str:
    """Return a list as a parameter."""
    return ",".join(values)
