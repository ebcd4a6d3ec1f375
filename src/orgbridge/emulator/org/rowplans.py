"""One record saved by a plan: the rules of `saving` as they stand for records that name the same fields.

`saving` works by column because a load has ten thousand records; for one record most of that work is finding out what
there is to do, and that is the same for every record with the same names. A plan knows it beforehand. It takes sound
records only, and only where a few look-ups tell that they are: whatever else a record needs - a fault to be told, a
rule that looks at other rows, a parent to be found by key - it leaves, untouched, to `saving`. So a plan never
refuses, and what it does write is what `saving` would have written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orgbridge.emulator.org.computing import derived_fields
from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.derivations import COPIES, DERIVATIONS, Derivation, stored_instant
from orgbridge.emulator.org.ids import make_ids
from orgbridge.emulator.org.outcomes import Missing, SaveOutcome
from orgbridge.emulator.org.rules import Rulebook, Rules
from orgbridge.emulator.org.saving import auto_number
from orgbridge.emulator.org.values import Check, json_value
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.emulator.schema.rendering import Stored
from orgbridge.emulator.storage.counters import allocate
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.inserts import UniqueError
from orgbridge.emulator.storage.tables import quote
from orgbridge.wire.fieldtypes import FieldType

#: Plans kept; when there are more, all are made anew.
_KEPT = 512
_CREATED = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
_CHANGED = ("LastModifiedDate", "LastModifiedById", "SystemModstamp")
#: Values of one row, by column.
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """One field that the records name."""

    #: As the records name it.
    key: str
    #: What it is.
    field: Field
    #: How its text becomes its value.
    check: Check
    #: Value in place of null; None where null may stand.
    instead: Stored
    #: Whether a value must be there.
    required: bool
    #: Whether it points to a row.
    refers: bool
    #: Whether the row that it points to is locked by those below it.
    locks: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """One derivation, as far as it counts for the records."""

    derivation: Derivation
    #: Outputs that are set, by their place; the others are given by the record.
    sets: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What there is to do for records of one object that name the same fields."""

    sobject: SObject
    given: tuple[_Given, ...]
    #: Values of what the records do not name.
    fixed: Mapping[str, Stored]
    #: Whether the row belongs to whoever saves it unless it names another.
    owned: bool
    #: Field that holds the id when it has no value; None for none.
    named_by_id: str | None
    #: Fields that the platform numbers.
    numbered: tuple[Field, ...]
    steps: tuple[_Step, ...]
    #: Fields with a shadow column: their name, that of the column, and how it is made.
    keyed: tuple[tuple[str, str, Callable[[str], str]], ...]
    #: Reads `IsDeleted` and `reads` of the row; for updates.
    select: str
    reads: tuple[str, ...]
    #: Writes `columns`, and for updates takes the id behind them.
    write: str
    columns: tuple[str, ...]


class RowPlans:
    """The plans of an org's rules. Methods work inside the caller's transaction and return None, with nothing written
    but numbers taken, when the record has to go through `Saving`.
    """

    def __init__(self, book: Rulebook) -> None:
        self._book = book
        self._plans: dict[tuple[str, bool, tuple[str, ...]], _Plan | None] = {}

    def insert(self, context: Context, sobject: SObject, row: Mapping[str, Any]) -> SaveOutcome | None:
        """Insert a record."""
        plan = self._plan(sobject, True, tuple(row))
        if plan is None or not _is_plain(context):
            return None
        values = self._read(context, plan, row)
        if values is None:
            return None
        connection, now, user_id = context.connection, stored_instant(context.now), context.user_id
        values = {**plan.fixed, **values}
        if plan.owned and values.get("OwnerId") is None:
            values["OwnerId"] = user_id
        for step in plan.steps:
            _derive(step, now, values)
        prefix = sobject.key_prefix
        record_id = values["Id"] = make_ids(prefix, allocate(connection, prefix), 1)[0]
        if plan.named_by_id is not None:
            values[plan.named_by_id] = values.get(plan.named_by_id) or record_id
        for field in plan.numbered:
            values[field.name] = auto_number(field, allocate(connection, f"{sobject.name}.{field.name}"))
        _fill_keys(plan, values)
        for name, value in zip(_CREATED, (now, user_id, now, user_id, now), strict=True):
            values[name] = value
        try:
            connection.execute(plan.write, [values[name] for name in plan.columns])
        except UniqueError:
            return None
        return SaveOutcome(record_id, True, True)

    def update(self, context: Context, sobject: SObject, record_id: str, row: Mapping[str, Any]) -> SaveOutcome | None:
        """Update a record by its 18-character id, which `row` does not name."""
        plan = self._plan(sobject, False, tuple(row))
        if plan is None or not _is_plain(context):
            return None
        found = context.connection.execute(plan.select, (record_id,)).fetchone()
        if found is None or found[0]:
            return None
        values = self._read(context, plan, row)
        if values is None:
            return None
        now = stored_instant(context.now)
        if plan.reads:
            values = {**dict(zip(plan.reads, found[1:], strict=True)), **values}
        for step in plan.steps:
            _derive(step, now, values)
        _fill_keys(plan, values)
        values["LastModifiedDate"] = values["SystemModstamp"] = now
        values["LastModifiedById"] = context.user_id
        try:
            context.connection.execute(plan.write, [*[values[name] for name in plan.columns], record_id])
        except UniqueError:
            return None
        return SaveOutcome(record_id, False, True)

    def upsert(self, context: Context, sobject: SObject, key: Field, row: Mapping[str, Any]) -> SaveOutcome | None:
        """Insert or update a record, found by the unique field `key`, which `row` names as describe does."""
        check = self._book.rules(sobject).checks.get(key.name)
        if not key.unique or key.name not in row or check is None:
            return None
        value = json_value(key, check, row[key.name])
        if not isinstance(value, str):
            return None
        column = quote(key.key_column)
        sql = f"SELECT Id FROM {quote(sobject.name)} WHERE IsDeleted = 0 AND {column} = ?"  # noqa: S608 names come from the catalogue
        found = context.connection.execute(sql, (key.key_of(value) if key.has_key else value,)).fetchone()
        if found is None:
            return self.insert(context, sobject, row)
        return self.update(context, sobject, found[0], {k: v for k, v in row.items() if k != key.name})

    def _read(self, context: Context, plan: _Plan, row: Mapping[str, Any]) -> _Row | None:
        """Return the stored values of a record's fields; None when something may be wrong with one."""
        values: _Row = {}
        for one in plan.given:
            value = json_value(one.field, one.check, row[one.key])
            if value is None:
                if one.required:
                    return None
                value = one.instead
            elif isinstance(value, Fault | Missing) or (one.refers and not self._is_there(context, one, str(value))):
                return None
            values[one.field.name] = value
        return values

    def _is_there(self, context: Context, one: _Given, record_id: str) -> bool:
        """Tell whether a row may surely be pointed to. False says nothing."""
        if one.locks and self._book.locks.blocked(context.writer, (record_id,)):
            return False
        if record_id == context.user_id:
            return True
        target = self._book.catalogue.by_prefix(record_id)
        # An owner has to be active as well, a record type to fit.
        return (
            target is not None
            and one.field.name not in ("OwnerId", "RecordTypeId")
            and _is_live(context.connection, target, record_id)
        )

    def _plan(self, sobject: SObject, creating: bool, names: tuple[str, ...]) -> _Plan | None:
        key = (sobject.name, creating, names)
        try:
            return self._plans[key]
        except KeyError:
            if len(self._plans) >= _KEPT:
                self._plans.clear()
            plan = self._plans[key] = _plan(self._book.rules(sobject), creating, names)
            return plan


def _is_plain(context: Context) -> bool:
    """Tell whether nobody's rights or locks of his own make a difference."""
    return context.view is None and not context.system and context.writer is None


def _is_live(connection: Connection, target: SObject, record_id: str) -> bool:
    sql = f"SELECT 1 FROM {quote(target.name)} WHERE Id = ? AND IsDeleted = 0"  # noqa: S608 names come from the catalogue
    return connection.execute(sql, (record_id,)).fetchone() is not None


def _derive(step: _Step, now: str, values: _Row) -> None:
    results = step.derivation.compute(now, *[values.get(name) for name in step.derivation.inputs])
    for place, name in step.sets:
        values[name] = results[place]


def _fill_keys(plan: _Plan, values: _Row) -> None:
    for name, column, fold in plan.keyed:
        value = values[name]
        values[column] = None if value is None else fold(value)


def _plan(rules: Rules, creating: bool, names: tuple[str, ...]) -> _Plan | None:
    """Return the plan for records that name these fields; None when they need `Saving`."""
    sobject = rules.sobject
    given = _given(rules, creating, names)
    # Far fields reach other rows: a plan looks at few.
    if given is None or rules.far_fields is None or rules.record_type is not None or sobject.sharing is not None:
        return None
    named = {one.field.name: one for one in given}
    if not (sobject.createable if creating else sobject.updateable):
        return None
    if any(copy.reference in named for copy in COPIES.get(sobject.name, ())):
        return None
    if creating:
        return _insert_plan(rules, given, named)
    return _update_plan(rules, given, named)


def _given(rules: Rules, creating: bool, names: tuple[str, ...]) -> tuple[_Given, ...] | None:
    sobject, found = rules.sobject, {}
    needed = {field.name for field in rules.required}
    if not creating:
        needed |= {field.name for field in rules.not_null}
    for name in names:
        if name == "attributes":
            continue
        field = sobject.field(name)
        # Whoever gives the same field twice, in different case, is refused.
        if field is None or field.name not in rules.checks or field.name in found:
            return None
        if not (field.createable if creating else field.updateable) or field.type is FieldType.BASE64:
            return None
        found[field.name] = _Given(
            key=name,
            field=field,
            check=rules.checks[field.name],
            instead=rules.defaults.get(field.name) if creating and not field.nillable else None,
            required=field.name in needed,
            refers=field.type is FieldType.REFERENCE,
            locks=field.cascade_delete,
        )
    return tuple(found.values())


def _insert_plan(rules: Rules, given: tuple[_Given, ...], named: Mapping[str, _Given]) -> _Plan | None:
    sobject = rules.sobject
    fixed = {name: value for name, value in rules.defaults.items() if name not in named}
    said = {*named, *fixed}
    if any(field.name not in said for field in rules.required) or not rules.references.keys().isdisjoint(fixed):
        return None
    if any(rule.about is None or not said.isdisjoint(rule.about) for rule in rules.row_rules):
        return None
    owned = "OwnerId" in rules.references
    known = {*said, "OwnerId"} if owned else said
    steps = []
    for derivation in DERIVATIONS.get(sobject.name, ()):
        steps.append(_step(sobject, derivation, known))
        known |= set(derivation.outputs)
    name_field = sobject.name_field
    named_by_id = None
    if name_field is not None and name_field.defaulted_on_create and not name_field.auto_number:
        named_by_id = name_field.name
        known |= {named_by_id}
    known |= {field.name for field in rules.auto_numbers}
    keyed = _keyed(rules, known)
    columns = ("Id", *sorted(known), *(column for _, column, _ in keyed), *_CREATED)
    marks = ", ".join("?" * len(columns))
    return _Plan(
        sobject=sobject,
        given=given,
        fixed=fixed,
        owned=owned,
        named_by_id=named_by_id,
        numbered=rules.auto_numbers,
        steps=tuple(steps),
        keyed=keyed,
        select="",
        reads=(),
        write=f"INSERT INTO {quote(sobject.name)} ({_listed(columns)}) VALUES ({marks})",  # noqa: S608 names come from the catalogue
        columns=columns,
    )


def _update_plan(rules: Rules, given: tuple[_Given, ...], named: Mapping[str, _Given]) -> _Plan | None:
    sobject = rules.sobject
    if any(not named.keys().isdisjoint(rule.fields) for rule in rules.row_rules):
        return None
    _, needed = derived_fields(sobject, set(named))
    steps, known = [], set(named)
    for derivation in DERIVATIONS.get(sobject.name, ()):
        if not known.isdisjoint(derivation.inputs):
            steps.append(_step(sobject, derivation, known))
            known |= set(derivation.outputs)
    reads = tuple(sorted(needed - named.keys()))
    keyed = _keyed(rules, known)
    columns = (*sorted(known), *(column for _, column, _ in keyed), *_CHANGED)
    pairs = ", ".join(f"{quote(name)} = ?" for name in columns)
    return _Plan(
        sobject=sobject,
        given=given,
        fixed={},
        owned=False,
        named_by_id=None,
        numbered=(),
        steps=tuple(steps),
        keyed=keyed,
        select=f"SELECT {_listed(('IsDeleted', *reads))} FROM {quote(sobject.name)} WHERE Id = ?",  # noqa: S608
        reads=reads,
        write=f"UPDATE {quote(sobject.name)} SET {pairs} WHERE Id = ?",  # noqa: S608
        columns=columns,
    )


def _step(sobject: SObject, derivation: Derivation, known: Iterable[str]) -> _Step:
    """Return what a derivation sets where these fields are known: what a record may say itself is its own."""
    sets = []
    for place, name in enumerate(derivation.outputs):
        field = sobject.field(name)
        if name not in known or field is None or not field.createable:
            sets.append((place, name))
    return _Step(derivation, tuple(sets))


def _keyed(rules: Rules, known: Iterable[str]) -> tuple[tuple[str, str, Callable[[str], str]], ...]:
    fields = [field for name, field in rules.keyed.items() if name in known]
    return tuple((f.name, f.key_column, _as_it_is if f.case_sensitive else str.casefold) for f in fields)


def _as_it_is(text: str) -> str:
    return text


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(map(quote, columns))
