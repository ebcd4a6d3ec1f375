"""Insert, update and upsert of many records in one transaction.

The order of the rules: names, types and lengths of values; write rights; keys of related records; required fields;
existence of related records; what the platform computes; uniqueness; then one write for all sound records. All that
is wrong at one stage is told; a record that fails a stage does not reach the next.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any

from orgbridge.emulator.org.batches import Batch
from orgbridge.emulator.org.checks import (
    DELETED,
    INVALID_REFERENCE,
    check_references,
    check_required,
    check_rights,
    duplicate_fault,
    find_duplicates,
)
from orgbridge.emulator.org.computing import after_write, check_rows, compute, derived_fields
from orgbridge.emulator.org.contents import publish
from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.derivations import stored_instant
from orgbridge.emulator.org.fullcolumns import FullColumn, is_full, repeated
from orgbridge.emulator.org.ids import make_ids
from orgbridge.emulator.org.intake import match_keys, part_by_key, read_batch
from orgbridge.emulator.org.locks import lock_parents
from orgbridge.emulator.org.lookups import rows_by_id
from orgbridge.emulator.org.outcomes import MISSING, ROLLED_BACK, Inserted, Missing, SaveOutcome, ValueMode, failed
from orgbridge.emulator.org.rollups import rollups
from orgbridge.emulator.org.rules import Rulebook, Rules
from orgbridge.emulator.org.sharing import shared_ids
from orgbridge.emulator.org.values import Value, add_fault
from orgbridge.emulator.schema.errors import Fault, SFError
from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.emulator.schema.rendering import Stored
from orgbridge.emulator.storage.counters import allocate
from orgbridge.emulator.storage.inserts import UniqueError, insert_rows
from orgbridge.emulator.storage.tables import quote
from orgbridge.wire.fieldtypes import FieldType


class Saving:
    """Saves records by the rules of an org's catalogue."""

    def __init__(self, book: Rulebook) -> None:
        self._book = book

    # -- whole calls ---------------------------------------------------------------------------------------------

    def insert(
        self,
        context: Context,
        sobject: SObject,
        names: Sequence[str],
        columns: Sequence[Sequence[Any]],
        mode: ValueMode,
    ) -> Sequence[SaveOutcome]:
        """Insert records given by column; the outcomes are in their order."""
        batch = read_batch(self._book, context, sobject, names, columns, mode)
        for position, value in enumerate(batch.values.pop("Id", ())):
            if not isinstance(value, Missing | None):
                fault = Fault("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",))
                add_fault(batch.faults, position, fault)
        return self._insert(context, sobject, batch)

    def update(
        self,
        context: Context,
        sobject: SObject,
        names: Sequence[str],
        columns: Sequence[Sequence[Any]],
        mode: ValueMode,
    ) -> list[SaveOutcome]:
        """Update records given by column, each found by its `Id`; the outcomes are in their order."""
        batch = read_batch(self._book, context, sobject, names, columns, mode)
        return self._update(context, sobject, batch)

    def upsert(
        self,
        context: Context,
        sobject: SObject,
        key: Field,
        names: Sequence[str],
        columns: Sequence[Sequence[Any]],
        mode: ValueMode,
    ) -> list[SaveOutcome]:
        """Insert or update records given by column, each found by the field `key`; the outcomes are in their order."""
        batch = read_batch(self._book, context, sobject, names, columns, mode)
        parts = part_by_key(key, batch)
        outcomes: list[SaveOutcome | None] = [None] * batch.size
        for positions in parts:
            _place(outcomes, positions, self._upsert(context, sobject, key, batch.part(positions)))
        return [outcome for outcome in outcomes if outcome is not None]

    def _upsert(self, context: Context, sobject: SObject, key: Field, batch: Batch) -> list[SaveOutcome]:
        """Insert or update records of which no two have the same key."""
        match_keys(context, sobject, key, batch)
        outcomes: list[SaveOutcome | None] = [None] * batch.size
        ids = batch.column("Id")
        found = [p for p in batch.sound() if isinstance(ids[p], str)]
        new = [p for p in batch.sound() if not isinstance(ids[p], str)]
        for position, faults in batch.faults.items():
            known = ids[position]
            outcomes[position] = failed(known if isinstance(known, str) else None, *faults)
        if found:
            changes = batch.take(found)
            if key.name != "Id":
                changes.values.pop(key.name, None)
            _place(outcomes, found, self._update(context, sobject, changes))
        if new:
            fresh = batch.take(new)
            fresh.values.pop("Id", None)
            _place(outcomes, new, self._insert(context, sobject, fresh))
        return [outcome for outcome in outcomes if outcome is not None]

    def insert_known(
        self, context: Context, sobject: SObject, ids: list[str], values: Mapping[str, list[Value]]
    ) -> None:
        """Write rows whose ids are settled already, as the platform itself and without asking any rule."""
        rules = self._book.rules(sobject)
        batch = Batch(len(ids), dict(values))
        self._fill_defaults(context, rules, batch)
        self._write_new(context, rules, batch, ids)

    # -- inserts -------------------------------------------------------------------------------------------------

    def _insert(self, context: Context, sobject: SObject, batch: Batch) -> Sequence[SaveOutcome]:
        rules = self._book.rules(sobject)
        if not context.seen(sobject).createable and not context.system:
            return [failed(None, _not_allowed(sobject, "create", sobject.createable))] * batch.size
        check_rights(context, sobject, batch, creating=True)
        self._fill_defaults(context, rules, batch)
        check_required(rules, batch, creating=True)
        check_references(self._book.catalogue, context, rules, batch)
        outcomes: list[SaveOutcome | None] = [None] * batch.size
        if rules.row_rules:
            check_rows(rules, context, batch, None, None)
        lock_parents(self._book.locks, context.writer, sobject, batch)
        sound = batch.sound()
        whole = batch
        batch = whole.take(sound)
        compute(self._book.catalogue, context, sobject, batch, None)
        ids = self._insert_unless_taken(context, rules, batch)
        if ids is not None and not whole.faults:
            return Inserted(ids)
        duplicates = {} if ids is not None else find_duplicates(context, rules, batch, None)
        rest = [p for p in range(batch.size) if p not in duplicates]
        if ids is None:
            ids = self._take_ids(context, sobject, len(rest))
            if rest:
                self._write_new(context, rules, batch.take(rest) if duplicates else batch, ids)
        by_position = dict(zip(rest, ids, strict=True))
        for place, position in enumerate(sound):
            if place in duplicates:
                field, other = duplicates[place]
                owner = other if isinstance(other, str) else by_position[other]
                outcomes[position] = failed(None, duplicate_fault(field, owner))
            else:
                outcomes[position] = SaveOutcome(by_position[place], True, True)
        for position, faults in whole.faults.items():
            outcomes[position] = failed(None, *faults)
        return [outcome for outcome in outcomes if outcome is not None]

    def _insert_unless_taken(self, context: Context, rules: Rules, batch: Batch) -> list[str] | None:
        """Write sound records and return their ids; None, with nothing written, when one repeats a unique value.

        The unique indexes tell. Looking the values up beforehand costs a load as much again as its indexes do.
        """
        if not batch.size:
            return []
        if batch.size == 1:
            # A statement that fails has written nothing, and before the row goes in there are only numbers taken.
            ids = self._take_ids(context, rules.sobject, 1)
            try:
                self._write_new(context, rules, batch, ids)
            except UniqueError:
                return None
            return ids
        context.connection.execute("SAVEPOINT unless_taken")
        try:
            ids = self._take_ids(context, rules.sobject, batch.size)
            self._write_new(context, rules, batch, ids)
        except UniqueError:
            context.connection.execute("ROLLBACK TO unless_taken")
            context.connection.execute("RELEASE unless_taken")
            return None
        context.connection.execute("RELEASE unless_taken")
        return ids

    def _fill_defaults(self, context: Context, rules: Rules, batch: Batch) -> None:
        for name, default in rules.defaults.items():
            column = batch.values.get(name)
            field = rules.sobject.field(name)
            if column is None:
                batch.values[name] = repeated(default, batch.size)
            elif is_full(column):
                continue
            elif field is not None and not field.nillable:
                batch.values[name] = [default if v is None or isinstance(v, Missing) else v for v in column]
            else:
                batch.values[name] = [default if isinstance(v, Missing) else v for v in column]
        if rules.record_type is not None:
            _fill_gaps(batch, "RecordTypeId", rules.record_type)
        if "OwnerId" in rules.references:
            _fill_gaps(batch, "OwnerId", context.user_id)

    def _take_ids(self, context: Context, sobject: SObject, count: int) -> list[str]:
        if not count:
            return []
        first = allocate(context.connection, sobject.key_prefix, count)
        return make_ids(sobject.key_prefix, first, count)

    def _write_new(self, context: Context, rules: Rules, batch: Batch, ids: list[str]) -> None:
        sobject = rules.sobject
        now = stored_instant(context.now)
        columns: dict[str, Any] = {"Id": ids}
        for name, column in batch.values.items():
            gaps = not is_full(column) and MISSING in column
            columns[name] = [None if isinstance(v, Missing) else v for v in column] if gaps else column
        name_field = sobject.name_field
        if name_field and name_field.defaulted_on_create and not name_field.auto_number:
            # A custom object's text name is the record's id when none is given.
            given = columns.get(name_field.name, repeat(None))
            columns[name_field.name] = [v or i for v, i in zip(given, ids, strict=False)]
        for field in rules.auto_numbers:
            first = allocate(context.connection, f"{sobject.name}.{field.name}", len(ids))
            columns[field.name] = [auto_number(field, first + place) for place in range(len(ids))]
        for name, field in rules.keyed.items():
            if name in columns:
                columns[field.key_column] = _keys(field, columns[name])
        audit = {
            "CreatedDate": now,
            "CreatedById": context.user_id,
            "LastModifiedDate": now,
            "LastModifiedById": context.user_id,
            "SystemModstamp": now,
        }
        for name, value in audit.items():
            columns.setdefault(name, repeat(value))
        alike = {n: repeat(c[0]) for n, c in columns.items() if isinstance(c, FullColumn) and c.alike}
        insert_rows(context.connection, sobject.name, columns | alike, len(ids))
        after_write(self._book.catalogue, context, sobject, columns, ids, {})
        if sobject.name == "ContentVersion":
            publish(replace(context, system=True), self._insert_named, ids)

    def _insert_named(
        self, context: Context, sobject: str, names: Sequence[str], columns: Sequence[Sequence[Any]], mode: ValueMode
    ) -> Sequence[SaveOutcome]:
        found = self._book.catalogue.sobject(sobject)
        return [] if found is None else self.insert(context, found, names, columns, mode)

    # -- updates -------------------------------------------------------------------------------------------------

    def _update(self, context: Context, sobject: SObject, batch: Batch) -> list[SaveOutcome]:
        if not context.seen(sobject).updateable and not context.system:
            return [failed(None, _not_allowed(sobject, "update", sobject.updateable))] * batch.size
        ids = batch.column("Id")
        for position in batch.sound():
            if not isinstance(ids[position], str):
                fault = Fault("MISSING_ARGUMENT", "Id not specified in an update call", ("Id",))
                add_fault(batch.faults, position, fault)
        check_rights(context, sobject, batch, creating=False)
        rules = self._book.rules(sobject)
        check_required(rules, batch, creating=False)
        check_references(self._book.catalogue, context, rules, batch)
        outcomes: list[SaveOutcome | None] = [None] * batch.size
        for position, faults in batch.faults.items():
            known = ids[position]
            outcomes[position] = failed(known if isinstance(known, str) else None, *faults)
        for wave in _waves(batch.sound(), ids):
            part = batch.take(wave) if batch.faults or len(wave) < batch.size else batch
            _place(outcomes, wave, self._update_wave(context, rules, part))
        return [outcome for outcome in outcomes if outcome is not None]

    def _update_wave(self, context: Context, rules: Rules, batch: Batch) -> list[SaveOutcome]:
        """Update records of which no two have the same id and of which nothing is known to be wrong."""
        sobject = rules.sobject
        ids = [str(record_id) for record_id in batch.values.pop("Id")]
        given = {name for name, column in batch.values.items() if not all(isinstance(v, Missing) for v in column)}
        derived, needed = derived_fields(sobject, given)
        needed |= {name for rule in rules.row_rules if not given.isdisjoint(rule.fields) for name in rule.fields}
        # What every record says is not asked of the rows, unless something else hangs on it.
        needed |= {rollup.reference for rollup in rollups(self._book.catalogue, sobject.name)} & given
        untold = {name for name in given if not is_full(batch.values[name])}
        names = sorted(untold | derived | needed)
        before = rows_by_id(context.connection, sobject, ids, names)
        seen: Collection[str] = before
        if context.view is not None:
            seen = shared_ids(context.connection, context.seen(sobject), before.keys(), context.user_id)
        all_there = len(before) == len(ids) and seen is before and not any(row[0] for row in before.values())
        for position, record_id in enumerate(() if all_there else ids):
            row = before.get(record_id)
            if row is None or record_id not in seen:
                add_fault(batch.faults, position, INVALID_REFERENCE)
            elif row[0]:
                add_fault(batch.faults, position, DELETED)
        sound = batch.sound()
        if not given.isdisjoint(name for rule in rules.row_rules for name in rule.fields):
            part, own = batch.take(sound), [ids[p] for p in sound]
            before_of = {name: [before[i][place + 1] for i in own] for place, name in enumerate(names)}
            check_rows(rules, context, part, before_of, own)
            batch.faults.update((sound[place], faults) for place, faults in part.faults.items())
        lock_parents(self._book.locks, context.writer, sobject, batch)
        sound = batch.sound()
        part, own = batch.take(sound), [ids[p] for p in sound]
        current = {name: [before[i][place + 1] for i in own] for place, name in enumerate(names)}
        compute(self._book.catalogue, context, sobject, part, current)
        changed = given | derived
        for name in changed & current.keys():
            column = part.column(name)
            part.values[name] = [o if isinstance(v, Missing) else v for v, o in zip(column, current[name], strict=True)]
        duplicates = find_duplicates(context, rules, part, own)
        rest = [p for p in range(part.size) if p not in duplicates]
        if rest:
            kept = part.take(rest) if duplicates else part
            self._write_changes(context, rules, kept, [own[p] for p in rest], changed, current, rest)
        outcomes: list[SaveOutcome | None] = [None] * batch.size
        for place, position in enumerate(sound):
            if place in duplicates:
                field, other = duplicates[place]
                owner = other if isinstance(other, str) else own[other]
                outcomes[position] = failed(own[place], duplicate_fault(field, owner))
            else:
                outcomes[position] = SaveOutcome(own[place], False, True)
        for position, faults in batch.faults.items():
            outcomes[position] = failed(ids[position], *faults)
        return [outcome for outcome in outcomes if outcome is not None]

    def _write_changes(
        self,
        context: Context,
        rules: Rules,
        batch: Batch,
        ids: list[str],
        changed: set[str],
        before: Mapping[str, list[Stored]],
        positions: Sequence[int],
    ) -> None:
        sobject = rules.sobject
        now = stored_instant(context.now)
        columns: dict[str, Any] = {name: batch.values[name] for name in sorted(changed)}
        for name, field in rules.keyed.items():
            if name in changed:
                columns[field.key_column] = _keys(field, columns[name])
        for name, value in (("LastModifiedDate", now), ("LastModifiedById", context.user_id), ("SystemModstamp", now)):
            columns.setdefault(name, repeat(value))
        pairs = ", ".join(f"{quote(name)} = ?" for name in columns)
        sql = f"UPDATE {quote(sobject.name)} SET {pairs} WHERE Id = ?"  # noqa: S608 names come from the catalogue
        context.connection.executemany(sql, zip(*columns.values(), ids, strict=False))
        old = {name: [column[p] for p in positions] for name, column in before.items()}
        after_write(self._book.catalogue, context, sobject, columns, ids, old)


def roll_back_all(outcomes: Sequence[SaveOutcome]) -> list[SaveOutcome]:
    """Return the outcomes of an all-or-none call of which nothing was kept."""
    return [
        failed(None if o.created else o.id, ROLLED_BACK) if o.success else SaveOutcome(o.id, False, False, o.errors)
        for o in outcomes
    ]


def _not_allowed(sobject: SObject, verb: str, allowed: bool) -> Fault:
    """Return why nobody, or not this user, may write an object. Assumed: both codes."""
    if allowed:
        return Fault("INSUFFICIENT_ACCESS_OR_READONLY", f"entity is read only: you may not {verb} {sobject.name}")
    return Fault("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type {sobject.name} does not support {verb}")


def _fill_gaps(batch: Batch, name: str, value: Stored) -> None:
    """Give the records a value that say nothing about a field, or clear it."""
    column = batch.values.get(name)
    if column is None:
        batch.values[name] = repeated(value, batch.size)
    elif not is_full(column):
        batch.values[name] = [value if v is None or isinstance(v, Missing) else v for v in column]


def _keys(field: Field, values: Sequence[Any]) -> list[str | None]:
    if field.case_sensitive:
        return list(values)
    if is_full(values) or None not in values:
        return list(map(str.casefold, values))
    return [None if value is None else value.casefold() for value in values]


def auto_number(field: Field, number: int) -> str:
    """Return the value of a field that the platform numbers."""
    head, _, tail = field.number_format.partition("{")
    digits, _, end = tail.partition("}")
    return f"{head}{number:0{len(digits)}d}{end}"


def _waves(positions: Sequence[int], ids: Sequence[Value]) -> list[list[int]]:
    """Return the positions in groups without a repeated id, so that a later record sees what an earlier one did."""
    if positions and len({ids[position] for position in positions}) == len(positions):
        return [list(positions)]
    waves: list[list[int]] = []
    count: dict[str, int] = {}
    for position in positions:
        record_id = str(ids[position])
        wave = count.get(record_id, 0)
        count[record_id] = wave + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append(position)
    return waves


def _place(outcomes: list[SaveOutcome | None], positions: Sequence[int], part: Sequence[SaveOutcome]) -> None:
    for position, outcome in zip(positions, part, strict=True):
        outcomes[position] = outcome


def external_key(sobject: SObject, name: str) -> Field:
    """Return the field that an upsert may find records by.

    Raises:
        SFError: 404, there is no such field or it is neither an external id nor usable for lookups.
    """
    field = sobject.field(name)
    if field is None or not (field.external_id or field.id_lookup or field.type is FieldType.ID):
        raise SFError("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {name}")
    return field
