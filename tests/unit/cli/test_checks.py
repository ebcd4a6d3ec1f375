"""The demo's proof must fail when anything is lost, doubled, altered, moved or misreported."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from orgbridge.cli.demo.accounts import COLUMNS, EXISTING_ID, FAULT_CODES, Account, Accounts, Fault
from orgbridge.cli.demo.checks import ORG_COLUMNS, PREFIX, check_org, check_results

_ROWS = 900

Records = list[bytes]


def _record_id(row: int) -> str:
    return f"001{row:012d}AAA"


def _results(accounts: Accounts) -> Records:
    """Return the records of a right results file, header first."""
    records = [(",".join(PREFIX + COLUMNS) + "\r\n").encode()]
    line = 2
    for account in accounts.accounts():
        if account.fault is None:
            prefix = f"{line},succeeded,{_record_id(account.row)},true,,,,1,exact,"
        else:
            prefix = f'{line},failed,,,{FAULT_CODES[account.fault]},"no, thanks",,1,exact,'
        records.append(prefix.encode() + account.record)
        line += account.record.count(b"\n")
    return records


def _org(accounts: Accounts) -> list[list[str]]:
    """Return what a right org holds, in no particular order."""
    held = [
        [_record_id(account.row), account.external_id, account.name, account.street]
        for account in accounts.accounts()
        if account.fault is None
    ]
    return [*reversed(held), ["001EXISTING000001", EXISTING_ID, "Already there", ""]]


def _write_org(path: Path, rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(ORG_COLUMNS)
    writer.writerows(rows)
    path.write_bytes(out.getvalue().encode())


def _verdict(tmp_path: Path, results: Records, org: list[list[str]], *, locks: bool = False) -> dict[str, bool]:
    accounts = Accounts(_ROWS)
    (tmp_path / "results.csv").write_bytes(b"".join(results))
    _write_org(tmp_path / "org.csv", org)
    ledger, checks = check_results(accounts, tmp_path / "results.csv", locks=locks)
    checks += check_org(accounts, ledger, tmp_path / "org.csv")
    return {check.claim: check.holds for check in checks}


def test_right_files_pass(tmp_path: Path) -> None:
    """Everything holds when results and org are as they must be."""
    accounts = Accounts(_ROWS)
    verdict = _verdict(tmp_path, _results(accounts), _org(accounts))
    assert len(verdict) == 7
    assert all(verdict.values()), verdict


def _swap(records: Records) -> None:
    records[5], records[6] = records[6], records[5]


def _alter(records: Records) -> None:
    records[5] = records[5].replace(b"https://www.", b"http://www.")


def _turn(records: Records) -> None:
    row = next(index for index, record in enumerate(records) if b",failed," in record)
    records[row] = records[row].replace(b",failed,,", b",succeeded,001999999999999AAA,", 1)


@pytest.mark.parametrize(
    ("damage", "claim"),
    [
        (lambda records: records.pop(), "results hold every row once, in the input's order"),
        (lambda records: records.append(records[-1]), "results hold every row once, in the input's order"),
        (_swap, "the original bytes of every row are unaltered"),
        (_alter, "the original bytes of every row are unaltered"),
        (_turn, "exactly the wrong rows failed, each with its own code"),
    ],
    ids=["row lost", "row added", "rows swapped", "cell altered", "failure hidden"],
)
def test_damaged_results_are_found(damage: Callable[[Records], None], claim: str, tmp_path: Path) -> None:
    """Each kind of damage to the results file breaks the claim that it contradicts."""
    accounts = Accounts(_ROWS)
    records = _results(accounts)
    damage(records)
    assert _verdict(tmp_path, records, _org(accounts))[claim] is False


def _lose(rows: list[list[str]]) -> None:
    rows.pop(3)


def _double(rows: list[list[str]]) -> None:
    rows.append(list(rows[3]))


def _add(rows: list[list[str]]) -> None:
    rows.append(["001999999999999AAA", "ACC-09999999", "Strange", ""])


def _soften(rows: list[list[str]]) -> None:
    row = next(row for row in rows if "\r\n" in row[3])
    row[3] = row[3].replace("\r\n", "\n")


def _exchange(rows: list[list[str]]) -> None:
    rows[3][0], rows[4][0] = rows[4][0], rows[3][0]


@pytest.mark.parametrize(
    ("damage", "claim"),
    [
        (_lose, "every succeeded row is in the org, under the id reported"),
        (_double, "no row is there twice"),
        (_add, "the org holds nothing else"),
        (_soften, "names and addresses arrived unaltered"),
        (_exchange, "every succeeded row is in the org, under the id reported"),
    ],
    ids=["lost", "doubled", "strange", "line break altered", "ids exchanged"],
)
def test_damaged_org_is_found(damage: Callable[[list[list[str]]], None], claim: str, tmp_path: Path) -> None:
    """Each kind of damage to the org breaks the claim that it contradicts."""
    accounts = Accounts(_ROWS)
    rows = _org(accounts)
    damage(rows)
    assert _verdict(tmp_path, _results(accounts), rows)[claim] is False


_OUTCOMES = "exactly the wrong rows failed, each with its own code"


def _twin(accounts: Accounts) -> int:
    """Return a row that carries the external id of the one before."""
    return next(row for row in range(_ROWS) if accounts.fault(row) is Fault.DUPLICATE_IN_FILE)


def _told(record: bytes, account: Account, succeeded: bool) -> bytes:
    line = record.split(b",", 1)[0].decode()
    outcome = f"succeeded,{_record_id(account.row)},true,,," if succeeded else "failed,,,DUPLICATE_VALUE,twice,"
    return f"{line},{outcome},1,exact,".encode() + account.record


@pytest.mark.parametrize(
    ("first", "second", "locks", "holds"),
    [(False, True, True, True), (True, True, True, False), (False, False, True, False), (False, True, False, False)],
    ids=["second went first", "both", "neither", "second without locks"],
)
def test_of_twins_one_succeeds(first: bool, second: bool, locks: bool, holds: bool, tmp_path: Path) -> None:
    """Where rows met locks, either of two rows with one external id may be in the org, but never both or neither."""
    accounts = Accounts(_ROWS)
    row = _twin(accounts)
    records, org = _results(accounts), _org(accounts)
    # The header goes first.
    records[row] = _told(records[row], accounts.account(row - 1), first)
    records[row + 1] = _told(records[row + 1], accounts.account(row), second)
    if second and not first:
        held = next(cells for cells in org if cells[1] == accounts.external_id(row - 1))
        twin = accounts.account(row)
        held[:] = [_record_id(row), twin.external_id, twin.name, twin.street]
    verdict = _verdict(tmp_path, records, org, locks=locks)
    assert verdict[_OUTCOMES] is holds
    assert not holds or all(verdict.values()), verdict
