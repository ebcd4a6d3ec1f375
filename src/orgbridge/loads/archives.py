"""Unpack gzip, zstd and zip as streams, and stop at a bomb before it fills the disk."""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from backports import zstd

from orgbridge.loads.errors import ArchiveTooLarge, BadArchive

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
ZIP_MAGIC: Final = b"PK\x03\x04"
_EMPTY_ZIP_MAGIC: Final = b"PK\x05\x06"
_BLOCK: Final = 1 << 18
#: Largest window of a zstd frame, as a power of two: 8 MiB, what every decoder must take (RFC 8878, section 3.1.1.1.2).
_ZSTD_WINDOW_LOG: Final = 23
#: Members of a zip, and bytes of its directory, which is held in memory.
_MOST_MEMBERS: Final = 2_000
_DIRECTORY_BYTES: Final = 1 << 20
#: A zip ends in this record of 22 bytes and a comment of at most 65,535; a zip64's other two stand right before it.
_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_TAIL_BYTES: Final = 22 + 65_535 + 20 + 56


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackLimits:
    """What an archive may grow to."""

    #: Bytes out for one byte in. Real exports reach 5 to 40; DEFLATE cannot pass 1,032.
    max_ratio: float = 300.0
    #: Bytes out below which the ratio is not looked at.
    free_bytes: int = 64 << 20
    #: Bytes out altogether; None for no limit.
    max_bytes: int | None = None

    def check(self, packed: int, unpacked: int) -> None:
        """Refuse an archive that has grown too far.

        Raises:
            ArchiveTooLarge: `unpacked` bytes came out of `packed` bytes so far, and that is too much.
        """
        if self.max_bytes is not None and unpacked > self.max_bytes:
            raise ArchiveTooLarge(f"The archive unpacks to more than {self.max_bytes} bytes.")
        if unpacked > self.free_bytes and unpacked > packed * self.max_ratio:
            raise ArchiveTooLarge(f"The archive unpacks to more than {self.max_ratio:g} times its size.")


def is_gzip(head: bytes) -> bool:
    """Tell whether these are the first bytes of a gzip file."""
    return head.startswith(GZIP_MAGIC)


def is_zstd(head: bytes) -> bool:
    """Tell whether these are the first bytes of a zstd file."""
    return head.startswith(ZSTD_MAGIC)


def is_zip(head: bytes) -> bool:
    """Tell whether these are the first bytes of a zip file."""
    return head.startswith((ZIP_MAGIC, _EMPTY_ZIP_MAGIC))


def gunzip(blocks: Iterable[bytes], limits: UnpackLimits) -> Iterator[bytes]:
    """Yield what a gzip stream holds, all its members one after the other.

    Raises:
        BadArchive: The stream is damaged or ends early. What came before was yielded.
        ArchiveTooLarge: It passed the limits.
    """
    packed = unpacked = 0
    member = zlib.decompressobj(wbits=31)
    begun = False
    try:
        for block in blocks:
            packed += len(block)
            data = block
            while data:
                if member.eof:
                    # Padding of zeros after the last member is common on tapes and block devices.
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    member = zlib.decompressobj(wbits=31)
                begun = True
                piece = member.decompress(data, _BLOCK)
                data = member.unused_data if member.eof else member.unconsumed_tail
                unpacked += len(piece)
                limits.check(packed, unpacked)
                if piece:
                    yield piece
    except zlib.error as error:
        raise BadArchive(f"The gzip is damaged after {unpacked} unpacked bytes: {error}.") from error
    if begun and not member.eof:
        raise BadArchive(f"The gzip ends early, after {unpacked} unpacked bytes.")


def unzstd(blocks: Iterable[bytes], limits: UnpackLimits) -> Iterator[bytes]:
    """Yield what a zstd stream holds, all its frames one after the other.

    Raises:
        BadArchive: The stream is damaged, ends early, or wants a window above 8 MiB. What came before was yielded.
        ArchiveTooLarge: It passed the limits.
    """
    packed = unpacked = 0
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    frame = zstd.ZstdDecompressor(options=options)
    begun = False
    try:
        for block in blocks:
            packed += len(block)
            data = block
            while data or not (frame.needs_input or frame.eof):
                if frame.eof:
                    frame, begun = zstd.ZstdDecompressor(options=options), False
                begun = True
                piece = frame.decompress(data, _BLOCK)
                data = frame.unused_data if frame.eof else b""
                unpacked += len(piece)
                limits.check(packed, unpacked)
                if piece:
                    yield piece
    except zstd.ZstdError as error:
        raise BadArchive(f"The zstd is damaged after {unpacked} unpacked bytes: {error}.") from error
    if begun and not frame.eof:
        raise BadArchive(f"The zstd ends early, after {unpacked} unpacked bytes.")


def check_directory(open_file: Callable[[], BinaryIO]) -> None:
    """See that a zip's directory is small, before anybody reads it into memory.

    Raises:
        BadArchive: It has no directory.
        ArchiveTooLarge: It names too many members.
    """
    with open_file() as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read(_TAIL_BYTES)
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + 22:
        raise BadArchive("The zip cannot be read: it has no directory at its end.")
    members, directory = struct.unpack_from("<HI", tail, end + 10)
    if tail[max(0, end - 20) : end].startswith(_LOCATOR_64):
        wide = tail.rfind(_END_64, 0, end - 20)
        members, directory = struct.unpack_from("<QQ", tail, wide + 32) if wide >= 0 else (1 << 63, 1 << 63)
    if members > _MOST_MEMBERS or directory > _DIRECTORY_BYTES:
        raise ArchiveTooLarge(f"The zip names more than {_MOST_MEMBERS} members or has a directory above 1 MiB.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipMember:
    """The one file in a zip."""

    #: Its name in the zip.
    name: str
    #: Opens it anew.
    blocks: Callable[[], Iterator[bytes]]


def zip_member(open_file: Callable[[], BinaryIO], limits: UnpackLimits) -> ZipMember:
    """Return the one file that a zip holds; folders and the resource forks of macOS do not count.

    Raises:
        BadArchive: It is no zip, or holds no file or several, or the file is encrypted or packed by a rare method.
        ArchiveTooLarge: It names too many members.
        OSError: The storage refused; that says nothing of the zip.
    """
    check_directory(open_file)
    with _damage_told(lambda: "cannot be read"), open_file() as file, zipfile.ZipFile(file) as archive:
        members = [
            info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")
        ]
    if len(members) != 1:
        raise BadArchive(f"The zip holds {len(members)} files; it must hold one.")
    if members[0].flag_bits & 1:
        raise BadArchive("The file in the zip is encrypted.")
    if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadArchive("The file in the zip is neither stored nor deflated; other methods are not read.")
    name = members[0].filename
    return ZipMember(name=name, blocks=lambda: unzip_member(open_file, name, limits))


def unzip_member(open_file: Callable[[], BinaryIO], name: str, limits: UnpackLimits) -> Iterator[bytes]:
    """Yield one member of a zip.

    Raises:
        BadArchive: It is damaged or not there. What came before was yielded.
        ArchiveTooLarge: It passed the limits.
        OSError: The storage refused; that says nothing of the zip. What came before was yielded.
    """
    unpacked = 0
    with (
        _damage_told(lambda: f"is damaged after {unpacked} unpacked bytes"),
        open_file() as file,
        zipfile.ZipFile(file) as archive,
        archive.open(name) as member,
    ):
        packed = archive.getinfo(name).compress_size
        while piece := member.read(_BLOCK):
            unpacked += len(piece)
            limits.check(packed, unpacked)
            yield piece


@contextmanager
def _damage_told(what: Callable[[], str]) -> Iterator[None]:
    """Turn whatever `zipfile` raises for a damaged zip into `BadArchive`; what the storage raises goes on as it is."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, NotImplementedError) as error:
        # `zipfile` calls whatever it met at the end of a file no zip: what it met is the context.
        for met in (error, error.__context__):
            # A wrong offset in the zip becomes a seek that no file can do; everything else is the storage's.
            if isinstance(met, OSError) and met.errno not in (None, errno.EINVAL):
                raise met from None
        raise BadArchive(f"The zip {what()}: {error}.") from error
