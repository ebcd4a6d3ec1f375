"""Insert, update and upsert of many records in one transaction.

The order of the rules: names, types and lengths of values; write rights; keys of related records; required fields;
existence of related records; what the platform computes; uniqueness; then one write for all sound records. All that
is wrong at one stage is told; a record that fails a stage does not reach the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import repeat
from typing import Any

from orgbridge.emulator.org.batches import Batch
from orgbridge.emulator.org.columns import Column, resolve
from orgbridge.emulator.org.derivations import COPIES, DERIVATIONS, ROLLUPS, Copy, stored_instant
from orgbridge.emulator.org.ids import make_ids
from orgbridge.emulator.org.lookups import ids_by_key, json_list, live_ids, rows_by_id
from orgbridge.emulator.org.outcomes import MISSING, ROLLED_BACK, Missing, SaveOutcome, ValueMode, failed
from orgbridge.emulator.org.rules import Rules, compile_rules
from orgbridge.emulator.org.values import Value, add_fault, convert
from orgbridge.emulator.schema.errors import Fault, SFError
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.emulator.schema.rendering import Stored
from orgbridge.emulator.storage.counters import allocate
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.ids import to_18

_INVALID_REFERENCE = Fault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
_DELETED = Fault("ENTITY_IS_DELETED", "entity is deleted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who saves, when, and in which transaction."""

    #: The open write transaction.
    connection: Connection
    #: Id of the user.
    user_id: str
    #: The instant of the save.
    now: datetime
    #: True when the caller is the platform itself: read-only fields may be given.
    system: bool = False


class Saving:
    """Saves records by the rules of an org's catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._rules: dict[str, Rules] = {}

    def rules(self, sobject: SObject) -> Rules:
        """Return the compiled rules of an object."""
        found = self._rules.get(sobject.name)
        if found is None:
            found = self._rules[sobject.name] = compile_rules(self._catalogue, sobject)
        return found

    # -- whole calls ---------------------------------------------------------------------------------------------

    def insert(
        self,
        context: Context,
        sobject: SObject,
        names: Sequence[str],
        columns: Sequence[Sequence[Any]],
        mode: ValueMode,
    ) -> list[SaveOutcome]:
        """Insert records given by column; the outcomes are in their order."""
        batch = self._parse(context, sobject, names, columns, mode)
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
        batch = self._parse(context, sobject, names, columns, mode)
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
        batch = self._parse(context, sobject, names, columns, mode)
        self._match_keys(context, sobject, key, batch)
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

    # -- from names and values to fields --------------------------------------------------------------------------

    def _parse(
        self,
        context: Context,
        sobject: SObject,
        names: Sequence[str],
        columns: Sequence[Sequence[Any]],
        mode: ValueMode,
    ) -> Batch:
        rules = self.rules(sobject)
        size = len(columns[0]) if columns else 0
        batch = Batch(size, {})
        foreign: list[tuple[Column, Sequence[Any]]] = []
        for name, values in zip(names, columns, strict=True):
            column = resolve(self._catalogue, sobject, name, strict=mode is ValueMode.CSV)
            if column is None:
                message = f"No such column '{name.partition('.')[0]}' on sobject of type {sobject.name}"
                _fault_where_given(batch, values, mode, Fault("INVALID_FIELD", message))
            elif column.key is not None:
                foreign.append((column, values))
            elif column.field.name == "Id":
                batch.values["Id"] = _convert_ids(sobject, batch, values, mode)
            elif not column.field.is_stored or column.field.name not in rules.checks:
                # Compound and audit fields: given or not is all that counts.
                batch.values[column.field.name] = [MISSING if _is_missing(v, mode) else None for v in values]
            elif column.field.name in batch.values:
                message = f"duplicate field specified: {column.field.name}"
                _fault_where_given(batch, values, mode, Fault("INVALID_FIELD", message))
            else:
                check = rules.checks[column.field.name]
                batch.values[column.field.name] = convert(column.field, check, mode, values, batch.faults)
        for column, values in foreign:
            self._resolve_keys(context, column, values, mode, batch)
        return batch

    def _resolve_keys(
        self, context: Context, column: Column, values: Sequence[Any], mode: ValueMode, batch: Batch
    ) -> None:
        key, target, reference = column.key, column.target, column.field
        if key is None or target is None:
            return
        texts = convert(key, self.rules(target).checks[key.name], mode, values, batch.faults)
        wanted = {_key(key, t) for t in texts if isinstance(t, str | int | float)}
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
                ids = found.get(_key(key, text), [])
                if len(ids) == 1:
                    out[position] = ids[0]
                    continue
                out[position] = None
                if ids:
                    add_fault(batch.faults, position, _several(key, ids))
                else:
                    message = (
                        f"Foreign key external ID: {text!s} not found for field {key.name} in entity {target.name}"
                    )
                    add_fault(batch.faults, position, Fault("INVALID_FIELD", message))

    def _match_keys(self, context: Context, sobject: SObject, key: Field, batch: Batch) -> None:
        if key.name == "Id":
            return
        values = batch.column(key.name)
        keys = {p: _key(key, v) for p in batch.sound() if isinstance(v := values[p], str | int | float)}
        found = ids_by_key(context.connection, sobject, key, set(keys.values()))
        count: dict[str | int | float, int] = {}
        for text in keys.values():
            count[text] = count.get(text, 0) + 1
        given = batch.values.pop("Id", None)
        ids: list[Value] = [MISSING] * batch.size
        for position in batch.sound():
            if position not in keys:
                fault = Fault("MISSING_ARGUMENT", f"{key.name} not specified", (key.name,))
                add_fault(batch.faults, position, fault)
            elif given is not None and isinstance(given[position], str):
                message = f"cannot specify both an Id and the external ID field {key.name}"
                add_fault(batch.faults, position, Fault("INVALID_FIELD_FOR_INSERT_UPDATE", message, ("Id",)))
            elif count[keys[position]] > 1:
                # Assumed: every record of the group is refused, since none of them can claim to be the last word.
                message = f"Duplicate external id specified: {values[position]!s}"
                add_fault(batch.faults, position, Fault("DUPLICATE_EXTERNAL_ID", message, (key.name,)))
            elif len(matches := found.get(keys[position], [])) > 1:
                add_fault(batch.faults, position, _several(key, matches))
            elif matches:
                ids[position] = matches[0]
        batch.values["Id"] = ids

    # -- inserts -------------------------------------------------------------------------------------------------

    def _insert(self, context: Context, sobject: SObject, batch: Batch) -> list[SaveOutcome]:
        rules = self.rules(sobject)
        if not sobject.createable and not context.system:
            message = f"entity type {sobject.name} does not support create"
            return [failed(None, Fault("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message))] * batch.size
        _check_rights(context, sobject, batch, creating=True)
        self._fill_defaults(context, rules, batch)
        _check_required(rules, batch, creating=True)
        self._check_references(context, rules, batch, batch.values)
        outcomes: list[SaveOutcome | None] = [None] * batch.size
        sound = batch.sound()
        whole = batch
        batch = whole.take(sound)
        self._compute(context, sobject, batch, None)
        duplicates = self._find_duplicates(context, rules, batch, None)
        rest = [p for p in range(batch.size) if p not in duplicates]
        ids = self._take_ids(context, sobject, len(rest))
        by_position = dict(zip(rest, ids, strict=True))
        if rest:
            self._write_new(context, rules, batch.take(rest) if duplicates else batch, ids)
        for place, position in enumerate(sound):
            if place in duplicates:
                field, other = duplicates[place]
                owner = other if isinstance(other, str) else by_position[other]
                outcomes[position] = failed(None, _duplicate(field, owner))
            else:
                outcomes[position] = SaveOutcome(by_position[place], True, True)
        for position, faults in whole.faults.items():
            outcomes[position] = failed(None, *faults)
        return [outcome for outcome in outcomes if outcome is not None]

    def _fill_defaults(self, context: Context, rules: Rules, batch: Batch) -> None:
        for name, default in rules.defaults.items():
            column = batch.values.get(name)
            field = rules.sobject.field(name)
            if column is None:
                batch.values[name] = [default] * batch.size
            elif field is not None and not field.nillable:
                batch.values[name] = [default if v is None or isinstance(v, Missing) else v for v in column]
            else:
                batch.values[name] = [default if isinstance(v, Missing) else v for v in column]
        if "OwnerId" in rules.references:
            column = batch.column("OwnerId")
            batch.values["OwnerId"] = [context.user_id if v is None or isinstance(v, Missing) else v for v in column]

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
            columns[name] = [None if isinstance(v, Missing) else v for v in column] if MISSING in column else column
        name_field = sobject.name_field
        if name_field and name_field.defaulted_on_create and not name_field.auto_number:
            # A custom object's text name is the record's id when none is given.
            given = columns.get(name_field.name, repeat(None))
            columns[name_field.name] = [v or i for v, i in zip(given, ids, strict=False)]
        for field in rules.auto_numbers:
            first = allocate(context.connection, f"{sobject.name}.{field.name}", len(ids))
            columns[field.name] = [_auto_number(field, first + place) for place in range(len(ids))]
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
        names = ", ".join(map(quote, columns))
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {quote(sobject.name)} ({names}) VALUES ({marks})"  # noqa: S608 names come from the catalogue
        context.connection.executemany(sql, zip(*columns.values(), strict=False))
        self._after_write(context, sobject, columns, ids)

    # -- updates -------------------------------------------------------------------------------------------------

    def _update(self, context: Context, sobject: SObject, batch: Batch) -> list[SaveOutcome]:
        if not sobject.updateable and not context.system:
            message = f"entity type {sobject.name} does not support update"
            return [failed(None, Fault("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message))] * batch.size
        ids = batch.column("Id")
        for position in batch.sound():
            if not isinstance(ids[position], str):
                fault = Fault("MISSING_ARGUMENT", "Id not specified in an update call", ("Id",))
                add_fault(batch.faults, position, fault)
        _check_rights(context, sobject, batch, creating=False)
        rules = self.rules(sobject)
        _check_required(rules, batch, creating=False)
        self._check_references(context, rules, batch, batch.values)
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
        derived, needed = _derived_fields(sobject, given)
        names = sorted(given | derived | needed)
        before = rows_by_id(context.connection, sobject, ids, names)
        for position, record_id in enumerate(ids):
            row = before.get(record_id)
            if row is None:
                add_fault(batch.faults, position, _INVALID_REFERENCE)
            elif row[0]:
                add_fault(batch.faults, position, _DELETED)
        sound = batch.sound()
        part, own = batch.take(sound), [ids[p] for p in sound]
        current = {name: [before[i][place + 1] for i in own] for place, name in enumerate(names)}
        self._compute(context, sobject, part, current)
        changed = given | derived
        for name in changed:
            column = part.column(name)
            part.values[name] = [o if isinstance(v, Missing) else v for v, o in zip(column, current[name], strict=True)]
        duplicates = self._find_duplicates(context, rules, part, own)
        rest = [p for p in range(part.size) if p not in duplicates]
        if rest:
            kept = part.take(rest) if duplicates else part
            self._write_changes(context, rules, kept, [own[p] for p in rest], changed, current, rest)
        outcomes: list[SaveOutcome | None] = [None] * batch.size
        for place, position in enumerate(sound):
            if place in duplicates:
                field, other = duplicates[place]
                owner = other if isinstance(other, str) else own[other]
                outcomes[position] = failed(own[place], _duplicate(field, owner))
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
        old = {f"{name} before": [column[p] for p in positions] for name, column in before.items()}
        self._after_write(context, sobject, {**columns, **old}, ids)

    # -- rules shared by inserts and updates -----------------------------------------------------------------------

    def _check_references(
        self, context: Context, rules: Rules, batch: Batch, values: Mapping[str, list[Value]]
    ) -> None:
        for name in rules.references:
            column = values.get(name)
            if column is None:
                continue
            # The saving user is known to be there: the usual owner of every row costs no lookup.
            wanted = {v for v in column if isinstance(v, str)} - {context.user_id}
            if not wanted:
                continue
            known = {context.user_id}
            by_prefix: dict[str, set[str]] = {}
            for record_id in wanted:
                by_prefix.setdefault(record_id[:3], set()).add(record_id)
            for prefix, ids in by_prefix.items():
                target = self._catalogue.by_prefix(prefix)
                if target is not None:
                    known |= live_ids(context.connection, target, ids)
            if wanted <= known:
                continue
            for position, value in enumerate(column):
                if isinstance(value, str) and value not in known:
                    add_fault(batch.faults, position, _INVALID_REFERENCE)

    def _compute(
        self, context: Context, sobject: SObject, batch: Batch, current: Mapping[str, list[Stored]] | None
    ) -> None:
        """Fill what the platform computes; `current` holds the rows' values before an update, None for an insert."""
        touched = {name for name, column in batch.values.items() if not all(isinstance(v, Missing) for v in column)}
        for copy in COPIES.get(sobject.name, ()):
            if copy.reference in touched:
                self._copy(context, sobject, batch, copy)
                touched |= {name for _, name in copy.fields}
        now = stored_instant(context.now)
        for derivation in DERIVATIONS.get(sobject.name, ()):
            if current is not None and touched.isdisjoint(derivation.inputs):
                continue
            inputs = [_merged(batch, name, current) for name in derivation.inputs]
            said = [batch.column(name) for name in derivation.inputs]
            results = list(map(partial(derivation.compute, now), *inputs))
            for place, name in enumerate(derivation.outputs):
                field = sobject.field(name)
                computed: list[Value] = [row[place] for row in results]
                if current is not None:
                    # A record that says nothing about the inputs keeps what it has, e.g. a probability of its own.
                    for position, row in enumerate(zip(*said, strict=True)):
                        if all(isinstance(v, Missing) for v in row):
                            computed[position] = MISSING
                if name in batch.values and field is not None and field.createable:
                    given = batch.values[name]
                    computed = [c if isinstance(v, Missing) else v for v, c in zip(given, computed, strict=True)]
                batch.values[name] = computed
            touched |= set(derivation.outputs)

    def _copy(self, context: Context, sobject: SObject, batch: Batch, copy: Copy) -> None:
        target = self._catalogue.sobject(copy.target)
        if target is None:
            return
        references = batch.values[copy.reference]
        ids = {v for v in references if isinstance(v, str) and v[:3] == target.key_prefix}
        rows = rows_by_id(context.connection, target, ids, [source for source, _ in copy.fields])
        for place, (_, name) in enumerate(copy.fields):
            field = sobject.field(name)
            keep = field is not None and field.createable
            column = batch.column(name)
            filled: list[Value] = []
            for reference, value in zip(references, column, strict=True):
                given = keep and not isinstance(value, Missing)
                row = rows.get(reference) if isinstance(reference, str) else None
                filled.append(value if given or row is None else row[place + 1])
            batch.values[name] = filled

    def _find_duplicates(
        self, context: Context, rules: Rules, batch: Batch, own: list[str] | None
    ) -> dict[int, tuple[Field, str | int]]:
        """Return which records repeat a unique value: the field, and the other's id or its position in the batch."""
        fields = [f for f in rules.unique if f.name in batch.values]
        duplicates: dict[int, tuple[Field, str | int]] = {}
        for field in fields:
            keys = [_key(field, v) if isinstance(v, str | int | float) else None for v in batch.values[field.name]]
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

    def _after_write(self, context: Context, sobject: SObject, columns: Mapping[str, Any], ids: list[str]) -> None:
        if sobject.name == "Asset" and not columns.keys().isdisjoint({"Id", "ParentId"}):
            set_asset_roots(context.connection, ids)
        for rollup in ROLLUPS.get(sobject.name, ()):
            rows = rows_by_id(context.connection, sobject, ids, [rollup.reference])
            sum_up(context.connection, sobject.name, {str(row[1]) for row in rows.values() if row[1]})


def set_asset_roots(connection: Connection, ids: Sequence[str]) -> None:
    """Set `RootAssetId` and `AssetLevel` of assets from their parents; assets below them are not touched."""
    parent = '(SELECT p.{0} FROM "Asset" p WHERE p.Id = "Asset".ParentId)'
    connection.execute(
        f'UPDATE "Asset" SET RootAssetId = COALESCE({parent.format("RootAssetId")}, ParentId, Id),'  # noqa: S608
        f" AssetLevel = COALESCE({parent.format('AssetLevel')}, 0) + 1"
        " WHERE Id IN (SELECT value FROM json_each(?))",
        (json_list(ids),),
    )


def sum_up(connection: Connection, child: str, parents: set[str]) -> None:
    """Recompute the totals of these parents that sum rows of the child object."""
    for rollup in ROLLUPS.get(child, ()):
        total = (
            f"SELECT COALESCE(SUM({quote(rollup.summed)}), 0.0) FROM {quote(child)}"  # noqa: S608
            f" WHERE {quote(rollup.reference)} = {quote(rollup.parent)}.Id AND IsDeleted = 0"
        )
        connection.execute(
            f"UPDATE {quote(rollup.parent)} SET {quote(rollup.total)} = ({total})"  # noqa: S608
            " WHERE Id IN (SELECT value FROM json_each(?))",
            (json_list(parents),),
        )


def roll_back_all(outcomes: Sequence[SaveOutcome]) -> list[SaveOutcome]:
    """Return the outcomes of an all-or-none call of which nothing was kept."""
    return [
        failed(None if o.created else o.id, ROLLED_BACK) if o.success else SaveOutcome(o.id, False, False, o.errors)
        for o in outcomes
    ]


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


def _check_rights(context: Context, sobject: SObject, batch: Batch, *, creating: bool) -> None:
    """Refuse records that write what they may not."""
    if context.system:
        return
    blocked = []
    for name in batch.values:
        field = sobject.field(name)
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


def _check_required(rules: Rules, batch: Batch, *, creating: bool) -> None:
    missing: dict[int, list[str]] = {}
    fields = rules.required if creating else rules.required + rules.not_null
    for field in fields:
        column = batch.values.get(field.name)
        if column is None:
            if creating:
                for position in range(batch.size):
                    missing.setdefault(position, []).append(field.name)
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


def _key(field: Field, value: Stored) -> str | int | float:
    if isinstance(value, str):
        return field.key_of(value) if field.has_key else value
    return value if isinstance(value, int | float) else ""


def _keys(field: Field, values: Sequence[Any]) -> list[str | None]:
    if field.case_sensitive:
        return list(values)
    return [None if value is None else value.casefold() for value in values]


def _several(key: Field, ids: Sequence[str]) -> Fault:
    message = f"{key.name}: more than one record found for external id field: [{', '.join(ids)}]"
    return Fault("DUPLICATE_EXTERNAL_ID", message, (key.name,))


def _duplicate(field: Field, record_id: str) -> Fault:
    message = f"duplicate value found: {field.name} duplicates value on record with id: {record_id}"
    return Fault("DUPLICATE_VALUE", message)


def _auto_number(field: Field, number: int) -> str:
    head, _, tail = field.number_format.partition("{")
    digits, _, end = tail.partition("}")
    return f"{head}{number:0{len(digits)}d}{end}"


def _merged(batch: Batch, name: str, current: Mapping[str, list[Stored]] | None) -> list[Stored]:
    """Return a field's values as they will be: given, else as they are, else null."""
    column = batch.column(name)
    old = [None] * batch.size if current is None or name not in current else current[name]
    return [o if isinstance(v, Missing) else v for v, o in zip(column, old, strict=True)]


def _derived_fields(sobject: SObject, given: set[str]) -> tuple[set[str], set[str]]:
    """Return the fields that change when these are given, and those that must be read for it."""
    derived: set[str] = set()
    needed: set[str] = set()
    for copy in COPIES.get(sobject.name, ()):
        if copy.reference in given:
            derived |= {name for _, name in copy.fields}
    for derivation in DERIVATIONS.get(sobject.name, ()):
        if not (given | derived).isdisjoint(derivation.inputs):
            needed |= set(derivation.inputs)
            derived |= set(derivation.outputs)
    return derived, needed


def _waves(positions: Sequence[int], ids: Sequence[Value]) -> list[list[int]]:
    """Return the positions in groups without a repeated id, so that a later record sees what an earlier one did."""
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
