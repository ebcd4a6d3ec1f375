"""The demo's input: a CSV of accounts that looks like a real export, the same bytes for the same seed.

Row `n` is a pure function of the seed and `n`, so whoever checks a load can ask for any row again, in any order,
without keeping the file in memory. One row in a hundred is wrong, in turn in each way of `Fault`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from orgbridge.cli.demo.names import ACCURACIES, CITIES, INDUSTRIES, LEGAL_FORMS, SECOND_LINES, STEMS, STREETS, TRADES

COLUMNS = (
    "External_Id__c",
    "Name",
    "Phone",
    "Website",
    "Industry",
    "AnnualRevenue",
    "NumberOfEmployees",
    "BillingStreet",
    "BillingPostalCode",
    "BillingCity",
    "BillingCountry",
    "BillingGeocodeAccuracy",
    "ParentId",
)
HEADER = b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n"
#: One row of each run of so many is wrong.
FAULT_EVERY = 100
#: Rows joined into one block of bytes.
_BLOCK_ROWS = 2_000
#: The external id of the account that the demo creates before the load; rows that carry it must be refused.
EXISTING_ID = "ACC-EXISTING"
_MASK = (1 << 64) - 1


class Fault(StrEnum):
    """What is wrong with a row. The values are words for people."""

    MISSING_NAME = "no Name"
    NAME_TOO_LONG = "Name of 300 characters"
    BAD_NUMBER = "text in AnnualRevenue"
    NUMBER_TOO_BIG = "NumberOfEmployees beyond an int"
    DUPLICATE_IN_FILE = "external id of the row before"
    DUPLICATE_IN_ORG = "external id that the org holds"
    BAD_PICKLIST = "unknown value of a restricted picklist"
    MISSING_PARENT = "ParentId of no account"
    MALFORMED_PARENT = "ParentId that is no id"


#: The code that Salesforce answers to each fault. Source: facts/salesforce/errors.md section 2.
FAULT_CODES: dict[Fault, str] = {
    Fault.MISSING_NAME: "REQUIRED_FIELD_MISSING",
    Fault.NAME_TOO_LONG: "STRING_TOO_LONG",
    Fault.BAD_NUMBER: "INVALID_TYPE_ON_FIELD_IN_RECORD",
    Fault.NUMBER_TOO_BIG: "NUMBER_OUTSIDE_VALID_RANGE",
    Fault.DUPLICATE_IN_FILE: "DUPLICATE_VALUE",
    Fault.DUPLICATE_IN_ORG: "DUPLICATE_VALUE",
    Fault.BAD_PICKLIST: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    Fault.MISSING_PARENT: "INVALID_CROSS_REFERENCE_KEY",
    Fault.MALFORMED_PARENT: "MALFORMED_ID",
}
_FAULTS = tuple(Fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One row of the file, as it is expected to arrive."""

    #: 0-based.
    row: int
    external_id: str
    name: str
    street: str
    #: The record's bytes with its line ending.
    record: bytes
    #: None when the org must take the row.
    fault: Fault | None


def _mix(number: int) -> int:
    """Return 64 well-mixed bits of a number (the finaliser of splitmix64)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def _cell(value: str) -> str:
    """Return the value as a CSV cell, quoted only where it must be."""
    if '"' in value or "," in value or "\n" in value:
        return '"' + value.replace('"', '""') + '"'
    return value


class Accounts:
    """A file of accounts, generated on demand.

    Args:
        rows: How many records follow the header.
        seed: Any number; another one gives another file.
    """

    def __init__(self, rows: int, seed: int = 2026) -> None:
        self.rows = rows
        self.seed = seed
        self._salt = _mix(seed)
        self._names = [
            (name, _cell(name))
            for stem in STEMS
            for trade in TRADES
            for legal in LEGAL_FORMS
            for name in (f"{stem} {trade} {legal}",)
        ]
        self._streets = [(street, _cell(street)) for street in STREETS]
        self._slugs = [f"{index:03x}" for index in range(4096)]

    def fault(self, row: int) -> Fault | None:
        """Return what is wrong with a row, None for a good one.

        The offset within the hundred is never 0, so that the row before lies in the same hundred and is a good one,
        and hence in the same part: parts hold multiples of 10,000 rows.
        """
        block, offset = divmod(row, FAULT_EVERY)
        if offset != 1 + _mix(self._salt ^ (block + 0x5EED)) % (FAULT_EVERY - 1):
            return None
        return _FAULTS[block % len(_FAULTS)]

    @cached_property
    def fault_counts(self) -> dict[Fault, int]:
        """Rows that are wrong in each way; 0 for a way that the file is too short for."""
        counts = dict.fromkeys(_FAULTS, 0)
        for block in range((self.rows + FAULT_EVERY - 1) // FAULT_EVERY):
            row = block * FAULT_EVERY + 1 + _mix(self._salt ^ (block + 0x5EED)) % (FAULT_EVERY - 1)
            if row < self.rows:
                counts[_FAULTS[block % len(_FAULTS)]] += 1
        return counts

    @staticmethod
    def external_id(row: int) -> str:
        """Return the external id that a good row carries."""
        return f"ACC-{row:08d}"

    @staticmethod
    def row_of(external_id: str) -> int | None:
        """Return the row that an external id belongs to, None when it is not one of the file's."""
        digits = external_id[4:]
        return int(digits) if external_id.startswith("ACC-") and digits.isdecimal() else None

    def account(self, row: int) -> Account:
        """Return one row."""
        bits = _mix(self._salt ^ row)
        name, name_cell = self._names[bits % len(self._names)]
        street, street_cell = self._streets[(bits >> 16) % len(self._streets)]
        house = 1 + (bits >> 28) % 199
        second = SECOND_LINES[(bits >> 36) % len(SECOND_LINES)]
        if second:
            street = f"{street} {house}\r\n{second}"
            street_cell = _cell(street)
        elif street_cell is street:
            street = street_cell = f"{street} {house}"
        else:
            street = f"{street} {house}"
            street_cell = _cell(street)
        postal, city, country = CITIES[(bits >> 40) % len(CITIES)]
        external_id = self.external_id(row)
        revenue = str((bits >> 20) % 900_000_000)
        employees = str(1 + (bits >> 44) % 20_000)
        accuracy = ACCURACIES[(bits >> 4) % len(ACCURACIES)]
        parent = ""
        fault = self.fault(row)
        if fault is not None:
            match fault:
                case Fault.MISSING_NAME:
                    name = name_cell = ""
                case Fault.NAME_TOO_LONG:
                    name = name_cell = "Über" * 75
                case Fault.BAD_NUMBER:
                    revenue = "about 3 million"
                case Fault.NUMBER_TOO_BIG:
                    employees = "99999999999"
                case Fault.DUPLICATE_IN_FILE:
                    external_id = self.external_id(row - 1)
                case Fault.DUPLICATE_IN_ORG:
                    external_id = EXISTING_ID
                case Fault.BAD_PICKLIST:
                    accuracy = "Roughly"
                case Fault.MISSING_PARENT:
                    parent = "001000000000ZZZ"
                case Fault.MALFORMED_PARENT:
                    parent = "parent-4711"
        record = (
            f"{external_id},{name_cell},+{1 + bits % 98} {(bits >> 8) % 9_000_000 + 1_000_000},"
            f"https://www.acc{self._slugs[(bits >> 12) & 4095]}.example,{INDUSTRIES[(bits >> 24) % len(INDUSTRIES)]},"
            f"{revenue},{employees},{street_cell},{postal},{city},{country},{accuracy},{parent}\r\n"
        )
        return Account(row=row, external_id=external_id, name=name, street=street, record=record.encode(), fault=fault)

    def accounts(self) -> Iterator[Account]:
        """Yield every row in the file's order."""
        return map(self.account, range(self.rows))

    def blocks(self) -> Iterator[bytes]:
        """Yield the file's bytes, header first, a few hundred kilobytes at a time."""
        yield HEADER
        for start in range(0, self.rows, _BLOCK_ROWS):
            yield b"".join(self.account(row).record for row in range(start, min(start + _BLOCK_ROWS, self.rows)))
