"""Files are there whole or not at all, and never outside their folder."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.store.errors import FileKeyInvalid, StoredFileMissing
from orgbridge.store.files import LocalFiles
from orgbridge.store.files.local import BLOCK_BYTES
from orgbridge.store.files.protocol import check_key


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    """Give a store in a fresh folder."""
    return LocalFiles(tmp_path / "files")


async def test_a_stream_comes_back_as_it_was_written(files: LocalFiles) -> None:
    """Size, hash and content are those of the stream, however it was cut."""
    content = bytes(range(256)) * 5000
    stored = await files.write("loads/l1/input", _chunks(content[:7], b"", content[7:900_000], content[900_000:]))
    assert (stored.key, stored.bytes) == ("loads/l1/input", len(content))
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert b"".join([block async for block in files.read("loads/l1/input")]) == content
    assert b"".join(files.open_blocks("loads/l1/input")) == content
    assert b"".join([block async for block in files.read("loads/l1/input", 1_000_000)]) == content[1_000_000:]
    assert all(len(block) <= BLOCK_BYTES for block in files.open_blocks("loads/l1/input"))
    assert await files.size("loads/l1/input") == len(content)


async def test_a_stream_that_breaks_leaves_the_old_file(files: LocalFiles, tmp_path: Path) -> None:
    """After a broken write the former content is still there, and nothing half-written is."""
    await files.write("a/b", _chunks(b"old"))

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 1_000_000
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await files.write("a/b", broken())
    assert b"".join(files.open_blocks("a/b")) == b"old"
    assert [path.name for path in (tmp_path / "files" / "a").iterdir()] == ["b"]


async def test_blocks_that_break_leave_nothing(files: LocalFiles, tmp_path: Path) -> None:
    """The blocking writer cleans up after itself too."""
    with pytest.raises(ZeroDivisionError):
        files.write_blocks("a/b", (b"x" * (1 // (2 - n)) for n in range(3)))
    assert list((tmp_path / "files" / "a").iterdir()) == []


async def test_writing_again_replaces(files: LocalFiles) -> None:
    """The second content takes the place of the first."""
    files.write_blocks("a/b", [b"first, and longer"])
    files.write_blocks("a/b", [b"second"])
    assert b"".join(files.open_blocks("a/b")) == b"second"


async def test_delete_takes_a_whole_load(files: LocalFiles) -> None:
    """Deleting a prefix takes all below it and nothing beside it."""
    for key in ("loads/l1/input", "loads/l1/parts/00000.csv", "loads/l10/input"):
        files.write_blocks(key, [b"x"])
    assert await files.delete("loads/l1") == 2
    assert not await files.exists("loads/l1/input")
    assert await files.exists("loads/l10/input")
    assert await files.delete("loads/none") == 0


async def test_a_missing_file_is_named(files: LocalFiles) -> None:
    """Reading what is not there raises the store's own error, in every way of reading."""
    with pytest.raises(StoredFileMissing, match="a/b"):
        list(files.open_blocks("a/b"))
    with pytest.raises(StoredFileMissing):
        [block async for block in files.read("a/b")]
    with pytest.raises(StoredFileMissing):
        await files.size("a/b")
    files.write_blocks("a/b/c", [b"x"])
    with pytest.raises(StoredFileMissing):
        list(files.open_blocks("a/b"))


async def test_leftovers_of_a_crash_are_swept(files: LocalFiles, tmp_path: Path) -> None:
    """What a killed process left half-written goes, finished files stay."""
    files.write_blocks("loads/l1/input", [b"x"])
    (tmp_path / "files/loads/l1/.writing-input-abc").write_bytes(b"half")
    assert await files.sweep("loads/l1") == 1
    assert await files.exists("loads/l1/input")


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "a\\b", "a/.hidden", "a\0b", "a\n", "a/./b", "a b", "x" * 600],
)
def test_keys_that_could_lead_outside_are_refused(files: LocalFiles, key: str) -> None:
    """No odd key reaches the file system."""
    with pytest.raises(FileKeyInvalid):
        files.path(key)


@given(st.text(max_size=40))
def test_an_accepted_key_stays_inside(key: str) -> None:
    """Whatever key is accepted lies below the root once resolved."""
    root = Path("/srv/files")
    try:
        check_key(key)
    except FileKeyInvalid:
        return
    assert (root / key).resolve().is_relative_to(root)
    assert (root / key).resolve() == root / key
