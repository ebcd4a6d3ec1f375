"""How a row of an object is read to be shown: one statement and one plan per choice of fields, worked out once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.emulator.schema.rendering import Stored, component_names, compound_value, rest_value
from orgbridge.emulator.storage.tables import quote
from orgbridge.kit.json import JSON
from orgbridge.wire.fieldtypes import FieldType

#: Plans kept; when there are more, all are made anew.
_KEPT = 512


@dataclass(frozen=True, slots=True)
class RowView:
    """How to read a choice of an object's fields, and what each becomes."""

    #: Reads what `values` takes, and at last `IsDeleted`; the one parameter is the 18-character id.
    sql: str
    #: The fields' names, in the order of the columns.
    names: tuple[str, ...]
    #: What makes the value of a field that is not shown as it is stored, by its name.
    made: tuple[tuple[str, Callable[[Sequence[Stored]], JSON]], ...]

    def values(self, columns: Sequence[Stored]) -> dict[str, JSON]:
        """Return values by API name."""
        shown: dict[str, JSON] = dict(zip(self.names, columns, strict=False))
        for name, make in self.made:
            shown[name] = make(columns)
        return shown


class RowViews:
    """The plans of an org. Safe to use from any thread: two that make the same plan make equal ones."""

    def __init__(self) -> None:
        # The object is part of the value so that its identity, which is part of the key, cannot go to another one.
        self._known: dict[tuple[int, tuple[str, ...] | None], tuple[SObject, RowView]] = {}

    def view(self, target: SObject, fields: Iterable[str] | None) -> RowView:
        """Return how to read the named fields, or all of them; `Id` is added when it is not among them.

        Raises:
            SFError: 400 INVALID_FIELD, the object has no such field.
        """
        names = None if fields is None else tuple(fields)
        key = (id(target), names)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[key] = (target, _plan(target, names))
        return found[1]


def _plan(target: SObject, names: tuple[str, ...] | None) -> RowView:
    wanted = list(target.fields) if names is None else [_field(target, name) for name in names]
    if not any(field.type is FieldType.ID for field in wanted):
        wanted.append(_field(target, "Id"))
    fields = {field.name: field for field in wanted}
    columns = [_shown(field) if field.is_stored else "NULL" for field in fields.values()]
    made = []
    for place, field in enumerate(fields.values()):
        if not field.is_stored:
            # What a compound field is made of is read behind the fields themselves.
            parts = list(filter(None, map(target.field, component_names(target, field).values())))
            made.append((field.name, _compound(target, field, {f.name: len(columns) + n for n, f in enumerate(parts)})))
            columns += map(_shown, parts)
        elif field.type in (FieldType.BOOLEAN, FieldType.DATETIME):
            made.append((field.name, _value(field, place)))
    listed = ", ".join((*columns, "IsDeleted"))
    return RowView(f"SELECT {listed} FROM {quote(target.name)} WHERE Id = ?", tuple(fields), tuple(made))  # noqa: S608


def _value(field: Field, place: int) -> Callable[[Sequence[Stored]], JSON]:
    return lambda columns: rest_value(field, columns[place])


def _compound(target: SObject, field: Field, places: dict[str, int]) -> Callable[[Sequence[Stored]], JSON]:
    return lambda columns: compound_value(target, field, {name: columns[place] for name, place in places.items()})


def _field(sobject: SObject, name: str) -> Field:
    found = sobject.field(name)
    if found is None:
        raise SFError("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
    return found


def _shown(field: Field) -> str:
    """Return what is read of a column: of base64 only whether something is there, which may be very much."""
    return f"{quote(field.name)} IS NOT NULL" if field.type is FieldType.BASE64 else quote(field.name)
