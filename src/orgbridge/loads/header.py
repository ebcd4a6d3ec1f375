"""Does the header of an input fit the object? Asked before anything is sent. Pure: describe in, faults out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from orgbridge.wire.bulk import IngestOperation

_ID = "id"
#: What stands between names, and is no part of one.
_BETWEEN = re.compile(r"[^\w.]+")
_DELIMITERS = (
    " The header has this one column; if it is meant to be several, save the file with a delimiter that Salesforce"
    " takes: comma, semicolon, tab, pipe, caret or backquote."
)


def check_header(
    header: Sequence[str],
    *,
    operation: IngestOperation,
    external_id_field: str | None,
    describe: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return what is wrong with the header; empty when nothing is.

    Column names match fields in any letter case, as Salesforce takes them.

    Args:
        header: The column names.
        operation: What the load does.
        external_id_field: Key field of an upsert.
        describe: Salesforce's describe of the object.

    Returns:
        One mapping per fault: `line` 1, `field`, `code`, `message`.

    Source: facts/salesforce/bulk2.md section 4, CSV rules.
    """
    faults = _faults(header, operation=operation, external_id_field=external_id_field, describe=describe)
    if faults and len(header) == 1 and len(_BETWEEN.split(header[0].strip())) > 1:
        faults[0]["message"] += _DELIMITERS
    return faults


def _faults(
    header: Sequence[str],
    *,
    operation: IngestOperation,
    external_id_field: str | None,
    describe: Mapping[str, Any],
) -> list[dict[str, Any]]:
    name = str(describe.get("name", ""))
    columns = [column.lower() for column in header]
    match operation:
        case IngestOperation.DELETE | IngestOperation.HARD_DELETE:
            if columns == [_ID]:
                return []
            return [_fault(", ".join(header), "load.header_delete", f"A {operation} takes exactly one column, Id.")]
        case IngestOperation.UPDATE if _ID not in columns:
            return [_fault("Id", "load.key_column_missing", "An update needs the column Id.")]
        case IngestOperation.UPSERT:
            wanted = external_id_field or "Id"
            if wanted.lower() not in columns:
                message = f"An upsert by {wanted} needs the column {wanted}.{_near(wanted, header)}"
                return [_fault(wanted, "load.key_column_missing", message)]
        case _:
            pass
    fields = {str(field["name"]).lower(): field for field in describe.get("fields", [])}
    relations = {
        str(field["relationshipName"]).lower(): field
        for field in describe.get("fields", [])
        if field.get("relationshipName")
    }
    faults = []
    for column in header:
        problem = _check_column(column, name, operation, external_id_field, fields, relations)
        if problem is not None:
            faults.append(problem)
    return faults


def _check_column(
    column: str,
    object_name: str,
    operation: IngestOperation,
    external_id_field: str | None,
    fields: Mapping[str, Mapping[str, Any]],
    relations: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any] | None:
    if "." in column:
        relation = column.split(".", 1)[0].rsplit(":", 1)[-1]
        field = relations.get(relation.lower())
        if field is None:
            known = [str(found["relationshipName"]) for found in relations.values()]
            message = f"{object_name} has no relationship {relation!r} (column {column!r}).{_near(relation, known)}"
            return _fault(column, "load.unknown_column", message)
    else:
        field = fields.get(column.lower())
        if field is None:
            known = [str(found["name"]) for found in fields.values()]
            message = f"{object_name} has no field {column!r}.{_near(column, known)}"
            return _fault(column, "load.unknown_column", message)
    if _writable(field, operation, external_id_field):
        return None
    return _fault(column, "load.unwritable_column", f"{object_name}.{field['name']} cannot be written by {operation}.")


def _writable(field: Mapping[str, Any], operation: IngestOperation, external_id_field: str | None) -> bool:
    name = str(field["name"]).lower()
    match operation:
        case IngestOperation.INSERT:
            return bool(field.get("createable"))
        case IngestOperation.UPDATE:
            return name == _ID or bool(field.get("updateable"))
        case IngestOperation.UPSERT:
            if name == (external_id_field or _ID).lower():
                return True
            # Some rows are inserted, some updated: a field that either may write is Salesforce's to judge per row.
            return bool(field.get("createable") or field.get("updateable"))
        case IngestOperation.DELETE | IngestOperation.HARD_DELETE:
            return name == _ID


def _near(wanted: str, known: Sequence[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wanted.lower(), list(by_lower), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(by_lower[name] for name in near)}?" if near else ""


def _fault(field: str, code: str, message: str) -> dict[str, Any]:
    return {"line": 1, "field": field, "code": code, "message": message}
