"""Rules that look at several fields of a record at once, or at other rows, each as one value of a table.

The codes are those of facts/salesforce/errors.md section 2; where a text is Assumed the rule says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orgbridge.emulator.org.batches import Batch
from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.hierarchies import check_loops, parent_fields
from orgbridge.emulator.org.lookups import json_list
from orgbridge.emulator.org.values import add_fault
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.emulator.schema.rendering import Stored
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.ids import MASTER_RECORD_TYPE_ID


@dataclass(frozen=True, slots=True)
class Rows:
    """The records a rule looks at."""

    #: Who saves, and in which transaction.
    context: Context
    #: What the records say; faults are added here.
    batch: Batch
    #: Every field of the rule as it will be: given, else as it is, else null.
    merged: Mapping[str, Sequence[Stored]]
    #: Ids of the rows of an update; None for an insert.
    ids: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class RowRule:
    """One rule of one object."""

    #: Fields it looks at; an update that gives none of them is not held against it.
    fields: tuple[str, ...]
    #: Adds faults to the batch.
    check: Callable[[Rows], None]
    #: A new record that names none of these is not held against it; None when every new record is.
    about: tuple[str, ...] | None = None


def row_rules(catalogue: Catalogue, sobject: SObject) -> tuple[RowRule, ...]:
    """Return the rules of an object."""
    rules = [_dependency(sobject, f) for f in sobject.stored_fields if f.controller_name and f.restricted_picklist]
    rules += [_no_loop(sobject, f) for f in parent_fields(sobject)]
    if sobject.field("RecordTypeId") is not None:
        rules.append(RowRule(("RecordTypeId",), _record_type(sobject), ("RecordTypeId",)))
    if sobject.name == "Event":
        rules.append(RowRule(_EVENT, _event))
    if sobject.name == "PricebookEntry":
        rules.append(RowRule(("Pricebook2Id", "Product2Id"), _standard_price))
    return tuple(rules)


def _dependency(sobject: SObject, field: Field) -> RowRule:
    """Return the rule of a dependent picklist. Assumed: that the API holds it where the picklist is restricted."""
    controller = sobject.field(field.controller_name or "")
    valid = {value.value: value.valid_for for value in field.picklist}

    def check(rows: Rows) -> None:
        if controller is None:
            return
        pairs = zip(rows.merged[field.name], rows.merged[controller.name], strict=True)
        for place, (stored, above) in enumerate(pairs):
            if not isinstance(stored, str):
                continue
            key = ("true" if above else "false") if controller.type is FieldType.BOOLEAN else above
            for value in stored.split(";") if field.type is FieldType.MULTIPICKLIST else [stored]:
                allowed = valid.get(value)
                if allowed is not None and key not in allowed:
                    message = f"{field.label}: bad value for restricted picklist field: {value}"
                    fault = Fault("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, (field.name,))
                    add_fault(rows.batch.faults, place, fault)
                    break

    return RowRule((field.name, field.controller_name or field.name), check, (field.name,))


def _no_loop(sobject: SObject, field: Field) -> RowRule:
    def check(rows: Rows) -> None:
        if rows.ids is not None:
            check_loops(rows.context, sobject, field, rows.batch, rows.ids)

    return RowRule((field.name,), check, ())


def _record_type(sobject: SObject) -> Callable[[Rows], None]:
    """Return the rule that a record type must be an active one of the object. Assumed: the text."""

    def check(rows: Rows) -> None:
        given = {v for v in rows.batch.column("RecordTypeId") if isinstance(v, str) and v != MASTER_RECORD_TYPE_ID}
        if not given:
            return
        found = rows.context.connection.execute(
            'SELECT Id FROM "RecordType" WHERE Id IN (SELECT value FROM json_each(?))'
            " AND SobjectType = ? COLLATE NOCASE AND IsActive = 1",
            (json_list(given), sobject.name),
        )
        good = {row[0] for row in found}
        for place, value in enumerate(rows.batch.column("RecordTypeId")):
            if isinstance(value, str) and value in given - good:
                message = f"Record Type ID: this ID value isn't valid for the user: {value}"
                fault = Fault("INVALID_CROSS_REFERENCE_KEY", message, ("RecordTypeId",))
                add_fault(rows.batch.faults, place, fault)

    return check


_EVENT = ("IsAllDayEvent", "StartDateTime", "ActivityDateTime", "ActivityDate", "EndDateTime", "DurationInMinutes")


def _event(rows: Rows) -> None:
    """Hold an event to a start and a length.

    Source: Object Reference, "Event" (start or due date; length or end from v13). Assumed: which names are told.
    """
    for place, (whole, start, due, day, end, minutes) in enumerate(zip(*(rows.merged[n] for n in _EVENT), strict=True)):
        missing = []
        if whole and not (day or start or due):
            missing.append("ActivityDate")
        elif not whole and not (start or due):
            missing.append("ActivityDateTime")
        if not whole and minutes is None and not end:
            missing.append("DurationInMinutes")
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            add_fault(rows.batch.faults, place, Fault("REQUIRED_FIELD_MISSING", message, tuple(missing)))


def _standard_price(rows: Rows) -> None:
    """Hold a price in a book of one's own to a standard price of the product. Assumed: the text."""
    if rows.ids is not None:
        return
    connection = rows.context.connection
    standard = {row[0] for row in connection.execute('SELECT Id FROM "Pricebook2" WHERE IsStandard = 1')}
    if not standard:
        return
    products = {v for v in rows.merged["Product2Id"] if v}
    priced = {
        row[0]
        for row in connection.execute(
            'SELECT e.Product2Id FROM "PricebookEntry" e JOIN "Pricebook2" b ON b.Id = e.Pricebook2Id'
            " WHERE b.IsStandard = 1 AND e.IsDeleted = 0 AND e.Product2Id IN (SELECT value FROM json_each(?))",
            (json_list(products),),
        )
    }
    pairs = zip(rows.merged["Pricebook2Id"], rows.merged["Product2Id"], strict=True)
    for place, (book, product) in enumerate(pairs):
        if book in standard:
            priced.add(product)
        elif product not in priced:
            message = "Before creating a custom price, create a standard price."
            add_fault(rows.batch.faults, place, Fault("STANDARD_PRICE_NOT_DEFINED", message))
