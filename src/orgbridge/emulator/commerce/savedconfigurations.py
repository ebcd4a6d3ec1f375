"""Configurations of products that users saved, to be applied to lines of carts.

Source: the reference of Saved Configuration (63): its properties, ids with `1Ny`, and the form of its errors; the
nodes of a configuration: `Product`, `Quantity`, `SalesTransactionItemAttribute` with `AttributeName`,
`AttributeValue` and `IsPriceImpacting`. Assumed: that the parts of a product are nodes below it as
`SalesTransactionItem`; that a user sees what the same user saved and what users of the org itself saved; the lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from orgbridge.emulator.commerce.contexts import own_account
from orgbridge.emulator.commerce.deals import bad_input
from orgbridge.emulator.commerce.money import read_quantity
from orgbridge.emulator.storage.counters import allocate
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON, JSONDecodeError, loads
from orgbridge.wire.ids import make_id, to_18

#: The room's own table: the object behind it is not known.
TABLES = """
CREATE TABLE IF NOT EXISTS ob_saved_configurations (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    everyone INTEGER NOT NULL,
    reference TEXT NOT NULL,
    name TEXT,
    description TEXT,
    data TEXT
);
CREATE INDEX IF NOT EXISTS ob_saved_configurations_of ON ob_saved_configurations (reference)
"""
_PREFIX = "1Ny"
#: Characters of a configuration's data, and of an attribute's name and value.
DATA, _NAME, _VALUE = 131_072, 255, 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One saved configuration."""

    #: `1Ny…`.
    id: str
    #: The record that it is saved for, such as a product.
    reference: str
    #: What people call it, or None.
    name: str | None
    #: What people say of it, or None.
    description: str | None
    #: A JSON object as text, or None.
    data: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One product of a configuration."""

    #: As the node names it.
    product: str | None
    #: How many; None where the node does not say.
    quantity: Decimal | None
    #: Name, value, and whether the price is said to depend on it.
    attributes: tuple[tuple[str, str | None, bool], ...]
    #: What it consists of.
    parts: tuple[Node, ...]


def save(connection: Connection, user_id: str, given: Saved) -> str:
    """Keep a configuration and return its id; that of `given` is passed over."""
    found = make_id(_PREFIX, allocate(connection, _PREFIX))
    everyone = own_account(connection, user_id)[0] is None
    values = (found, user_id, everyone, given.reference, given.name, given.description, given.data)
    connection.execute("INSERT INTO ob_saved_configurations VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    return found


def listed(connection: Connection, user_id: str, reference: str) -> list[Saved]:
    """Return what a user sees of the configurations for a record, first come first."""
    return _rows(connection, "reference = ? AND (user_id = ? OR everyone = 1)", (reference, user_id))


def find(connection: Connection, user_id: str, configuration_id: str) -> Saved | None:
    """Return a configuration that a user sees, or None."""
    where = "id = ? AND (user_id = ? OR everyone = 1)"
    found = _rows(connection, where, (to_18(configuration_id) or "", user_id))
    return found[0] if found else None


def _rows(connection: Connection, where: str, values: tuple[str, ...]) -> list[Saved]:
    sql = f"SELECT id, reference, name, description, data FROM ob_saved_configurations WHERE {where} ORDER BY id"  # noqa: S608
    return [
        Saved(id=row[0], reference=row[1], name=row[2], description=row[3], data=row[4])
        for row in connection.execute(sql, values)
    ]


def change(connection: Connection, user_id: str, new: Saved) -> bool:
    """Put name, description and data in the place of a configuration's; tell whether this user saved it."""
    sql = "UPDATE ob_saved_configurations SET name = ?, description = ?, data = ? WHERE id = ? AND user_id = ?"
    return connection.execute(sql, (new.name, new.description, new.data, new.id, user_id)).rowcount == 1


def remove(connection: Connection, user_id: str, configuration_id: str) -> bool:
    """Remove a configuration; tell whether this user saved one with that id."""
    sql = "DELETE FROM ob_saved_configurations WHERE id = ? AND user_id = ?"
    return connection.execute(sql, (to_18(configuration_id) or "", user_id)).rowcount == 1


def object_of(data: str | None) -> Mapping[str, JSON] | None:
    """Return the object that data hold; None when they are none."""
    try:
        read = None if data is None else loads(data)
    except (JSONDecodeError, RecursionError):
        return None
    return read if isinstance(read, Mapping) else None


def node_of(saved: Saved) -> Node:
    """Return what a configuration says.

    Raises:
        SFError: INVALID_API_INPUT, it says nothing that can be applied.
    """
    read = object_of(saved.data)
    if read is None:
        raise bad_input("The saved configuration has no data.")
    return _node(read, deeper=True)


def _node(given: JSON, *, deeper: bool) -> Node:
    if not isinstance(given, Mapping):
        raise bad_input("A node of the saved configuration isn't valid.")
    parts = _list(given, "SalesTransactionItem")
    if parts and not deeper:
        raise bad_input("A part of the saved configuration consists of parts itself.")
    product, quantity = given.get("Product"), given.get("Quantity")
    number = None if quantity is None else read_quantity(quantity)
    if quantity is not None and (number is None or number <= 0):
        raise bad_input(f"The quantity {str(quantity)[:40]} isn't valid.")
    return Node(
        product=product if isinstance(product, str) else None,
        quantity=number,
        attributes=tuple(_attribute(one) for one in _list(given, "SalesTransactionItemAttribute")),
        parts=tuple(_node(one, deeper=False) for one in parts),
    )


def _list(given: Mapping[str, JSON], name: str) -> list[JSON]:
    value = given.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_input(f"{name} of the saved configuration must be a list.")
    return value


def _attribute(given: JSON) -> tuple[str, str | None, bool]:
    name = given.get("AttributeName") if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(name, str) or not 0 < len(name) <= _NAME:
        raise bad_input("An attribute of the saved configuration has no name.")
    value = given.get("AttributeValue")
    text = value if value is None or isinstance(value, str) else str(value).lower()
    if text is not None and len(text) > _VALUE:
        raise bad_input(f"The value of the attribute {name[:80]} is too long.")
    return name, text, given.get("IsPriceImpacting") is True
