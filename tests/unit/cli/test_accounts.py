"""The demo's file: deterministic, well-formed, wrong exactly where it says."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter

import pytest

from orgbridge.cli.demo.accounts import COLUMNS, EXISTING_ID, FAULT_EVERY, HEADER, Accounts, Fault

_ROWS = 5_000


def test_same_seed_gives_same_bytes() -> None:
    """The file is a function of rows and seed; another seed gives another file."""
    digests = [hashlib.sha256(b"".join(Accounts(_ROWS, seed).blocks())).hexdigest() for seed in (1, 1, 2)]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_file_is_csv_that_says_what_the_rows_say() -> None:
    """A CSV reader sees a header and, in each record, the values that `account` names, line breaks included."""
    accounts = Accounts(_ROWS)
    content = b"".join(accounts.blocks())
    assert content.startswith(HEADER)
    records = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    assert tuple(records[0]) == COLUMNS
    assert len(records) == _ROWS + 1
    for account, cells in zip(accounts.accounts(), records[1:], strict=True):
        assert len(cells) == len(COLUMNS)
        assert (cells[0], cells[1], cells[7]) == (account.external_id, account.name, account.street)


def test_file_looks_like_an_export() -> None:
    """It has a BOM, only CRLF, text beyond ASCII, and quoted commas, quotes and line breaks."""
    content = b"".join(Accounts(_ROWS).blocks())
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\n") == content.count(b"\r\n") > _ROWS + 1
    assert not content.isascii()
    assert b'""' in content
    assert b", left" in content


def test_one_row_in_a_hundred_is_wrong_in_every_way() -> None:
    """The faults counted are the faults made, one per hundred rows, in at least six ways."""
    accounts = Accounts(_ROWS)
    made = Counter(account.fault for account in accounts.accounts() if account.fault)
    assert sum(made.values()) == _ROWS // FAULT_EVERY
    assert {fault: count for fault, count in accounts.fault_counts.items() if count} == made
    assert len(made) == len(Fault) >= 6


def test_duplicate_repeats_a_good_row_of_the_same_hundred() -> None:
    """A duplicate lies in the same part as the row that it repeats, which is a good one."""
    accounts = Accounts(_ROWS)
    for account in accounts.accounts():
        if account.fault is Fault.DUPLICATE_IN_FILE:
            before = accounts.account(account.row - 1)
            assert before.fault is None
            assert before.external_id == account.external_id
            assert account.row % FAULT_EVERY != 0


def test_external_ids_are_unique_but_for_the_duplicates() -> None:
    """No good row shares its external id with another good row."""
    good = [account.external_id for account in Accounts(_ROWS).accounts() if account.fault is None]
    assert len(set(good)) == len(good)
    assert EXISTING_ID not in good


@pytest.mark.parametrize("row", [0, 1, 4_999, 99_999_999])
def test_external_id_tells_its_row(row: int) -> None:
    """An external id leads back to its row."""
    assert Accounts.row_of(Accounts.external_id(row)) == row


@pytest.mark.parametrize("text", ["", "ACC-", EXISTING_ID, "ABC-00000001"])
def test_strange_external_id_tells_no_row(text: str) -> None:
    """What the generator did not make belongs to no row."""
    assert Accounts.row_of(text) is None
