"""Properties of Connect bodies by API version: what a version does not know is left out, what is unset is null.

A shape names the properties of one body in the order of the reply. Each has the version that first returns it, or
first and last version.

Source: facts/commerce/carts.md head; Assumed: explicit nulls for what is unset.
"""

from __future__ import annotations

from collections.abc import Mapping

from orgbridge.kit.json import JSON

#: Properties in the order of the reply: first version, or first and last.
Shape = Mapping[str, int | tuple[int, int]]


def knows(since: int | tuple[int, int], version: int) -> bool:
    """Tell whether an API version has a property (or resource) that came, and maybe went, with these versions."""
    if isinstance(since, tuple):
        return since[0] <= version <= since[1]
    return since <= version


def body(shape: Shape, version: int, values: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the body of a shape as one API version shows it.

    Raises:
        KeyError: A value is for a property that the shape does not have.
    """
    strange = values.keys() - shape.keys()
    if strange:
        raise KeyError(f"no property of this shape: {', '.join(sorted(strange))}")
    return {name: values.get(name) for name, since in shape.items() if knows(since, version)}
