"""Running the tables of `derivations` over a batch, and over the rows around it once it is written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from orgbridge.emulator.org.batches import Batch
from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.derivations import COPIES, DERIVATIONS, Copy, stored_instant
from orgbridge.emulator.org.fullcolumns import is_full
from orgbridge.emulator.org.hierarchies import set_asset_roots
from orgbridge.emulator.org.lookups import rows_by_id
from orgbridge.emulator.org.outcomes import MISSING, Missing
from orgbridge.emulator.org.rollups import follow
from orgbridge.emulator.org.rowrules import Rows
from orgbridge.emulator.org.rules import Rules
from orgbridge.emulator.org.values import Value
from orgbridge.emulator.schema.model import Catalogue, SObject
from orgbridge.emulator.schema.rendering import Stored


def compute(
    catalogue: Catalogue, context: Context, sobject: SObject, batch: Batch, current: Mapping[str, list[Stored]] | None
) -> None:
    """Fill what the platform computes; `current` holds the rows' values before an update, None for an insert."""
    copies = COPIES.get(sobject.name, ())
    derivations = DERIVATIONS.get(sobject.name, ())
    if not copies and not derivations:
        return
    touched = {name for name, column in batch.values.items() if any(v is not MISSING for v in column)}
    for copy in copies:
        if copy.reference in touched:
            _copy(catalogue, context, sobject, batch, copy)
            touched |= {name for _, name in copy.fields}
    now = stored_instant(context.now)
    for derivation in derivations:
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


def _copy(catalogue: Catalogue, context: Context, sobject: SObject, batch: Batch, copy: Copy) -> None:
    target = catalogue.sobject(copy.target)
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


def _merged(batch: Batch, name: str, current: Mapping[str, list[Stored]] | None) -> list[Stored]:
    """Return a field's values as they will be: given, else as they are, else null."""
    column = batch.column(name)
    if is_full(column) or MISSING not in column:
        return column  # type: ignore[return-value]  # Nothing is missing.
    old = [None] * batch.size if current is None or name not in current else current[name]
    return [o if isinstance(v, Missing) else v for v, o in zip(column, old, strict=True)]


def derived_fields(sobject: SObject, given: set[str]) -> tuple[set[str], set[str]]:
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


def check_rows(
    rules: Rules, context: Context, batch: Batch, current: Mapping[str, list[Stored]] | None, ids: list[str] | None
) -> None:
    """Hold the records against the rules that look at several fields; `current` and `ids` are those of an update."""
    for rule in rules.row_rules:
        # What nobody names breaks no rule; of a new row only what the rule is about counts.
        of_interest = rule.fields if current is not None or rule.about is None else rule.about
        if (current is not None or rule.about is not None) and batch.values.keys().isdisjoint(of_interest):
            continue
        rule.check(Rows(context, batch, {name: _merged(batch, name, current) for name in rule.fields}, ids))


def after_write(
    catalogue: Catalogue,
    context: Context,
    sobject: SObject,
    columns: Mapping[str, object],
    ids: list[str],
    before: Mapping[str, object],
) -> None:
    """Bring the rows around the written ones up to date: asset trees and the totals of parents.

    Args:
        catalogue: The objects of the org.
        context: The open transaction.
        sobject: What was written.
        columns: What was written of it; keys are field names.
        ids: The rows.
        before: Former values of changed fields, by field name; empty for new rows.
    """
    if sobject.name == "Asset" and not columns.keys().isdisjoint({"Id", "ParentId"}):
        set_asset_roots(context.connection, ids)
    follow(catalogue, context, sobject, ids, before)
