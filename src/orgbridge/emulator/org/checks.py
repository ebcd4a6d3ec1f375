"""Rules that a batch is held against before it is written; what a record breaks becomes its fault."""

from __future__ import annotations

from typing import Any

from orgbridge.emulator.org.batches import Batch
from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.fullcolumns import is_full
from orgbridge.emulator.org.lookups import ids_by_key, key_values, live_ids, rows_by_id
from orgbridge.emulator.org.outcomes import Missing
from orgbridge.emulator.org.rules import Rules
from orgbridge.emulator.org.sharing import shared_ids
from orgbridge.emulator.org.values import add_fault
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.wire.ids import MASTER_RECORD_TYPE_ID

INVALID_REFERENCE = Fault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
DELETED = Fault("ENTITY_IS_DELETED", "entity is deleted")


def check_rights(context: Context, sobject: SObject, batch: Batch, *, creating: bool) -> None:
    """Refuse records that write what they may not."""
    if context.system:
        return
    blocked = []
    seen = context.seen(sobject)
    for name in batch.values:
        field = seen.field(name)
        if field is None or name == "Id":
            continue
        if not (field.createable if creating else field.updateable):
            blocked.append(name)
    if not blocked:
        return
    for position in range(batch.size):
        names = [name for name in blocked if not isinstance(batch.values[name][position], Missing)]
        if names:
            message = (
                f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this field"
                " and verify that it is read/write for your profile or permission set."
            )
            add_fault(batch.faults, position, Fault("INVALID_FIELD_FOR_INSERT_UPDATE", message, tuple(names)))
    for name in blocked:
        # What remains are rows that say nothing about these fields.
        del batch.values[name]


def check_required(rules: Rules, batch: Batch, *, creating: bool) -> None:
    """Refuse records that leave out or clear what must be there; one fault names all the fields."""
    missing: dict[int, list[str]] = {}
    fields = rules.required if creating else rules.required + rules.not_null
    for field in fields:
        column = batch.values.get(field.name)
        if column is None:
            if creating:
                for position in range(batch.size):
                    missing.setdefault(position, []).append(field.name)
            continue
        texts: Any = column if is_full(column) and field.is_text else [v for v in column if v.__class__ is str]
        if len(texts) == batch.size and all(map(str.strip, texts)):
            continue
        for position, value in enumerate(column):
            if isinstance(value, Missing):
                blank = creating
            else:
                blank = value is None or (isinstance(value, str) and not value.strip())
            if blank:
                missing.setdefault(position, []).append(field.name)
    for position, names in missing.items():
        if position not in batch.faults:
            message = f"Required fields are missing: [{', '.join(names)}]"
            add_fault(batch.faults, position, Fault("REQUIRED_FIELD_MISSING", message, tuple(names)))


def check_references(catalogue: Catalogue, context: Context, rules: Rules, batch: Batch) -> None:
    """Refuse records that point to a row that is not there or lies in the recycle bin."""
    for name in rules.references:
        column = batch.values.get(name)
        if column is None:
            continue
        # The saving user is known to be there: the usual owner of every row costs no lookup.
        wanted = {v for v in (set(column) if is_full(column) else column) if isinstance(v, str)} - {context.user_id}
        if name == "RecordTypeId":
            # The master record type has no row of its own.
            wanted.discard(MASTER_RECORD_TYPE_ID)
        if not wanted:
            continue
        known = {context.user_id, MASTER_RECORD_TYPE_ID} if name == "RecordTypeId" else {context.user_id}
        by_prefix: dict[str, set[str]] = {}
        for record_id in wanted:
            by_prefix.setdefault(record_id[:3], set()).add(record_id)
        hidden: set[str] = set()
        for prefix, ids in by_prefix.items():
            target = catalogue.by_prefix(prefix)
            if target is not None and context.hides(target):
                hidden |= ids
            elif target is not None:
                live = live_ids(context.connection, target, ids)
                if context.view is not None:
                    shared = shared_ids(context.connection, context.seen(target), live, context.user_id)
                    hidden |= live - shared
                    live = shared
                known |= live
        inactive = _inactive_users(catalogue, context, wanted) if name == "OwnerId" else set()
        if wanted <= known and not inactive:
            continue
        for position, value in enumerate(column):
            if not isinstance(value, str):
                continue
            if value in hidden:
                message = f"insufficient access rights on cross-reference id: {value}"
                fault = Fault("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", message)
                add_fault(batch.faults, position, fault)
            elif value not in known:
                add_fault(batch.faults, position, INVALID_REFERENCE)
            elif value in inactive:
                label = rules.sobject.label.lower()
                message = f"operation performed with inactive user [{value}] as owner of {label}"
                add_fault(batch.faults, position, Fault("INACTIVE_OWNER_OR_USER", message))


def _inactive_users(catalogue: Catalogue, context: Context, ids: set[str]) -> set[str]:
    user = catalogue.sobject("User")
    if user is None:
        return set()
    return {i for i, row in rows_by_id(context.connection, user, ids, ["IsActive"]).items() if not row[1]}


def find_duplicates(
    context: Context, rules: Rules, batch: Batch, own: list[str] | None
) -> dict[int, tuple[Field, str | int]]:
    """Return which records repeat a unique value: the field, and the other's id or its position in the batch."""
    fields = [f for f in rules.unique if f.name in batch.values]
    duplicates: dict[int, tuple[Field, str | int]] = {}
    for field in fields:
        keys = key_values(field, batch.values[field.name])
        present = {key for key in keys if key is not None}
        existing = ids_by_key(context.connection, rules.sobject, field, present)
        if not existing and len(present) == sum(key is not None for key in keys):
            continue
        seen: dict[str | int | float, int] = {}
        for position, key in enumerate(keys):
            if key is None or position in duplicates:
                continue
            others = [i for i in existing.get(key, ()) if own is None or i != own[position]]
            if others:
                duplicates[position] = (field, others[0])
            elif key in seen:
                duplicates[position] = (field, seen[key])
            else:
                seen[key] = position
    # A record may be the first of its key in one field and a duplicate in a later one: then its followers stay
    # refused although it is not saved, and are told of the row that stopped it.
    for position, (field, other) in list(duplicates.items()):
        while isinstance(other, int) and other in duplicates:
            field, other = duplicates[other]
        duplicates[position] = (field, other)
    return duplicates


def duplicate_fault(field: Field, record_id: str) -> Fault:
    """Return what a record is told whose unique value another row has."""
    message = f"duplicate value found: {field.name} duplicates value on record with id: {record_id}"
    return Fault("DUPLICATE_VALUE", message)
