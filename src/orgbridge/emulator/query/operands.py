"""What a condition, a sort key or a group compares: something with a value in each row, as SQL with a type."""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.emulator.query.scopes import Reference
from orgbridge.emulator.schema.model import Field
from orgbridge.wire.fieldtypes import FieldType


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """Something with a value in each row."""

    #: SQL of the value as stored.
    column: str
    #: SQL of what equality compares.
    key: str
    #: Type of the value.
    type: FieldType
    #: Name that messages use.
    name: str
    #: Where it stands in the query.
    position: int
    #: The field, when it is one.
    reference: Reference | None = None
    #: True when the key is stored as it is, so that an index may serve it.
    is_key_stored: bool = True
    #: True when upper and lower case differ.
    case_sensitive: bool = False
    #: True when only `<` and `>` may compare it.
    is_distance: bool = False

    @property
    def field(self) -> Field | None:
        """The field, when it is one."""
        return self.reference.field if self.reference else None

    def fold(self, text: str) -> str:
        """Return a text as the key would hold it."""
        return text if self.case_sensitive else text.casefold()


def field_operand(reference: Reference) -> Operand:
    """Return the operand that a field is."""
    field = reference.field
    return Operand(
        column=reference.column if field.is_stored else "NULL",
        key=reference.key if field.is_stored else "NULL",
        type=field.type,
        name=field.name,
        position=reference.position,
        reference=reference,
        is_key_stored=reference.has_key or not field.is_text,
        case_sensitive=field.case_sensitive,
    )
