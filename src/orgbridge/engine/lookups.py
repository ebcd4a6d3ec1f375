"""Records of the org by key, many keys in one query, as few queries as URLs allow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote as url_quote

from orgbridge.client import Salesforce
from orgbridge.engine.patience import Patience
from orgbridge.soql.quoting import quote

#: Bytes of the URL that the values of one query may take, of the 16,384 that Salesforce reads with all headers.
_VALUE_BYTES: Final = 10_000


async def find(
    salesforce: Salesforce,
    patience: Patience,
    object_name: str,
    key_field: str,
    values: Iterable[str],
    fields: Sequence[str],
) -> AsyncIterator[dict[str, Any]]:
    """Yield the records whose key is among the values, in no order; values that name no record give none.

    Args:
        salesforce: Whom to ask.
        patience: How long to bear with an outage.
        object_name: API name of the object.
        key_field: Field that the values are of.
        values: Without duplicates; may be many.
        fields: Fields to read.

    Raises:
        SalesforceError: A field cannot be read, or the object not queried.
    """
    head = f"SELECT {', '.join(fields)} FROM {object_name} WHERE {key_field} IN "  # noqa: S608 - names from describe
    for pack in _packs(values):
        soql = f"{head}({', '.join(pack)})"

        async def ask(soql: str = soql) -> list[dict[str, Any]]:
            return [record async for record in salesforce.query.records(soql)]

        for record in await patience.until_done(ask):
            yield record


def _packs(values: Iterable[str]) -> Iterator[list[str]]:
    pack: list[str] = []
    size = 0
    for value in values:
        literal = quote(value)
        cost = len(url_quote(literal, safe="")) + 4
        if pack and size + cost > _VALUE_BYTES:
            yield pack
            pack, size = [], 0
        pack.append(literal)
        size += cost
    if pack:
        yield pack
