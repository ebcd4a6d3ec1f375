"""What became of each record of a call, and how values are written in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, overload

from orgbridge.emulator.schema.errors import Fault


class ValueMode(StrEnum):
    """How the values of a record are written."""

    #: JSON values; null clears a field, a key that is not there leaves it alone.
    JSON = "json"
    #: Cells of CSV; `#N/A` clears a field, an empty cell leaves it alone.
    CSV = "csv"


class Missing:
    """The kind of the one value that stands for "leave this field alone"."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


#: A field that the record says nothing about.
MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class SaveOutcome:
    """What became of one record."""

    #: Its id; None when there is none, e.g. after a failed insert.
    id: str | None
    #: True when the record is new.
    created: bool
    #: True when it was saved.
    success: bool
    #: What was wrong with it.
    errors: tuple[Fault, ...] = ()


class Inserted(Sequence[SaveOutcome]):
    """The outcomes of records that are all new and saved: made when somebody looks at them one by one."""

    def __init__(self, ids: Sequence[str]) -> None:
        #: The records' ids, in their order.
        self.ids = ids

    def __len__(self) -> int:
        """Return how many records there are."""
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> SaveOutcome: ...

    @overload
    def __getitem__(self, place: slice) -> Inserted: ...

    def __getitem__(self, place: int | slice) -> SaveOutcome | Inserted:
        """Return one outcome, or those of some of the records."""
        if isinstance(place, slice):
            return Inserted(self.ids[place])
        return SaveOutcome(self.ids[place], True, True)


def failed(record_id: str | None, *faults: Fault) -> SaveOutcome:
    """Return the outcome of a record that was not saved."""
    return SaveOutcome(record_id, False, False, faults)


#: What the sound records of an all-or-none call get when another one is not. Source: composite.md section 5.
ROLLED_BACK = Fault(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
