"""Files: what the platform does when a content version is made, and bytes too many to travel as base64.

A version without a document gets one, with a link for its owner and one for the place where it was published first;
a version of a known document becomes its latest.

Source: facts/salesforce/rest.md section 3, "Blobs". Assumed: share types of the links, file types of names, and that
a version counts up by one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.lookups import json_list
from orgbridge.emulator.org.outcomes import SaveOutcome, ValueMode
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote

#: Inserts rows of an object given by name and column.
Insert = Callable[[Context, str, Sequence[str], Sequence[Sequence[Any]], ValueMode], Sequence[SaveOutcome]]
#: Field that tells the size of each object's bytes.
SIZE_FIELDS = {"Attachment": "BodyLength", "Document": "BodyLength", "ContentVersion": "ContentSize"}
_FILE_TYPES = {
    "": "UNKNOWN", "docx": "WORD_X", "doc": "WORD", "xlsx": "EXCEL_X", "xls": "EXCEL", "pptx": "POWER_POINT_X",
    "ppt": "POWER_POINT", "txt": "TEXT", "jpeg": "JPG",
}  # fmt: skip
_DOCUMENT_FIELDS = ("Title", "OwnerId", "ContentSize", "FileType", "FileExtension")


def file_names(_now: str, path: str | None, title: str | None) -> tuple[str | None, str, str | None]:
    """Return extension, file type and title of a version from its path and the title it was given."""
    name = (path or "").replace("\\", "/").rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    extension = extension.lower() if dot else ""
    kind = _FILE_TYPES.get(extension, extension.upper()[:20])
    return extension[:40] or None, kind, title or (stem if dot else name)[:255] or None


def file_size(_now: str, data: bytes | None) -> tuple[int | None, str | None]:
    """Return size and checksum of a version's bytes."""
    return (None, None) if data is None else (len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())


def body_length(_now: str, data: bytes | None) -> tuple[int]:
    """Return how many bytes there are."""
    return (len(data or b""),)


def publish(context: Context, insert: Insert, ids: Sequence[str]) -> None:
    """Give new content versions their documents, links and numbers.

    Args:
        context: The save that made them.
        insert: Inserts rows as the platform itself.
        ids: The versions, in order.
    """
    connection = context.connection
    columns = ", ".join(("Id", "ContentDocumentId", "FirstPublishLocationId", *_DOCUMENT_FIELDS))
    rows = connection.execute(
        f'SELECT {columns} FROM "ContentVersion" WHERE Id IN (SELECT value FROM json_each(?)) ORDER BY rowid',  # noqa: S608
        (json_list(ids),),
    ).fetchall()
    new = [row for row in rows if row[1] is None]
    if new:
        facts = [list(column) for column in zip(*(row[3:] for row in new), strict=True)]
        names = (*_DOCUMENT_FIELDS, "LatestPublishedVersionId")
        made = insert(context, "ContentDocument", names, [*facts, [row[0] for row in new]], ValueMode.JSON)
        documents = [_id_of(outcome) for outcome in made]
        connection.executemany(
            "UPDATE \"ContentVersion\" SET ContentDocumentId = ?, VersionNumber = '1', IsLatest = 1 WHERE Id = ?",
            [(document, row[0]) for document, row in zip(documents, new, strict=True)],
        )
        _link(context, insert, [(document, row[4], row[2]) for document, row in zip(documents, new, strict=True)])
    for row in rows:
        if row[1] is not None:
            _add_version(connection, row[0], row[1])


def _id_of(outcome: SaveOutcome) -> str:
    if outcome.id is None or not outcome.success:
        raise SFError.from_fault(outcome.errors[0])
    return outcome.id


def _link(context: Context, insert: Insert, rows: Iterable[tuple[str, str, str | None]]) -> None:
    links: dict[tuple[str, str], str] = {}
    for document, owner, location in rows:
        links[document, owner] = "I"
        if location is not None:
            links.setdefault((document, location), "V")
    names = ("ContentDocumentId", "LinkedEntityId", "ShareType")
    columns = [[key[0] for key in links], [key[1] for key in links], list(links.values())]
    for outcome in insert(context, "ContentDocumentLink", names, columns, ValueMode.JSON):
        _id_of(outcome)


def _add_version(connection: Connection, version: str, document: str) -> None:
    (last,) = connection.execute(
        'SELECT MAX(CAST(VersionNumber AS INTEGER)) FROM "ContentVersion" WHERE ContentDocumentId = ?', (document,)
    ).fetchone()
    connection.execute(
        'UPDATE "ContentVersion" SET IsLatest = (Id = ?) WHERE ContentDocumentId = ?', (version, document)
    )
    connection.execute('UPDATE "ContentVersion" SET VersionNumber = ? WHERE Id = ?', (str((last or 0) + 1), version))
    pairs = ", ".join(f"{name} = v.{name}" for name in ("Title", "ContentSize", "FileType", "FileExtension"))
    connection.execute(
        f'UPDATE "ContentDocument" SET {pairs}, LatestPublishedVersionId = v.Id, "Title$key" = SF_FOLD(v.Title),'  # noqa: S608
        ' SystemModstamp = v.SystemModstamp FROM "ContentVersion" v WHERE v.Id = ? AND "ContentDocument".Id = ?',
        (version, document),
    )


def put_bytes(
    connection: Connection, sobject: SObject, field: Field, record_id: str, pieces: Iterable[bytes], size: int
) -> None:
    """Replace the bytes of a row that is there, piece by piece, and the facts that follow from them.

    Args:
        connection: The open write transaction.
        sobject: The row's object.
        field: A base64 field of it.
        record_id: The row, 18 characters.
        pieces: The bytes; together `size` of them.
        size: How many bytes.
    """
    table = quote(sobject.name)
    connection.execute(f"UPDATE {table} SET {quote(field.name)} = zeroblob(?) WHERE Id = ?", (size, record_id))  # noqa: S608 names come from the catalogue
    (place,) = connection.execute(f"SELECT rowid FROM {table} WHERE Id = ?", (record_id,)).fetchone()  # noqa: S608
    checksum = hashlib.md5(usedforsecurity=False)
    with connection.blobopen(sobject.name, field.name, place) as blob:
        for piece in pieces:
            blob.write(piece)
            checksum.update(piece)
    facts: dict[str, str | int] = {SIZE_FIELDS[sobject.name]: size} if sobject.name in SIZE_FIELDS else {}
    if sobject.name == "ContentVersion":
        facts["Checksum"] = checksum.hexdigest()
        connection.execute(
            'UPDATE "ContentDocument" SET ContentSize = ? WHERE LatestPublishedVersionId = ?', (size, record_id)
        )
    _set(connection, table, record_id, facts)


def _set(connection: Connection, table: str, record_id: str, facts: Mapping[str, str | int]) -> None:
    if facts:
        pairs = ", ".join(f"{quote(name)} = ?" for name in facts)
        connection.execute(f"UPDATE {table} SET {pairs} WHERE Id = ?", (*facts.values(), record_id))  # noqa: S608
