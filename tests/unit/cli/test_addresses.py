"""Where commands find their service."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from orgbridge.cli.addresses import Address, read_address, write_address
from orgbridge.cli.errors import NotSignedIn, UsageError


def test_written_address_is_read_back(tmp_path: Path) -> None:
    """What `up` writes the other commands read, and nobody else can."""
    address = Address(url="http://127.0.0.1:8000", token="t", prefix="/api/v1")
    path = write_address(tmp_path / "data", address)
    assert read_address(url=None, token=None, folder=tmp_path / "data") == address
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_environment_goes_before_the_file(tmp_path: Path) -> None:
    """An address of the environment wins, without its trailing slash."""
    write_address(tmp_path, Address(url="http://file", token="file"))
    read = read_address(url="http://env/", token="env", folder=tmp_path)
    assert (read.url, read.token) == ("http://env", "env")


@pytest.mark.parametrize(
    ("url", "token", "named"), [(None, None, "ORGBRIDGE_URL"), ("http://x", None, "ORGBRIDGE_TOKEN")]
)
def test_missing_address_says_what_to_set(url: str | None, token: str | None, named: str, tmp_path: Path) -> None:
    """The message names the setting that is missing."""
    with pytest.raises(NotSignedIn, match=named):
        read_address(url=url, token=token, folder=tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff"])
def test_broken_file_is_told(content: bytes, tmp_path: Path) -> None:
    """A file that `up` did not write is named, not guessed at."""
    (tmp_path / "cli.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"cli\.json"):
        read_address(url=None, token=None, folder=tmp_path)
