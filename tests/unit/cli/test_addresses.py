"""Where commands find their service."""

from __future__ import annotations

from pathlib import Path

import pytest

from orgbridge.cli.addresses import Address, read_address
from orgbridge.cli.errors import NotSignedIn, UsageError
from orgbridge.wiring.local import write_cli_file


def test_written_address_is_read_back(tmp_path: Path) -> None:
    """What `up` writes the other commands read."""
    address = Address(url="http://127.0.0.1:8000", token="t", prefix="/api/v9")
    write_cli_file(
        tmp_path / "cli.json", url=address.url, token=address.token, prefix=address.prefix, org_url="http://org"
    )
    assert read_address(url=None, token=None, folder=tmp_path) == address


def test_environment_goes_before_the_file(tmp_path: Path) -> None:
    """An address of the environment wins, without its trailing slash."""
    write_cli_file(tmp_path / "cli.json", url="http://file", token="file", prefix="/api/v1", org_url="http://org")
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
