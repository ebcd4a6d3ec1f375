"""Pages of records with children inside: how many fit, and where the rest of a long list of children goes.

A page ends with the record that brings records and children together to its size. A list of children longer than a
page is cut to one, with a `nextRecordsUrl` of its own.

Source: facts/salesforce/soql.md section 1 ("children count toward it", "own nextRecordsUrl when >page"). Assumed:
where exactly a page is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from orgbridge.kit.json import JSON

#: Keeps the records of a list after its first page, and gives the locator of the next.
KeepRest = Callable[[list[JSON], int], str]


def is_children(value: object) -> bool:
    """Tell whether a value of a record is a list of children; parents and compound fields are none."""
    return isinstance(value, dict) and "records" in value and "attributes" not in value


def count(record: Any) -> int:
    """Return how many records stand in one, itself included, children of children too."""
    lists = [value for value in record.values() if is_children(value)]
    return 1 + sum(count(child) for value in lists for child in value["records"])


def shorten(record: Any, size: int, keep_rest: KeepRest, query_path: str) -> None:
    """Cut the lists of children in a record to one page each.

    Args:
        record: Changed in place.
        size: Most children of a list.
        keep_rest: Gets the whole list and the count of those that stay.
        query_path: `/services/data/vXX.X/query`, which the address of the rest begins with.
    """
    for value in record.values():
        if not is_children(value):
            continue
        for child in value["records"]:
            shorten(child, size, keep_rest, query_path)
        children = value.pop("records")
        if len(children) > size:
            value["done"] = False
            value["nextRecordsUrl"] = f"{query_path}/{keep_rest(children, size)}"
        value["records"] = children[:size]


def pages(records: Iterable[JSON], size: int) -> Iterator[list[JSON]]:
    """Yield lists of records, each as large as its size with all children allows, and of one record at least."""
    page: list[JSON] = []
    used = 0
    for record in records:
        page.append(record)
        used += count(record)
        if used >= size:
            yield page
            page, used = [], 0
    if page:
        yield page
