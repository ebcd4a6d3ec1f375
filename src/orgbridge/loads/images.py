"""Before-images: what fields held before a load wrote them, as a CSV that can be loaded to restore it. Pure.

The first column is `Id`; a field that was empty is written `#N/A`, which clears it again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from orgbridge.wire.bulk import NULL_CELL, IngestOperation

_ID: Final = "Id"


def touched_fields(
    header: Sequence[str], describe: Mapping[str, Any], *, operation: IngestOperation, external_id_field: str | None
) -> tuple[str, ...]:
    """Return the fields that a load writes and that an update can write back, by API name, in the input's order.

    Args:
        header: Columns of the input; `Parent.Key__c` writes the lookup itself.
        describe: Salesforce's describe of the object.
        operation: What the load does.
        external_id_field: Key of an upsert.
    """
    fields = {str(field["name"]).casefold(): field for field in describe.get("fields", [])}
    relations = {
        str(field["relationshipName"]).casefold(): field
        for field in describe.get("fields", [])
        if field.get("relationshipName")
    }
    key = (external_id_field or _ID).casefold() if operation is IngestOperation.UPSERT else _ID.casefold()
    found: dict[str, None] = {}
    for column in header:
        if "." in column:
            relation = column.split(".", 1)[0].rsplit(":", 1)[-1]
            field = relations.get(relation.casefold())
        else:
            field = fields.get(column.casefold())
        if field is None or not field.get("updateable") or str(field["name"]).casefold() in (key, _ID.casefold()):
            continue
        found[str(field["name"])] = None
    return tuple(found)


def image_blocks(records: Iterable[Mapping[str, Any]], fields: Sequence[str]) -> Iterator[bytes]:
    """Yield the images of records as CSV with a header.

    Args:
        records: As a query returns them, `Id` among their fields.
        fields: Fields after the Id.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_ID, *fields])
    for record in records:
        writer.writerow([record[_ID], *(_cell(record.get(name)) for name in fields)])
        if text.tell() > 1 << 16:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return NULL_CELL
        case bool():
            return "true" if value else "false"
        case str():
            # REST writes the zone of an instant as +0000, the Bulk API takes Z. Source: bulk2.md section 4.
            return value.removesuffix("+0000") + "Z" if _is_instant(value) else value
        case _:
            return str(value)


def _is_instant(text: str) -> bool:
    return len(text) == 28 and text.endswith("+0000") and text[10] == "T" and text[:4].isdigit()
