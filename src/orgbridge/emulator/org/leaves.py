"""Rows that nothing hangs below, and that no row points to: most of those that are deleted one by one.

Such a row takes no other along and leaves no reference behind, so that deleting it touches itself and the recycle bin.
Whether a row is one is asked with one statement, which looks into one index for each way to hang below it.
"""

from __future__ import annotations

from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.derivations import stored_instant
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.org.references import AUDIT
from orgbridge.emulator.org.rules import Rulebook
from orgbridge.emulator.schema.model import Catalogue, SObject
from orgbridge.emulator.storage.tables import quote


class Leaves:
    """Deletes rows with nothing below them, by the rules of an org's catalogue."""

    def __init__(self, book: Rulebook) -> None:
        self._book = book
        self._questions: dict[str, str | None] = {}

    def delete(self, context: Context, sobject: SObject, record_id: str) -> SaveOutcome | None:
        """Put a row into the recycle bin, inside the caller's transaction.

        Args:
            context: Who deletes, and when.
            sobject: The row's object.
            record_id: 18 characters.

        Returns:
            What became of it; None, with nothing written, when there is more to it: only `Recycling` can tell.
        """
        question = self._question(sobject)
        if question is None or context.view is not None or context.system:
            return None
        found = context.connection.execute(question, (record_id,)).fetchone()
        if found is None or found[0]:
            return None
        now = stored_instant(context.now)
        context.connection.execute(
            f"UPDATE {quote(sobject.name)} SET IsDeleted = 1, LastModifiedDate = ?, LastModifiedById = ?,"  # noqa: S608 names come from the catalogue
            " SystemModstamp = ? WHERE Id = ?",
            (now, context.user_id, now, record_id),
        )
        context.connection.execute(
            "INSERT OR REPLACE INTO ob_bin VALUES (?, ?, ?, ?)", (record_id, sobject.name, record_id, now)
        )
        return SaveOutcome(record_id, False, True)

    def _question(self, sobject: SObject) -> str | None:
        try:
            return self._questions[sobject.name]
        except KeyError:
            # Totals of parents follow their rows: that is no matter of one row.
            plain = sobject.deletable and sobject.sharing is None and self._book.rules(sobject).far_fields is not None
            question = self._questions[sobject.name] = _question(self._book.catalogue, sobject) if plain else None
            return question


def _question(catalogue: Catalogue, sobject: SObject) -> str | None:
    """Return what reads, of the row with an id, whether it is deleted or anything points to it.

    None where that cannot be seen from an index.
    """
    parts = ["IsDeleted"]
    for relation in sobject.child_relationships:
        child = catalogue.sobject(relation.child)
        if child is None or child.field(relation.field) is None:
            continue
        if relation.field in AUDIT:
            # They have no index, and only users stand in them, who cannot be deleted.
            if relation.cascade_delete or relation.restricted_delete:
                return None
            continue
        parts.append(f"EXISTS (SELECT 1 FROM {quote(child.name)} WHERE {quote(relation.field)} = ?1)")  # noqa: S608
    return f"SELECT {' OR '.join(parts)} FROM {quote(sobject.name)} WHERE Id = ?1"  # noqa: S608
