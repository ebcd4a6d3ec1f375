"""Multipart bodies read as they arrive, in pieces of any size."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.services.errors import InvalidRequest, UploadBroken
from orgbridge.services.uploads import Upload, whole_body

TYPE = "multipart/form-data; boundary=XyZ"


def _body(file: bytes, *, fields: dict[str, str] | None = None, name: str = "file", filename: str = "in.csv") -> bytes:
    parts = [
        f'--XyZ\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in (fields or {}).items()
    ]
    head = f'--XyZ\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
    parts.append(head.encode() + b"Content-Type: text/csv\r\n\r\n" + file + b"\r\n")
    return b"".join(parts) + b"--XyZ--\r\n"


async def _pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def _read(data: bytes, size: int = 1000) -> tuple[Upload, bytes]:
    upload = Upload(_pieces(data, size), TYPE)
    await upload.open()
    return upload, b"".join([chunk async for chunk in upload.chunks()])


@given(st.binary(max_size=300), st.integers(1, 120))
async def test_a_file_comes_out_byte_for_byte(file: bytes, size: int) -> None:
    """Whatever the file holds, short of the boundary itself, and however it is cut."""
    if b"--XyZ" in file:
        return
    upload, out = await _read(_body(file, fields={"object_name": "Account"}), size)
    assert out == file
    assert (upload.filename, upload.content_type, upload.fields) == ("in.csv", "text/csv", {"object_name": "Account"})


@pytest.mark.parametrize("filename", ["../../etc/passwd", "C:\\\\temp\\\\passwd", "/passwd"])
async def test_a_file_name_loses_its_folders(filename: str) -> None:
    """Only the last step of what the caller calls it is kept."""
    upload, _ = await _read(_body(b"x", filename=filename))
    assert upload.filename == "passwd"


@pytest.mark.parametrize("filename", ["東京 2026.csv", "Größe.csv", "Каталог.csv", "🚚.csv"])
async def test_a_file_name_may_be_in_any_script(filename: str) -> None:
    """Clients write names in UTF-8; none of them is a fault of ours."""
    upload, out = await _read(_body(b"x", filename=filename))
    assert (upload.filename, out) == (filename, b"x")


@given(st.binary(max_size=60), st.binary(max_size=60))
async def test_no_header_of_a_part_is_a_fault_of_ours(name: bytes, filename: bytes) -> None:
    """Whatever stands there, the body is read or refused."""
    head = b'--XyZ\r\nContent-Disposition: form-data; name="' + name + b'"; filename="' + filename + b'"\r\n\r\n'
    try:
        await _read(head + b"a\r\n" + _body(b"x"))
    except (InvalidRequest, UploadBroken):
        pass


async def test_a_field_after_the_file_is_refused() -> None:
    """It would be heeded in a small body and overlooked in a large one."""
    late = b'--XyZ\r\nContent-Disposition: form-data; name="object_name"\r\n\r\nLead\r\n--XyZ--\r\n'
    for file in (b"x", b"x" * 5000):
        with pytest.raises(InvalidRequest, match="'object_name' stands after the file"):
            await _read(_body(file).removesuffix(b"--XyZ--\r\n") + late)


async def test_a_body_that_breaks_off_is_noticed() -> None:
    """Bytes before the break come out, then the error: nobody takes the part for the whole."""
    whole = _body(b"x" * 5000)
    upload = Upload(_pieces(whole[:3000], 500), TYPE)
    await upload.open()
    with pytest.raises(UploadBroken):
        async for _ in upload.chunks():
            pass


@pytest.mark.parametrize("content_type", ["", "text/csv", "multipart/form-data", "multipart/mixed; boundary=a"])
def test_other_bodies_are_refused(content_type: str) -> None:
    """A form with a boundary is needed."""
    with pytest.raises(InvalidRequest):
        Upload(_pieces(b"", 1), content_type)


async def test_a_form_without_the_file_is_refused() -> None:
    """A file under another name does not do."""
    with pytest.raises(InvalidRequest, match="no part named file"):
        await _read(_body(b"x", name="other"))


async def test_two_files_are_refused() -> None:
    """Nobody can tell which was meant."""
    one = _body(b"x").removesuffix(b"--XyZ--\r\n")
    with pytest.raises(InvalidRequest, match="more than one"):
        await _read(one + _body(b"y"))


async def test_endless_fields_are_refused() -> None:
    """What stands beside the file is held in memory and therefore bounded."""
    with pytest.raises(InvalidRequest, match="too large"):
        await _read(_body(b"x", fields={"note": "n" * 100_000}))


@pytest.mark.parametrize("damage", [b"--XyZ\r\nno colon here\r\n\r\n", b"garbage" * 10])
async def test_damaged_bodies_are_refused(damage: bytes) -> None:
    """What is no multipart is the caller's fault, not ours."""
    with pytest.raises((InvalidRequest, UploadBroken)):
        await _read(damage + _body(b"x"))


async def test_a_raw_body_must_be_as_long_as_announced() -> None:
    """Fewer bytes than the length says is a broken upload; without a length the end is the end."""
    assert b"".join([chunk async for chunk in whole_body(_pieces(b"abc", 2), 3)]) == b"abc"
    assert b"".join([chunk async for chunk in whole_body(_pieces(b"abc", 2), None)]) == b"abc"
    with pytest.raises(UploadBroken):
        _ = [chunk async for chunk in whole_body(_pieces(b"abc", 2), 4)]
