"""Pages of what hangs on order summaries, and the parameters of its lists.

Source: facts/commerce/orders.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from orgbridge.emulator.commerce.deals import bad_input
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import number, words
from orgbridge.emulator.http.resources.commerce.cart_items import page_of, token_of
from orgbridge.kit.json import JSON

#: Fields that lists below a summary show at most.
MOST_ITEM_FIELDS = 15


def asked_fields(call: Call, most: int) -> tuple[str, ...]:
    """Return the fields that a call asks for.

    Raises:
        SFError: There are too many.
    """
    names = words(call, "fields")
    if len(names) > most:
        raise bad_input(f"The fields parameter takes {most} fields at most.")
    return names


def pages(call: Call, total: int, token_name: str, effective: Mapping[str, str]) -> tuple[slice, dict[str, JSON]]:
    """Return which elements are shown, and the properties of the body that are about pages.

    Addresses repeat every effective parameter in alphabetical order. Source: a documented sample.
    """
    size = number(call, "pageSize", 25, 1, 100)
    last = max(-(-total // size), 1)
    token = call.query(token_name)
    page = min(page_of(token) if token else 1, last)
    values: dict[str, JSON] = {}
    for name, other in (("current", page), ("next", page + 1), ("previous", page - 1)):
        there = 1 <= other <= last
        pairs = {**effective, "pageSize": str(size), token_name: token_of(other)}
        text = "&".join(f"{key}={quote(value)}" for key, value in sorted(pairs.items()))
        values[f"{name}PageToken"] = token_of(other) if there else None
        values[f"{name}PageUrl"] = f"{call.request.url.path}?{text}" if there else None
    return slice((page - 1) * size, page * size), values


def id_descending(call: Call, name: str) -> bool:
    """Tell whether a parameter sorts by id from the end: `IdAsc`, or left out, or `IdDesc`.

    Raises:
        SFError: It is something else.
    """
    text = (call.query(name) or "IdAsc").lower()
    if text not in ("idasc", "iddesc"):
        raise bad_input(f"The sort order {text[:40]} isn't valid.")
    return text == "iddesc"
