"""What the columns of a query's results hold, told from the query and from the org's describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orgbridge.client import Salesforce
from orgbridge.client.errors import ClientError
from orgbridge.kit.logs import get_logger
from orgbridge.loads.columns import Column, column_of
from orgbridge.soql import SOQLError, parse
from orgbridge.soql.tree import FieldPath, SelectExpression

_log = get_logger(__name__)
_Fields = Mapping[str, Mapping[str, Any]]


async def columns_of(salesforce: Salesforce, object_name: str, soql: str, header: Sequence[str]) -> tuple[Column, ...]:
    """Return one column per name of a results header.

    What is not a plain field of the query (a function, a formatted value) or not told by describe is text: a type is
    never guessed.

    Args:
        salesforce: The org.
        object_name: The object that the query reads.
        soql: The query.
        header: Names as they stand in the results.

    Raises:
        ClientError: The object itself cannot be described just now.
    """
    plain = _plain(soql, header)
    found = []
    for place, name in enumerate(header):
        path = name.split(".")
        if not plain[place]:
            found.append(column_of(name, path, None))
            continue
        names, field = await _resolve(salesforce, object_name, path)
        found.append(column_of(name, names, field))
    return tuple(found)


def _plain(soql: str, header: Sequence[str]) -> list[bool]:
    """Tell which columns are plain fields. A query that we cannot read is judged by the names alone."""
    try:
        items = parse(soql).select
    except SOQLError:
        return [True] * len(header)
    if len(items) != len(header):
        return [True] * len(header)
    # Columns stand in SELECT's order from v50 on; before that by name, and then this only makes text of more columns.
    return [isinstance(item, SelectExpression) and isinstance(item.expression, FieldPath) for item in items]


async def _resolve(
    salesforce: Salesforce, object_name: str, path: Sequence[str]
) -> tuple[list[str], Mapping[str, Any] | None]:
    """Return the path as describe spells it, and the field's own describe; None when it is not told, or not by one."""
    fields = await _fields(salesforce, object_name)
    if len(path) == 1:
        field = fields.get(path[0].lower())
        return [str(field["name"]) if field else path[0]], field
    reference = next(
        (item for item in fields.values() if str(item.get("relationshipName") or "").lower() == path[0].lower()), None
    )
    if reference is None:
        return list(path), None
    spelt = str(reference["relationshipName"])
    told = []
    for target in reference.get("referenceTo") or []:
        try:
            told.append(await _resolve(salesforce, str(target), path[1:]))
        except ClientError as error:
            # An object that the user may not see makes the column text, not the export fail.
            _log.warning("engine.parent_not_described", object=target, cause=str(error))
            return [spelt, *path[1:]], None
    if not told:
        return [spelt, *path[1:]], None
    names, field = told[0]
    kinds = {(str(other["type"]) if other else None) for _, other in told}
    return [spelt, *names], field if len(kinds) == 1 else None


async def _fields(salesforce: Salesforce, object_name: str) -> _Fields:
    described = await salesforce.describe.sobject(object_name)
    return {str(item["name"]).lower(): item for item in described.get("fields", [])}
