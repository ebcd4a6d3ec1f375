"""The demo's own proof: what came back is compared with what was made, row by row, in constant memory."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orgbridge.cli.demo.accounts import COLUMNS, EXISTING_ID, FAULT_CODES, Account, Accounts, Fault

#: The columns that a results file puts before the original ones.
PREFIX = (
    "ob__line",
    "ob__status",
    "sf__Id",
    "sf__Created",
    "ob__error_code",
    "ob__error_message",
    "ob__error_fields",
    "ob__attempt",
    "ob__match",
)
ORG_COLUMNS = ("Id", "External_Id__c", "Name", "BillingStreet")
_EXAMPLES = 3
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    #: What was claimed, in words for people.
    claim: str
    #: Whether it holds.
    holds: bool
    #: Figures, or the first places where it does not hold.
    detail: str = ""


@dataclass(slots=True)
class Ledger:
    """What the results file says of every row, small enough for any number of rows.

    One byte per row tells whether it succeeded and how often the org was then seen to hold it. The pairs of external
    id and Salesforce id are kept as the sum of their hashes, which does not depend on the order.
    """

    seen: bytearray
    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    pairs: int = 0
    #: Rows in whose place the next one, with the same external id, went first; see `check_results`.
    yielded: set[int] = field(default_factory=set)


def _pair(external_id: str, record_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{external_id}\0{record_id}".encode(), digest_size=8).digest())


def _records(path: Path, encoding: str = "utf-8-sig") -> Iterator[tuple[list[str], bytes]]:
    """Yield each record of a CSV as cells and as the bytes it was read from."""
    taken: list[bytes] = []

    def lines() -> Iterator[str]:
        with path.open("rb") as file:
            for number, line in enumerate(file):
                taken.append(line)
                yield line.decode(encoding if number == 0 else "utf-8")

    for cells in csv.reader(lines(), strict=True):
        raw = b"".join(taken)
        taken.clear()
        yield cells, raw


def _list(places: list[str], count: int) -> str:
    more = f" and {count - len(places):,} more" if count > len(places) else ""
    return "; ".join(places) + more


class _Misses:
    """Counts rows that break a claim and remembers the first few."""

    def __init__(self) -> None:
        self.count = 0
        self._places: list[str] = []

    def add(self, place: str) -> None:
        self.count += 1
        if len(self._places) < _EXAMPLES:
            self._places.append(place)

    def check(self, claim: str, detail: str) -> Check:
        return Check(
            claim=claim, holds=self.count == 0, detail=_list(self._places, self.count) if self.count else detail
        )


def check_results(accounts: Accounts, path: Path, *, locks: bool = False) -> tuple[Ledger, list[Check]]:
    """Compare the results file with the input: every row once, in order, unaltered, with the outcome that it must have.

    Args:
        accounts: The input.
        path: Results of kind `all`.
        locks: Rows met locks and went again later: of two with one external id the second may then have gone first.
            Still exactly one of them succeeds.
    """
    ledger = Ledger(seen=bytearray(accounts.rows))
    order, altered, outcomes = _Misses(), _Misses(), _Misses()
    records = _records(path)
    header = next(records, ([], b""))[0]
    if tuple(header) != PREFIX + COLUMNS:
        order.add(f"the header is {','.join(header)}")
    width = len(PREFIX)
    line = 2
    rows = 0
    for account in accounts.accounts():
        cells, raw = next(records, ([], b""))
        if len(cells) != width + len(COLUMNS):
            order.add(f"row {account.row + 1} is missing or broken")
            if not cells:
                break
            continue
        rows += 1
        if cells[0] != str(line):
            order.add(f"row {account.row + 1} says line {cells[0]}, it is line {line}")
        if not raw.endswith(account.record):
            altered.add(f"line {line} differs from the input")
        _enter(ledger, accounts, account, cells, line, outcomes, locks=locks)
        line += account.record.count(b"\n")
    surplus = sum(1 for _ in records)
    if surplus:
        order.add(f"{surplus:,} records follow the last row")
    return ledger, [
        order.check("results hold every row once, in the input's order", f"{rows:,} rows"),
        altered.check("the original bytes of every row are unaltered", f"{rows:,} rows"),
        outcomes.check(
            "exactly the wrong rows failed, each with its own code",
            f"{ledger.statuses['failed']:,} failures in {len([c for c in accounts.fault_counts.values() if c])} ways",
        ),
    ]


def _enter(
    ledger: Ledger,
    accounts: Accounts,
    account: Account,
    cells: list[str],
    line: int,
    outcomes: _Misses,
    *,
    locks: bool,
) -> None:
    status, record_id, code = cells[1], cells[2], cells[4]
    ledger.statuses[status] += 1
    row, fault = account.row, account.fault
    twin_of = row - 1 if fault is Fault.DUPLICATE_IN_FILE and row - 1 in ledger.yielded else None
    if status == "succeeded":
        ledger.seen[row if twin_of is None else twin_of] = 1
        ledger.pairs = (ledger.pairs + _pair(account.external_id, record_id)) & _MASK
    else:
        ledger.codes[code] += 1
    told = f"{status} ({code or 'no code'}: {cells[5]})"
    if fault is None or twin_of is not None:
        if status == "succeeded":
            return
        twin = fault is None and row + 1 < accounts.rows and accounts.fault(row + 1) is Fault.DUPLICATE_IN_FILE
        if locks and twin and (status, code) == ("failed", FAULT_CODES[Fault.DUPLICATE_IN_FILE]):
            ledger.yielded.add(row)
        else:
            outcomes.add(f"line {line} is right and is {told}")
    elif status != "failed" or code != FAULT_CODES[fault]:
        outcomes.add(f"line {line} has {fault.value} and is {told}")


def check_org(accounts: Accounts, ledger: Ledger, path: Path) -> list[Check]:
    """Compare what the org holds with what the results file says.

    Args:
        accounts: The input.
        ledger: Of `check_results`; its marks are used up.
        path: The org's accounts as CSV with `ORG_COLUMNS`.
    """
    missing, twice, altered = _Misses(), _Misses(), _Misses()
    strange, pairs, rows, multiline = _Misses(), 0, 0, 0
    records = _records(path)
    header = next(records, ([], b""))[0]
    if tuple(header) != ORG_COLUMNS:
        strange.add(f"the query's header is {','.join(header)}")
    for cells, _ in records:
        if len(cells) != len(ORG_COLUMNS):
            strange.add(f"a record of {len(cells)} cells")
            continue
        record_id, external_id, name, street = cells
        if external_id == EXISTING_ID:
            continue
        rows += 1
        row = accounts.row_of(external_id)
        if row is None or row >= accounts.rows or not ledger.seen[row]:
            strange.add(f"{external_id or record_id} is in the org and is not among the succeeded rows")
            continue
        if ledger.seen[row] == 2:
            twice.add(f"{external_id} is there twice")
            continue
        ledger.seen[row] = 2
        pairs = (pairs + _pair(external_id, record_id)) & _MASK
        expected = accounts.account(row + 1 if row in ledger.yielded else row)
        if name != expected.name or street != expected.street:
            altered.add(f"{external_id} holds {name!r}, {street!r}")
        multiline += "\n" in street
    absent = ledger.seen.count(1)
    if absent:
        missing.add(f"{absent:,} succeeded rows are not in the org")
    elif pairs != ledger.pairs and not (strange.count or twice.count):
        missing.add("an id in the results file is not the id in the org")
    return [
        missing.check("every succeeded row is in the org, under the id reported", f"{rows:,} accounts"),
        strange.check("the org holds nothing else", ""),
        twice.check("no row is there twice", ""),
        altered.check("names and addresses arrived unaltered", f"{multiline:,} with line breaks"),
    ]
