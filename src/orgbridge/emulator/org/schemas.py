"""The objects of an org while it runs: made, changed and deleted through the control API, kept in the org's own file.

A change is one write transaction: nobody writes meanwhile, and every call after it sees the new objects. Methods
block: call them in threads.

Assumed: what is refused because of rows that are there already; a roll-up over rows that are there is computed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from orgbridge.emulator.org.duplicates import check_duplicate_rules
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.org.rollups import rollups, sum_up
from orgbridge.emulator.schema import changes
from orgbridge.emulator.schema.changes import OwnSchema
from orgbridge.emulator.schema.compact import SchemaError
from orgbridge.emulator.schema.loading import catalogue_from_json, standard_catalogue, standard_objects
from orgbridge.emulator.schema.merging import UnknownObjectError
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.emulator.storage import alterations
from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Connection, Storage
from orgbridge.emulator.storage.identities import identify
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON, dumps, loads
from orgbridge.wire.dates import bulk_datetime, parse_datetime
from orgbridge.wire.fieldtypes import TEXT_TYPES

#: When the objects of an org that never changed them were last changed, for Last-Modified. Assumed.
_BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
_SCHEMA, _CHANGED_AT = "schema", "schema_changed_at"
_SECOND = timedelta(seconds=1)
_Change = Callable[[Sequence[JSON], OwnSchema], OwnSchema]


def read_own(connection: Connection) -> OwnSchema:
    """Return what an org's file says of objects made while it ran."""
    text = get_meta(connection, _SCHEMA)
    return OwnSchema() if text is None else OwnSchema.read(loads(text))


def load_catalogue(storage: Storage, base: tuple[JSON, ...] | None) -> Catalogue:
    """Return the objects of an org: those that it begins with, and those of its file.

    Args:
        storage: The org's.
        base: What it begins with; None for the standard objects.

    Raises:
        UnknownObjectError: The file changes objects that the org does not begin with any more. Nothing was written.
    """
    with storage.write() as connection:
        own = read_own(connection)
        if base is None and own == OwnSchema():
            return standard_catalogue()
        try:
            return catalogue_from_json(
                identify(connection, changes.apply(base if base is not None else standard_objects(), own))
            )
        except SchemaError as error:
            raise UnknownObjectError(str(error)) from error


class Schemas:
    """Changes the objects of a running org.

    Args:
        org: The org.
        base: What it began with; None when its objects cannot be changed.
        clock: The time.
    """

    def __init__(self, org: Org, base: Sequence[JSON] | None, clock: Clock) -> None:
        self._org = org
        self._base = base
        self._clock = clock
        with org.storage.read() as connection:
            self._own = read_own(connection)
            self._changed_at = _read_changed(connection)
        self._objects: tuple[JSON, ...] = () if base is None else self._applied(self._own)

    @property
    def changed_at(self) -> datetime:
        """When an object last changed, in whole seconds; later than anything a caller was told before. No I/O."""
        return self._changed_at

    # -- reading -------------------------------------------------------------------------------------------------

    def told(self) -> list[JSON]:
        """Return the objects that have something custom, in short."""
        return [
            {
                "name": data["name"],
                "label": data["label"],
                "custom": bool(data.get("custom")),
                "madeHere": bool(data.get("madeHere")),
                "customFields": [field["name"] for field in data["fields"] if field.get("custom")],
            }
            for data in sorted(self._objects, key=lambda data: str(data["name"]))
            if data.get("custom") or any(field.get("custom") for field in data["fields"])
        ]

    def object_told(self, name: str) -> JSON:
        """Return an object in the form of the data files.

        Raises:
            SchemaError: There is none of that name.
        """
        return changes.find_object(self._objects, name)

    def field_told(self, sobject: str, name: str) -> JSON:
        """Return a field in the form of the data files.

        Raises:
            SchemaError: There is no such object or field.
        """
        return changes.find_field(self.object_told(sobject), name)

    # -- changing ------------------------------------------------------------------------------------------------

    def make_objects(self, bodies: Sequence[JSON]) -> list[JSON]:
        """Make objects, all or none, and return them; later ones may refer to earlier ones.

        Raises:
            SchemaError: One would be none. Nothing was changed.
        """
        made: list[str] = []

        def change(objects: Sequence[JSON], own: OwnSchema) -> OwnSchema:
            for body in bodies:
                own, name = changes.make_object(objects, own, body)
                objects = changes.apply(self._base or (), own)
                made.append(name)
            return own

        self._change(change)
        return [self.object_told(name) for name in made]

    def change_object(self, name: str, body: JSON) -> JSON:
        """Change labels or record types of an object and return it.

        Raises:
            SchemaError: It would be none. Nothing was changed.
        """
        self._change(lambda objects, own: changes.change_object(objects, own, name, body))
        return self.object_told(name)

    def drop_object(self, name: str) -> None:
        """Delete an object with its rows.

        Raises:
            SchemaError: There is none, or something needs it. Nothing was changed.
        """
        self._change(lambda objects, own: changes.drop_object(objects, own, name))

    def make_fields(self, sobject: str, bodies: Sequence[JSON]) -> list[JSON]:
        """Add fields to an object, all or none, and return them.

        Raises:
            SchemaError: One would be none. Nothing was changed.
        """
        made: list[str] = []

        def change(objects: Sequence[JSON], own: OwnSchema) -> OwnSchema:
            for body in bodies:
                own, name = changes.make_field(objects, own, sobject, body)
                objects = changes.apply(self._base or (), own)
                made.append(name)
            return own

        self._change(change)
        return [self.field_told(sobject, name) for name in made]

    def change_field(self, sobject: str, name: str, body: JSON) -> JSON:
        """Change a field and return it.

        Raises:
            SchemaError: It would be none, or rows that are there do not fit it. Nothing was changed.
        """
        self._change(lambda objects, own: changes.change_field(objects, own, sobject, name, body))
        return self.field_told(sobject, name)

    def drop_field(self, sobject: str, name: str) -> None:
        """Delete a field with its values.

        Raises:
            SchemaError: There is none, or something needs it. Nothing was changed.
        """
        self._change(lambda objects, own: changes.drop_field(objects, own, sobject, name))

    # -- another file --------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Take up the objects of the org's file after it was exchanged; make the tables that it lacks."""
        org = self._org
        with org.storage.write() as connection:
            own = read_own(connection)
            objects = () if self._base is None else self._identified(connection, own)
            if own != self._own or objects != self._objects:
                self._own, self._objects = own, objects
                self._changed_at = self._next_instant()
                set_meta(connection, _CHANGED_AT, bulk_datetime(self._changed_at))
                org.use(catalogue_from_json(objects), connection)
        org.storage.migrate(org.catalogue)

    # -- how -----------------------------------------------------------------------------------------------------

    def _applied(self, own: OwnSchema) -> tuple[JSON, ...]:
        with self._org.storage.write() as connection:
            return self._identified(connection, own)

    def _identified(self, connection: Connection, own: OwnSchema) -> tuple[JSON, ...]:
        return identify(connection, changes.apply(self._base or (), own))

    def _next_instant(self) -> datetime:
        now = self._clock.now()
        whole = now.replace(microsecond=0)
        return max(whole if whole == now else whole + _SECOND, self._changed_at + _SECOND)

    def _change(self, change: _Change) -> None:
        if self._base is None:
            raise SchemaError("the objects of this org were given by the program that runs it")
        org = self._org
        with org.storage.write() as connection:
            own = change(self._objects, self._own)
            objects = self._identified(connection, own)
            before, after = org.catalogue, catalogue_from_json(objects)
            try:
                check_duplicate_rules(after, org.policies.duplicate_rules)
            except UnknownObjectError as error:
                raise SchemaError(str(error)) from error
            _check_rows(connection, before, after)
            alterations.alter_tables(connection, before, after)
            _compute_new_summaries(connection, before, after)
            changed_at = self._next_instant()
            set_meta(connection, _SCHEMA, dumps(own.told()).decode())
            set_meta(connection, _CHANGED_AT, bulk_datetime(changed_at))
            for sobject in before.sobjects():
                if after.sobject(sobject.name) is None and after.sobject("RecordType") is not None:
                    connection.execute('DELETE FROM "RecordType" WHERE SobjectType = ?', (sobject.name,))
            org.use(after, connection)
            self._own, self._objects, self._changed_at = own, objects, changed_at


def _read_changed(connection: Connection) -> datetime:
    text = get_meta(connection, _CHANGED_AT)
    return (parse_datetime(text) if text else None) or _BEGINNING


def _check_rows(connection: Connection, before: Catalogue, after: Catalogue) -> None:
    """Refuse changes that rows which are there do not fit.

    Raises:
        SchemaError: Some do not.
    """
    for sobject in after.sobjects():
        known = before.sobject(sobject.name)
        if known is None or known.stored_fields == sobject.stored_fields:
            continue
        for field in sobject.stored_fields:
            was = known.field(field.name)
            if was is None:
                _check_new(connection, known, field)
            elif was != field:
                _check_changed(connection, known, was, field)


def _check_new(connection: Connection, sobject: SObject, field: Field) -> None:
    if field.relationship_order is not None and alterations.row_count(connection, sobject):
        raise SchemaError(f"{field.name}: rows of {sobject.name} would be without a master; delete them first, or "
                          "make a lookup")  # fmt: skip


def _check_changed(connection: Connection, sobject: SObject, was: Field, field: Field) -> None:
    place = f"{sobject.name}.{field.name}"
    kind = (was.type, was.auto_number, was.calculated, was.html_formatted)
    if kind != (field.type, field.auto_number, field.calculated, field.html_formatted):
        count = alterations.value_count(connection, sobject, was)
        if field.type.value == "boolean" or was.type.value == "boolean" or "location" in (was.type, field.type):
            raise SchemaError(f"{place}: a field of type {was.type} does not become one of type {field.type}")
        if count:
            raise SchemaError(f"{place}: {count} rows hold values of type {was.type}; the type stays")
    if field.type in TEXT_TYPES and field.length < was.length:
        longest = alterations.longest_value(connection, sobject, was)
        if longest > field.length:
            raise SchemaError(f"{place}: a row holds {longest} characters, more than {field.length}")
    folds = was.unique and was.case_sensitive and not field.case_sensitive
    if field.unique and (not was.unique or folds):
        value = alterations.repeated_value(connection, sobject, field)
        if value is not None:
            raise SchemaError(f"{place} cannot become unique: several rows hold {value!r}")


def _compute_new_summaries(connection: Connection, before: Catalogue, after: Catalogue) -> None:
    for name, summaries in after.summaries.items():
        for parent, field in summaries:
            known = before.sobject(parent)
            was = None if known is None else known.field(field.name)
            if known is None or (was is not None and was.summary == field.summary):
                continue
            ids = {str(row[0]) for row in connection.execute(f'SELECT Id FROM "{parent}"')}  # noqa: S608 a name of the catalogue
            found = [rollup for rollup in rollups(after, name) if (rollup.parent, rollup.total) == (parent, field.name)]
            sum_up(connection, name, found, ids)
