"""References to rows that are deleted: cleared, kept in mind while the row is in the recycle bin, and put back.

Source: facts/salesforce/errors.md (DELETE_FAILED for references that forbid it). Assumed: that every other reference
is cleared at once and comes back with the row unless something else was put in its place meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from orgbridge.emulator.org.lookups import json_list
from orgbridge.emulator.schema.model import Catalogue, SObject
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote

#: Written by the platform; users cannot be deleted.
AUDIT = frozenset({"CreatedById", "LastModifiedById"})


def clear_references(
    catalogue: Catalogue,
    connection: Connection,
    sobject: SObject,
    rows: Mapping[str, str],
    doomed: Mapping[str, Collection[str]],
    *,
    keep: bool,
) -> None:
    """Clear what points to rows that are deleted.

    Args:
        catalogue: The objects of the org.
        connection: The open write transaction.
        sobject: The rows' object.
        rows: The id of each row, and of the row whose deletion takes it along.
        doomed: All rows that go, by object: what they point to stays as it is.
        keep: Keep in mind what was cleared, for `restore_references`.
    """
    listed = json_list(rows)
    for relation in sobject.child_relationships:
        child, field = quote(relation.child), quote(relation.field)
        target = catalogue.sobject(relation.child)
        if relation.field in AUDIT or target is None or target.field(relation.field) is None:
            continue
        if keep and relation.cascade_delete:
            # What is left below is in the bin already and stays tied to its parent.
            continue
        found = connection.execute(
            f"SELECT Id, {field} FROM {child} WHERE {field} IN (SELECT value FROM json_each(?))",  # noqa: S608 names come from the catalogue
            (listed,),
        ).fetchall()
        found = [row for row in found if row[0] not in doomed.get(relation.child, ())]
        if not found:
            continue
        if keep:
            connection.executemany(
                "INSERT OR REPLACE INTO ob_cleared VALUES (?, ?, ?, ?, ?)",
                [(rows[parent], relation.child, relation.field, row_id, parent) for row_id, parent in found],
            )
        connection.execute(
            f"UPDATE {child} SET {field} = NULL WHERE Id IN (SELECT value FROM json_each(?))",  # noqa: S608
            (json_list([row[0] for row in found]),),
        )


def restore_references(connection: Connection, root_id: str) -> None:
    """Put back what was cleared when a row was deleted, where nothing else was put in its place."""
    found = connection.execute("SELECT sobject, field, id, target FROM ob_cleared WHERE root_id = ?", (root_id,))
    for sobject, field, record_id, target in found.fetchall():
        connection.execute(
            f"UPDATE {quote(sobject)} SET {quote(field)} = ? WHERE Id = ? AND {quote(field)} IS NULL",  # noqa: S608 names come from the catalogue
            (target, record_id),
        )
    connection.execute("DELETE FROM ob_cleared WHERE root_id = ?", (root_id,))
