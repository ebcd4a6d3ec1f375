"""Place Order: contracts and orders with their items out of nested records, all or nothing.

Source: facts/commerce/orders.md section 3. Assumed: the list of refusals; that a price book's entries must be of the
order's price book; that names of fields match without regard to case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orgbridge.emulator.org.org import Org
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import SObject
from orgbridge.emulator.schema.rendering import rest_value
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON
from orgbridge.wire.ids import to_18

#: Records of one request. Documented.
MOST_RECORDS = 2000
#: What stands below each object: name of the list, object, and the field that points up.
_BELOW = {
    "Contract": (("Orders", "Order", "ContractId"),),
    "Order": (("OrderItems", "OrderItem", "OrderId"),),
    "OrderItem": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """One call of Place Order."""

    #: The org.
    org: Org
    #: The open write transaction.
    connection: Connection
    #: Who places.
    user_id: str
    #: `/services/data/vXX.X`.
    base: str


@dataclass(slots=True, kw_only=True)
class Record:
    """A record with the records below it."""

    #: API name of its object.
    sobject: str
    #: Its own fields.
    fields: dict[str, JSON]
    #: Records below it, by the name of their list.
    below: dict[str, list[Record]]
    #: Its id once it is there.
    id: str | None = None


def parser_error(text: str) -> SFError:
    """Return the refusal of a body that is not what it should be."""
    return SFError("JSON_PARSER_ERROR", f"{text} at [line:1, column:1]", 400)


def read(org: Org, body: Mapping[str, JSON], top: str) -> Record:
    """Return the one record of a body, `{"order": [{…}]}`, with those below it.

    Raises:
        SFError: The body has another form, more than one top record, or too many records.
    """
    found = [(name, value) for name, value in body.items() if name.lower() == top.lower()]
    if len(found) != 1 or len(body) != 1:
        raise parser_error(f"The body must have the one property {top.lower()}")
    value = found[0][1]
    rows = value.get("records") if isinstance(value, Mapping) and "records" in value else value
    if isinstance(rows, Mapping):
        rows = [rows]
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], Mapping):
        raise parser_error(f"The body must have one {top}")
    record = _read_record(org, top, rows[0], depth=0)
    count = sum(1 for _ in walk(record))
    if count > MOST_RECORDS:
        raise SFError("LIMIT_EXCEEDED", f"A request takes {MOST_RECORDS} records at most, not {count}.", 400)
    return record


def _read_record(org: Org, name: str, given: Mapping[str, JSON], depth: int) -> Record:
    attributes = given.get("attributes")
    if isinstance(attributes, Mapping) and str(attributes.get("type", name)).lower() != name.lower():
        raise parser_error(f"The record must be of type {name}")
    sobject = org.sobject(name)
    lists = {label.lower(): (label, child) for label, child in _lists(org, sobject)}
    fields: dict[str, JSON] = {}
    below: dict[str, list[Record]] = {}
    for key, value in given.items():
        if key == "attributes":
            continue
        if key.lower() not in lists:
            if isinstance(value, Mapping | list):
                raise parser_error(f"Unrecognized relationship {key[:80]}")
            fields[key] = value
            continue
        label, child = lists[key.lower()]
        rows = value.get("records") if isinstance(value, Mapping) else value
        if value is None or rows is None:
            continue
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows) or depth > 2:
            raise parser_error(f"{label} must be a list of records")
        below[label] = [_read_record(org, child, row, depth + 1) for row in rows]
    return Record(sobject=sobject.name, fields=fields, below=below)


def _lists(org: Org, sobject: SObject) -> Iterator[tuple[str, str]]:
    """Yield what may stand below a record: its items, and custom objects one level deep. Documented."""
    if sobject.custom:
        return
    for label, child, _ in _BELOW.get(sobject.name, ()):
        yield label, child
    for relation in sobject.child_relationships:
        found = org.catalogue.sobject(relation.child)
        if relation.name and found is not None and found.custom:
            yield relation.name, found.name


def _pointer(org: Org, parent: str, label: str) -> str:
    for name, _, field in _BELOW.get(parent, ()):
        if name == label:
            return field
    relations = org.sobject(parent).child_relationships
    return next(relation.field for relation in relations if relation.name == label)


def walk(record: Record) -> Iterator[Record]:
    """Yield a record and all below it."""
    yield record
    for rows in record.below.values():
        for row in rows:
            yield from walk(row)


def field_of(record: Record, name: str) -> JSON:
    """Return a field of a record by its name in any case; None for none."""
    return next((value for key, value in record.fields.items() if key.lower() == name.lower()), None)


def place(sale: Sale, record: Record, parent: tuple[str, str] | None = None) -> None:
    """Save a record and all below it; every one gets its id.

    Args:
        sale: The call.
        record: What to save; one that has its id already is only gone through.
        parent: The field that points up, and the id above.

    Raises:
        SFError: One of them breaks a rule. The transaction is not to be kept.
    """
    if record.id is None:
        fields = dict(record.fields)
        if parent is not None:
            fields = {key: value for key, value in fields.items() if key.lower() != parent[0].lower()}
            fields[parent[0]] = parent[1]
        if record.sobject == "Order":
            _check_order(sale, record, fields)
        record.id = _insert(sale, record.sobject, fields)
    for label, rows in record.below.items():
        pointer = _pointer(sale.org, record.sobject, label)
        if record.sobject == "Order" and label == "OrderItems":
            _check_entries(sale, record.id, rows)
        for row in rows:
            place(sale, row, (pointer, record.id))


def _insert(sale: Sale, sobject: str, fields: dict[str, JSON]) -> str:
    if any(key.lower() == "id" for key in fields):
        raise SFError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", 400, ("Id",))
    outcome = sale.org.insert_in(sale.connection, sobject, [fields], user_id=sale.user_id)[0]
    if outcome.id is None or not outcome.success:
        raise SFError.from_fault(outcome.errors[0])
    return outcome.id


def _check_order(sale: Sale, record: Record, fields: Mapping[str, JSON]) -> None:
    """Hold the rules of a new order against it.

    Raises:
        SFError: It is no draft, or account (or contract) or price book are missing.
    """
    given = {key.lower(): value for key, value in fields.items()}
    missing = [name for name in ("EffectiveDate", "Status") if not given.get(name.lower())]
    if not given.get("accountid") and not given.get("contractid"):
        missing.append("AccountId")
    if not given.get("pricebook2id"):
        missing.append("Pricebook2Id")
    if missing:
        text = f"Required fields are missing: [{', '.join(missing)}]"
        raise SFError("REQUIRED_FIELD_MISSING", text, 400, missing)
    code = given.get("statuscode")
    if given["status"] != "Draft" or code not in (None, "Draft"):
        raise SFError("INVALID_STATUS", "A new order must have a status whose category is Draft.", 400, ("Status",))
    items = record.below.get("OrderItems", [])
    if any(str(key).lower() == "orderid" and value for item in items for key, value in item.fields.items()):
        raise SFError("INVALID_FIELD_FOR_INSERT_UPDATE", "The order of an item of a new order is the order.", 400)
    record.fields = {key: value for key, value in record.fields.items() if key.lower() != "statuscode"}


def _check_entries(sale: Sale, order_id: str, items: Sequence[Record]) -> None:
    """Hold the price book of an order against the entries of its items.

    Raises:
        SFError: An entry is missing, is not there, or is of another price book.
    """
    sql = f"SELECT Pricebook2Id FROM {quote('Order')} WHERE Id = ?"  # noqa: S608 the name is ours
    book = sale.connection.execute(sql, (order_id,)).fetchone()[0]
    for item in items:
        entry = field_of(item, "PricebookEntryId")
        if not entry:
            raise SFError(
                "REQUIRED_FIELD_MISSING", "Required fields are missing: [PricebookEntryId]", 400, ("PricebookEntryId",)
            )
        if not field_of(item, "Quantity"):
            raise SFError("REQUIRED_FIELD_MISSING", "Required fields are missing: [Quantity]", 400, ("Quantity",))
        found = sale.connection.execute(
            'SELECT Pricebook2Id, IsActive FROM "PricebookEntry" WHERE Id = ? AND IsDeleted = 0', (to_18(str(entry)),)
        ).fetchone()
        if found is None:
            text = f"invalid cross reference id: {str(entry)[:40]}"
            raise SFError("INVALID_CROSS_REFERENCE_KEY", text, 400, ("PricebookEntryId",))
        if found[0] != book:
            text = "The pricebook entry is in another pricebook than the one assigned to the order"
            raise SFError("FIELD_INTEGRITY_EXCEPTION", text, 400, ("PricebookEntryId",))
        if not found[1]:
            raise SFError("FIELD_INTEGRITY_EXCEPTION", "pricebook entry is inactive", 400, ("PricebookEntryId",))


def add_to(sale: Sale, record: Record, record_id: str) -> None:
    """Add what stands below a record of a body to a row that is there.

    Raises:
        SFError: The row is not there, the body would change it, or a new row breaks a rule. Nothing is to be kept.
    """
    found = sale.org.require_in(sale.connection, record.sobject, record_id)
    own = field_of(record, "Id")
    if own is not None and to_18(str(own)) != found:
        raise SFError("INVALID_ID_FIELD", "The Id of the body is another than that of the address.", 400)
    strange = [key for key in record.fields if key.lower() != "id"]
    if strange:
        # Documented: existing records are not updated.
        text = f"Existing records can't be updated: {', '.join(strange)[:200]}"
        raise SFError("INVALID_FIELD_FOR_INSERT_UPDATE", text, 400, strange)
    for below in (row for rows in record.below.values() for row in rows):
        for key in [key for key in below.fields if key.lower() in ("orderid", "contractid")]:
            if to_18(str(below.fields[key])) != found:
                raise SFError("INVALID_CROSS_REFERENCE_KEY", "The record is added to another parent.", 400, (key,))
            del below.fields[key]
    record.id = found
    place(sale, record)


def placed(sale: Sale, record: Record, *, whole: bool = True) -> dict[str, JSON]:
    """Return the reply to a sale: ids and attributes."""
    return _envelope(sale, [record], whole=whole)


def _envelope(sale: Sale, records: Sequence[Record], *, whole: bool) -> dict[str, JSON]:
    return {
        "totalSize": len(records),
        "done": True,
        "records": [_shown_record(sale, record, whole=whole) for record in records],
    }


def _shown_record(sale: Sale, record: Record, *, whole: bool) -> dict[str, JSON]:
    shown: dict[str, JSON] = {"attributes": {"type": record.sobject}}
    if whole:
        shown["attributes"]["url"] = f"{sale.base}/sobjects/{record.sobject}/{record.id}"
        shown["Id"] = record.id
    for label, rows in record.below.items():
        shown[label] = _envelope(sale, rows, whole=True)
    return shown


# -- reading -----------------------------------------------------------------------------------------------------


def load(sale: Sale, sobject: str, record_id: str, filters: Sequence[tuple[str, JSON]]) -> Record:
    """Return a row with the rows below it that pass the filters.

    Args:
        sale: The call.
        sobject: `Order` or `Contract`.
        record_id: The row.
        filters: Path such as `order.orderItems.Quantity` and the value wanted; all must hold.

    Raises:
        SFError: There is no such row, or a filter makes no sense.
    """
    found = sale.org.require_in(sale.connection, sobject, record_id)
    return _load(sale, sobject, found, [(path.split("."), value) for path, value in filters])


def _load(sale: Sale, sobject: str, record_id: str, filters: Sequence[tuple[list[str], JSON]]) -> Record:
    record = Record(sobject=sobject, fields={}, below={}, id=record_id)
    for label, child, pointer in _BELOW[sobject]:
        wanted = []
        for path, value in filters:
            if len(path) < 3 or path[0] != sobject.lower() or path[1] not in (label, label[0].lower() + label[1:]):
                raise SFError("INVALID_FIELD", f"The filter {'.'.join(path)[:100]} isn't valid.", 400)
            wanted.append(([child.lower(), *path[2:]], value))
        own = [(path[1], value) for path, value in wanted if len(path) == 2]
        deeper = [(path, value) for path, value in wanted if len(path) > 2]
        ids = _matching(sale, sale.org.sobject(child), pointer, record_id, own)
        record.below[label] = [_load(sale, child, one, deeper) for one in ids]
    return record


def _matching(
    sale: Sale, sobject: SObject, pointer: str, parent_id: str, filters: Sequence[tuple[str, JSON]]
) -> list[str]:
    tests, values = [f"{quote(pointer)} = ?", "IsDeleted = 0"], [parent_id]
    for name, value in filters:
        field = sobject.field(name)
        if field is None or not field.is_stored:
            raise SFError("INVALID_FIELD", f"No such column '{name[:80]}' on entity '{sobject.name}'.", 400)
        tests.append(f"{quote(field.name)} = ?")
        values.append(value)
    sql = f"SELECT Id FROM {quote(sobject.name)} WHERE {' AND '.join(tests)} ORDER BY Id"  # noqa: S608 names are known
    return [row[0] for row in sale.connection.execute(sql, values)]


def read_filter(text: str) -> JSON:
    """Return the value of a filter: a text in single quotes, a number, a truth, or a date as it is."""
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("\\'", "'").replace("\\\\", "\\")
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text


def with_fields(sale: Sale, record: Record, shown: dict[str, JSON]) -> dict[str, JSON]:
    """Add the fields of the rows to a reply, where the org's settings want them."""
    top = shown["records"][0] if "records" in shown else shown
    sobject = sale.org.sobject(record.sobject)
    names = [field for field in sobject.stored_fields if field.name != "Id"]
    columns = ", ".join(quote(field.name) for field in names)
    sql = f"SELECT {columns} FROM {quote(sobject.name)} WHERE Id = ?"  # noqa: S608 names come from the catalogue
    row = sale.connection.execute(sql, (record.id,)).fetchone()
    top |= {field.name: rest_value(field, value) for field, value in zip(names, row, strict=True)}
    for label, rows in record.below.items():
        for one, below in zip(top[label]["records"], rows, strict=True):
            with_fields(sale, below, one)
    return shown
