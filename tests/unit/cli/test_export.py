"""`orgbridge export` against a real house: the file is proven, the exit code tells, a broken shell goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from orgbridge.cli.commands.export import FileDiffers, check_written, queried_object
from orgbridge.cli.errors import UsageError


def test_the_object_of_a_query_is_the_one_it_reads() -> None:
    """Written any way; what is no SOQL is bad usage."""
    assert queried_object("select Id from Account a where a.Name = 'from Contact'") == "Account"
    with pytest.raises(UsageError, match="no SOQL"):
        queried_object("SELECT FROM")


def test_a_file_that_differs_from_its_receipt_is_removed(tmp_path: Path) -> None:
    """Whoever reads the file later must not take it for the export."""
    path = tmp_path / "x.csv"
    path.write_bytes(b"half")
    with pytest.raises(FileDiffers):
        check_written(path, {"results": {"sha256": "00"}})
    assert not path.exists()
