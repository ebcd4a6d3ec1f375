"""Records as they come in - names and raw values, by column - become a batch of stored values with their faults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orgbridge.emulator.org.batches import Batch
from orgbridge.emulator.org.cells import convert
from orgbridge.emulator.org.columns import Column, resolve
from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.lookups import ids_by_key, key_value, key_values
from orgbridge.emulator.org.outcomes import MISSING, Missing, ValueMode
from orgbridge.emulator.org.rules import Rulebook
from orgbridge.emulator.org.values import Value, add_fault
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.wire.ids import to_18

#: Records that a real org saves at a time, in every API. Source: facts/salesforce/ids-and-types.md section 4.
CHUNK_RECORDS = 200


def read_batch(
    book: Rulebook,
    context: Context,
    sobject: SObject,
    names: Sequence[str],
    columns: Sequence[Sequence[Any]],
    mode: ValueMode,
) -> Batch:
    """Return the records as a batch: values in stored form, keys of related records resolved.

    A name that is no field, and every value that its field cannot take, is a fault of the records that give it.
    """
    rules = book.rules(sobject)
    size = len(columns[0]) if columns else 0
    batch = Batch(size, {})
    foreign: list[tuple[Column, Sequence[Any]]] = []
    for name, values in zip(names, columns, strict=True):
        column = resolve(context.view or book.catalogue, context.seen(sobject), name, strict=mode is ValueMode.CSV)
        if column is None:
            _fault_where_given(batch, values, mode, _unknown(sobject, name))
        elif column.key is not None:
            foreign.append((column, values))
        elif column.field.name == "Id":
            batch.values["Id"] = _convert_ids(sobject, batch, values, mode)
        elif not column.field.is_stored or column.field.name not in rules.checks:
            # Compound and audit fields: given or not is all that counts.
            batch.values[column.field.name] = [MISSING if _is_missing(v, mode) else None for v in values]
        else:
            stored = convert(column.field, rules.checks[column.field.name], mode, values, batch.faults)
            _join(batch, column.field, stored)
    for column, values in foreign:
        _resolve_keys(book, context, column, values, mode, batch)
    return batch


def _resolve_keys(
    book: Rulebook, context: Context, column: Column, values: Sequence[Any], mode: ValueMode, batch: Batch
) -> None:
    key, target, reference = column.key, column.target, column.field
    if key is None or target is None:
        return
    texts = convert(key, book.rules(target).checks[key.name], mode, values, batch.faults)
    wanted = {key_value(key, t) for t in texts if isinstance(t, str | int | float)}
    found = ids_by_key(context.connection, target, key, wanted)
    out = batch.values.setdefault(reference.name, [MISSING] * batch.size)
    for position, text in enumerate(texts):
        if isinstance(text, Missing):
            continue
        if not isinstance(out[position], Missing):
            both = f"{reference.relationship_name} and a salesforce id, {reference.name}"
            message = f"cannot specify both an external ID reference {both}"
            add_fault(batch.faults, position, Fault("INVALID_FIELD", message))
        elif not isinstance(text, str | int | float):
            out[position] = None
        else:
            ids = found.get(key_value(key, text), [])
            if len(ids) == 1:
                out[position] = ids[0]
                continue
            out[position] = None
            if ids:
                add_fault(batch.faults, position, _several(key, ids))
            else:
                message = f"Foreign key external ID: {text!s} not found for field {key.name} in entity {target.name}"
                add_fault(batch.faults, position, Fault("INVALID_FIELD", message))


def part_by_key(key: Field, batch: Batch) -> list[list[int]]:
    """Return the positions of an upsert in parts to be saved one after the other, each key at most once in a part.

    A key that stands twice within a chunk of 200 records is refused; one that comes again in a later chunk finds what
    the earlier one saved. Source: facts/salesforce/bulk2.md, internal batches of 200; Assumed: all records of a chunk
    that share a key are refused, since none of them can claim to be the last word.
    """
    if key.name == "Id":
        return [list(range(batch.size))]
    values = batch.column(key.name)
    keys = key_values(key, values)
    given = [k for k in keys if k is not None]
    if len(set(given)) == len(given):
        return [list(range(batch.size))]
    chunks: dict[str | int | float, dict[int, list[int]]] = {}
    for position, text in enumerate(keys):
        if text is not None and position not in batch.faults:
            chunks.setdefault(text, {}).setdefault(position // CHUNK_RECORDS, []).append(position)
    turn = [0] * batch.size
    for by_chunk in chunks.values():
        for place, positions in enumerate(by_chunk.values()):
            for position in positions:
                turn[position] = place
                if len(positions) > 1:
                    message = f"Duplicate external id specified: {values[position]!s}"
                    add_fault(batch.faults, position, Fault("DUPLICATE_EXTERNAL_ID", message, (key.name,)))
    parts: list[list[int]] = [[] for _ in range(max(turn) + 1)]
    for position, place in enumerate(turn):
        parts[place].append(position)
    return parts


def match_keys(context: Context, sobject: SObject, key: Field, batch: Batch) -> None:
    """Put into the batch's `Id` the row that each record of an upsert is about; missing where there is none yet."""
    if key.name == "Id":
        return
    keys = key_values(key, batch.column(key.name))
    found = ids_by_key(context.connection, sobject, key, {k for k in keys if k is not None})
    sound = batch.sound()
    given = batch.values.pop("Id", None)
    # A record with other faults is matched too: its outcome carries the id of the row that it was about.
    known: dict[str | int | float | None, Value] = {k: ids[0] for k, ids in found.items() if len(ids) == 1}
    ids = [known.get(k, MISSING) for k in keys]
    if given is None and None not in keys and len(known) == len(found):
        batch.values["Id"] = ids
        return
    for position in sound:
        value = keys[position]
        if value is None:
            fault = Fault("MISSING_ARGUMENT", f"{key.name} not specified", (key.name,))
            add_fault(batch.faults, position, fault)
        elif given is not None and isinstance(given[position], str):
            message = f"cannot specify both an Id and the external ID field {key.name}"
            add_fault(batch.faults, position, Fault("INVALID_FIELD_FOR_INSERT_UPDATE", message, ("Id",)))
        elif len(matches := found.get(value, [])) > 1:
            add_fault(batch.faults, position, _several(key, matches))
    batch.values["Id"] = ids


def _join(batch: Batch, field: Field, values: list[Value]) -> None:
    """Add a column; where the field already has one (the same name in another case), each record may use either."""
    known = batch.values.setdefault(field.name, values)
    if known is values:
        return
    joined: list[Value] = []
    for position, (old, new) in enumerate(zip(known, values, strict=True)):
        if not isinstance(old, Missing) and not isinstance(new, Missing):
            # Assumed: the code and the text.
            message = f"duplicate field specified: {field.name}"
            add_fault(batch.faults, position, Fault("INVALID_FIELD", message, (field.name,)))
        joined.append(new if isinstance(old, Missing) else old)
    batch.values[field.name] = joined


def _unknown(sobject: SObject, name: str) -> Fault:
    relationship, dot, _ = name.rpartition(":")[2].partition(".")
    if dot and sobject.relationship(relationship) is not None:
        message = f"The external foreign key reference does not reference a valid entity: {relationship}"
    else:
        message = f"No such column '{relationship}' on sobject of type {sobject.name}"
    return Fault("INVALID_FIELD", message)


def _is_missing(value: Any, mode: ValueMode) -> bool:
    return isinstance(value, Missing) or (mode is ValueMode.CSV and value == "")


def _fault_where_given(batch: Batch, values: Sequence[Any], mode: ValueMode, fault: Fault) -> None:
    for position, value in enumerate(values):
        if not _is_missing(value, mode):
            add_fault(batch.faults, position, fault)


def _convert_ids(sobject: SObject, batch: Batch, values: Sequence[Any], mode: ValueMode) -> list[Value]:
    out: list[Value] = []
    for position, value in enumerate(values):
        if _is_missing(value, mode) or value is None or value == "":
            out.append(MISSING)
            continue
        found = to_18(value) if isinstance(value, str) else None
        if found is None or found[:3] != sobject.key_prefix:
            message = f"{sobject.label} ID: id value of incorrect type: {value}"
            add_fault(batch.faults, position, Fault("MALFORMED_ID", message, ("Id",)))
        out.append(found)
    return out


def _several(key: Field, ids: Sequence[str]) -> Fault:
    message = f"{key.name}: more than one record found for external id field: [{', '.join(ids)}]"
    return Fault("DUPLICATE_EXTERNAL_ID", message, (key.name,))
