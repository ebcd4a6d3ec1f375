"""Unpack gzip and zip as streams, and stop at a bomb before it fills the disk."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from orgbridge.loads.errors import ArchiveTooLarge, BadArchive

GZIP_MAGIC: Final = b"\x1f\x8b"
ZIP_MAGIC: Final = b"PK\x03\x04"
_EMPTY_ZIP_MAGIC: Final = b"PK\x05\x06"
_BLOCK: Final = 1 << 18


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
    """
    try:
        with open_file() as file, zipfile.ZipFile(file) as archive:
            members = [
                info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")
            ]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadArchive(f"The zip cannot be read: {error}.") from error
    if len(members) != 1:
        raise BadArchive(f"The zip holds {len(members)} files; it must hold one.")
    if members[0].flag_bits & 1:
        raise BadArchive("The file in the zip is encrypted.")
    if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadArchive("The file in the zip is neither stored nor deflated; other methods are not read.")
    name = members[0].filename
    return ZipMember(name=name, blocks=lambda: _unzip(open_file, name, limits))


def _unzip(open_file: Callable[[], BinaryIO], name: str, limits: UnpackLimits) -> Iterator[bytes]:
    unpacked = 0
    try:
        with open_file() as file, zipfile.ZipFile(file) as archive, archive.open(name) as member:
            packed = archive.getinfo(name).compress_size
            while piece := member.read(_BLOCK):
                unpacked += len(piece)
                limits.check(packed, unpacked)
                yield piece
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError) as error:
        raise BadArchive(f"The zip is damaged after {unpacked} unpacked bytes: {error}.") from error
