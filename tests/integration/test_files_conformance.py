"""What every place for the files of loads must do: a folder, S3 (moto's server) and Azure Blob (azurite) alike."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from orgbridge.store.errors import FileKeyInvalid, StoredFileMissing
from orgbridge.store.files import FileStore, LocalFiles
from orgbridge.store.files.objects import PART_BYTES
from tests.support.object_servers import ObjectServer, azure_server, s3_server

#: Larger than two parts of an upload and no multiple of anything.
_LONG = bytes(range(251)) * (PART_BYTES * 2 // 251) + b"the end"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """Give an S3 server."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """Give an Azure Blob server."""
    with azure_server(tmp_path_factory.mktemp("azure")) as server:
        yield server


@pytest.fixture(params=["folder", "s3", "azure"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], FileStore]:
    """Give what opens one and the same empty place, each time as another process would."""
    if request.param == "folder":
        return lambda: LocalFiles(tmp_path / "files")
    server: ObjectServer = request.getfixturevalue(request.param)
    url = server.url()
    return lambda: server.files(url)


@pytest.fixture
def files(reopen: Callable[[], FileStore]) -> FileStore:
    """Give an empty place."""
    return reopen()


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("content", [b"", b"x", _LONG], ids=["empty", "one byte", "several parts"])
async def test_a_stream_comes_back_as_it_was_written(
    files: FileStore, reopen: Callable[[], FileStore], content: bytes
) -> None:
    """Size, hash and bytes are those of the stream, for another process too."""
    stored = await files.write("loads/l1/input", _chunks(content[:7], b"", content[7:900_000], content[900_000:]))
    assert (stored.key, stored.bytes) == ("loads/l1/input", len(content))
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    other = reopen()
    assert b"".join([block async for block in other.read("loads/l1/input")]) == content
    assert b"".join(other.open_blocks("loads/l1/input")) == content
    assert await other.size("loads/l1/input") == len(content)
    assert await other.exists("loads/l1/input")


async def test_reading_begins_where_it_is_told_to(files: FileStore) -> None:
    """An offset gives the rest, an offset at or behind the end gives nothing."""
    files.write_blocks("a/b", [_LONG])
    start = len(_LONG) - 5_000_001
    assert b"".join(files.open_blocks("a/b", start)) == _LONG[start:]
    assert b"".join([block async for block in files.read("a/b", start)]) == _LONG[start:]
    assert list(files.open_blocks("a/b", len(_LONG))) == []
    assert [block async for block in files.read("a/b", len(_LONG) + 1)] == []


async def test_a_range_ends_where_it_is_told_to(files: FileStore) -> None:
    """Exactly its bytes come, across pieces of a ranged read too; behind the end there are none."""
    files.write_blocks("a/b", [_LONG])
    size = len(_LONG)
    places = (
        (0, 1),
        (3, 3),
        (7, 300_000),
        (4_000_000, 9_000_001),
        (size - 1, size),
        (size - 5, size + 9),
        (size, size + 1),
    )
    for start, stop in places:
        assert b"".join(files.open_blocks("a/b", start, stop)) == _LONG[start:stop]
    with pytest.raises(StoredFileMissing):
        next(files.open_blocks("a/c", 0, 5))


async def test_a_write_that_breaks_leaves_what_was_there(files: FileStore) -> None:
    """Neither a broken stream nor a broken iterator is ever seen, not even in part."""
    await files.write("a/b", _chunks(b"old"))

    async def broken() -> AsyncIterator[bytes]:
        yield _LONG
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await files.write("a/b", broken())
    with pytest.raises(ZeroDivisionError):
        files.write_blocks("a/c", (b"x" * (1 // (2 - number)) for number in range(3)))
    assert b"".join(files.open_blocks("a/b")) == b"old"
    assert not await files.exists("a/c")


async def test_a_file_is_seen_once_it_is_finished(files: FileStore, reopen: Callable[[], FileStore]) -> None:
    """Between the first block and the end nobody sees it; given up it never was."""
    writing = files.begin("a/b")
    writing.add(_LONG)
    assert not await reopen().exists("a/b")
    stored = writing.finish()
    assert await reopen().size("a/b") == stored.bytes == len(_LONG)
    given_up = files.begin("a/c")
    given_up.add(_LONG)
    given_up.give_up()
    assert not await reopen().exists("a/c")


async def test_writing_a_key_again_replaces_it(files: FileStore) -> None:
    """The last whole file counts, shorter or longer."""
    files.write_blocks("a", [b"long and longer"])
    files.write_blocks("a", [b"short"])
    assert b"".join(files.open_blocks("a")) == b"short"


async def test_deleting_takes_a_file_and_all_below_and_nothing_beside(files: FileStore) -> None:
    """`loads/l1` goes with its parts; `loads/l10`, which only begins like it, stays."""
    for key in ("loads/l1/input", "loads/l1/parts/00001.csv", "loads/l10/input", "loads/l2"):
        files.write_blocks(key, [b"x"])
    assert await files.delete("loads/l1") == 2
    assert await files.delete("loads/l2") == 1
    assert await files.delete("loads/l1") == 0
    assert not await files.exists("loads/l1/input")
    assert await files.exists("loads/l10/input")


async def test_folders_are_the_names_below_a_key(files: FileStore) -> None:
    """Each name with files of its own once, plain files left out."""
    for key in ("loads/l2/input", "loads/l1/input", "loads/l1/parts/00001.csv", "loads/plain"):
        files.write_blocks(key, [b"x"])
    assert await files.folders("loads") == ["l1", "l2"]
    assert await files.folders("nothing") == []


async def test_what_is_not_there_is_said_to_be_missing(files: FileStore) -> None:
    """Every way to read says so by the same error."""
    assert not await files.exists("a/b")
    with pytest.raises(StoredFileMissing):
        await files.size("a/b")
    with pytest.raises(StoredFileMissing):
        next(files.open_blocks("a/b"))
    with pytest.raises(StoredFileMissing):
        await anext(aiter(files.read("a/b")))
    with pytest.raises(StoredFileMissing):
        files.open_file("a/b")


@pytest.mark.parametrize("key", ["../x", "/x", "a//b", ".hidden", "a/../b", ""])
async def test_a_key_never_leads_out(files: FileStore, key: str) -> None:
    """Nothing is written or deleted for a key that could."""
    with pytest.raises(FileKeyInvalid):
        files.begin(key)
    with pytest.raises(FileKeyInvalid):
        await files.delete(key)


async def test_a_file_can_be_read_at_any_place(files: FileStore, tmp_path: Path) -> None:
    """What needs random access, as a ZIP does, works without a shared disk."""
    packed = tmp_path / "x.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first.txt", "one")
        archive.writestr("second.txt", _LONG)
    files.write_blocks("a/zip", [packed.read_bytes()])
    with files.open_file("a/zip") as file, zipfile.ZipFile(file) as archive:
        assert archive.read("second.txt") == _LONG
        assert archive.read("first.txt") == b"one"
