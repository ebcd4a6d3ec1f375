"""Walking a tree without knowing every node: for whoever checks a query (a firewall) or changes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from orgbridge.soql import tree


def children(node: tree.Node) -> Iterator[tree.Node]:
    """Yield the nodes directly inside a node, in the order of its fields."""
    for item in fields(node):
        yield from _nodes(getattr(node, item.name))


def walk(node: tree.Node) -> Iterator[tree.Node]:
    """Yield a node and everything inside it, outer nodes first, subqueries included."""
    yield node
    for child in children(node):
        yield from walk(child)


def transform(node: tree.Node, change: Callable[[tree.Node], tree.Node]) -> tree.Node:
    """Return the tree with every node put through `change`, inner nodes first.

    Args:
        node: Left as it is.
        change: Gets a node whose inside is already changed; returns it or another that may stand in its place.
    """
    changes: dict[str, Any] = {}
    for item in fields(node):
        old = getattr(node, item.name)
        new = _transformed(old, change)
        if new is not old:
            changes[item.name] = new
    return change(replace(node, **changes) if changes else node)


def _nodes(value: object) -> Iterator[tree.Node]:
    if isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)
    elif is_dataclass(value):
        yield value  # type: ignore[misc]  # the only dataclasses inside a node are nodes


def _transformed(value: Any, change: Callable[[tree.Node], tree.Node]) -> Any:
    if isinstance(value, tuple):
        new = tuple(_transformed(item, change) for item in value)
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    if is_dataclass(value):
        return transform(value, change)  # type: ignore[arg-type]  # see _nodes
    return value
