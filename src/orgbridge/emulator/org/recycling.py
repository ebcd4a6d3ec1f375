"""Delete, hard delete and undelete, with what hangs below a row.

A deleted row goes to the recycle bin together with its cascade of children; they come back together. References of
other rows to it are cleared, and come back with it where nothing else was put in their place.
"""

from __future__ import annotations

from collections.abc import Sequence

from orgbridge.emulator.org.checks import DELETED, INVALID_REFERENCE
from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.derivations import stored_instant
from orgbridge.emulator.org.lookups import ids_by_key, json_list, rows_by_id
from orgbridge.emulator.org.outcomes import SaveOutcome, failed
from orgbridge.emulator.org.references import clear_references, restore_references
from orgbridge.emulator.org.rollups import follow, rollups
from orgbridge.emulator.org.sharing import shared_ids
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.model import Catalogue, SObject
from orgbridge.emulator.storage.tables import quote
from orgbridge.wire.ids import to_18

#: What a row is told that its user may not delete.
NO_ACCESS = Fault("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
#: Rows to delete: for each object, the id of a row and the id of the row that the caller named.
_Doomed = dict[str, dict[str, str]]


class Recycling:
    """Deletes rows and brings them back."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def delete(
        self, context: Context, ids: Sequence[str], *, sobject: SObject | None = None, hard: bool = False
    ) -> list[SaveOutcome]:
        """Delete rows; the outcomes are in their order.

        Args:
            context: Who deletes, and when.
            ids: Ids of 15 or 18 characters.
            sobject: The object they must belong to; None for any.
            hard: Past the recycle bin; rows that are already in it are refused all the same.
        """
        outcomes: list[SaveOutcome | None] = [None] * len(ids)
        roots: dict[str, dict[str, int]] = {}
        for position, text in enumerate(ids):
            found = to_18(text) if isinstance(text, str) else None
            target = self._catalogue.by_prefix(found) if found else None
            if found is None or target is None or (sobject is not None and target.name != sobject.name):
                outcomes[position] = failed(None, _malformed(text))
            elif context.hides(target):
                # Documented: a row that is invisible is told of like one that is not there (errors.md section 2).
                outcomes[position] = failed(found, INVALID_REFERENCE)
            elif not context.seen(target).deletable and not context.system:
                outcomes[position] = failed(found, NO_ACCESS)
            elif found in roots.setdefault(target.name, {}):
                outcomes[position] = failed(found, DELETED)
            else:
                roots[target.name][found] = position
        doomed: _Doomed = {}
        for name, positions in roots.items():
            rows = rows_by_id(context.connection, self._object(name), positions, ())
            shared = shared_ids(context.connection, context.seen(self._object(name)), set(positions), context.user_id)
            for record_id, position in positions.items():
                row = rows.get(record_id) if record_id in shared else None
                if row is None or row[0]:
                    outcomes[position] = failed(record_id, INVALID_REFERENCE if row is None else DELETED)
                else:
                    doomed.setdefault(name, {})[record_id] = record_id
        blocked = self._spread(context, doomed)
        for positions in roots.values():
            for record_id, position in positions.items():
                if outcomes[position] is None:
                    fault = blocked.get(record_id)
                    outcomes[position] = failed(record_id, fault) if fault else SaveOutcome(record_id, False, True)
        for rows_of in doomed.values():
            for record_id in [i for i, root in rows_of.items() if root in blocked]:
                del rows_of[record_id]
        self._remove(context, doomed, hard=hard)
        return [outcome for outcome in outcomes if outcome is not None]

    def undelete(self, context: Context, ids: Sequence[str]) -> list[SaveOutcome]:
        """Bring rows back from the recycle bin with what was deleted along with them; outcomes in their order."""
        outcomes = []
        for text in ids:
            found = to_18(text)
            sobject = self._catalogue.by_prefix(found) if found else None
            if found is None or sobject is None:
                outcomes.append(failed(None, _malformed(text)))
                continue
            if context.hides(sobject):
                fault: Fault | None = INVALID_REFERENCE
            elif not context.seen(sobject).undeletable and not context.system:
                fault = NO_ACCESS
            else:
                fault = self._restore(context, sobject, found)
            outcomes.append(failed(found, fault) if fault else SaveOutcome(found, False, True))
        return outcomes

    def _object(self, name: str) -> SObject:
        found = self._catalogue.sobject(name)
        if found is None:
            raise LookupError(name)
        return found

    def _spread(self, context: Context, doomed: _Doomed) -> dict[str, Fault]:
        """Add the children that go along; return why some of the named rows cannot go."""
        blocked: dict[str, Fault] = {}
        frontier = {name: dict(rows) for name, rows in doomed.items()}
        while frontier:
            following: _Doomed = {}
            for name, parents in frontier.items():
                for relation in self._object(name).child_relationships:
                    if not (relation.cascade_delete or relation.restricted_delete):
                        continue
                    field = quote(relation.field)
                    rows = context.connection.execute(
                        f"SELECT Id, {field} FROM {quote(relation.child)} WHERE IsDeleted = 0"  # noqa: S608 names come from the catalogue
                        f" AND {field} IN (SELECT value FROM json_each(?))",
                        (json_list(parents),),
                    ).fetchall()
                    for child, parent in rows:
                        if relation.restricted_delete:
                            blocked[parents[parent]] = self._in_use(name, relation.child)
                        elif child not in doomed.get(relation.child, {}):
                            doomed.setdefault(relation.child, {})[child] = parents[parent]
                            following.setdefault(relation.child, {})[child] = parents[parent]
            frontier = following
        return blocked

    def _in_use(self, parent: str, child: str) -> Fault:
        label, others = self._object(parent).label, self._object(child).label_plural
        message = f"Your attempt to delete {label} could not be completed because it is associated with {others}"
        return Fault("DELETE_FAILED", message)

    def _remove(self, context: Context, doomed: _Doomed, *, hard: bool) -> None:
        now = stored_instant(context.now)
        former = {
            name: _parents(self._catalogue, context, self._object(name), list(rows)) for name, rows in doomed.items()
        }
        for name, rows in doomed.items():
            if not rows:
                continue
            listed = (json_list(rows),)
            clear_references(self._catalogue, context.connection, self._object(name), rows, doomed, keep=not hard)
            if hard:
                context.connection.execute(
                    f"DELETE FROM {quote(name)} WHERE Id IN (SELECT value FROM json_each(?))",  # noqa: S608
                    listed,
                )
                context.connection.execute("DELETE FROM ob_bin WHERE id IN (SELECT value FROM json_each(?))", listed)
                context.connection.execute(
                    "INSERT OR REPLACE INTO ob_purged SELECT value, ?, ? FROM json_each(?)", (name, now, *listed)
                )
            else:
                context.connection.execute(
                    f"UPDATE {quote(name)} SET IsDeleted = 1, LastModifiedDate = ?, LastModifiedById = ?,"  # noqa: S608
                    " SystemModstamp = ? WHERE Id IN (SELECT value FROM json_each(?))",
                    (now, context.user_id, now, *listed),
                )
                context.connection.executemany(
                    "INSERT OR REPLACE INTO ob_bin VALUES (?, ?, ?, ?)",
                    [(record_id, name, root, now) for record_id, root in rows.items()],
                )
        for name, rows in doomed.items():
            follow(self._catalogue, context, self._object(name), list(rows), former[name])

    def _restore(self, context: Context, sobject: SObject, record_id: str) -> Fault | None:
        row = rows_by_id(context.connection, sobject, [record_id], ()).get(record_id)
        if row is None:
            return INVALID_REFERENCE
        if not row[0]:
            # Assumed: the code for a row that is not in the bin.
            return Fault("UNDELETE_FAILED", "Entity is not in the recycle bin")
        members = context.connection.execute(
            "SELECT sobject, id FROM ob_bin WHERE root_id = ?", (record_id,)
        ).fetchall() or [(sobject.name, record_id)]
        if (fault := self._without_master(context, sobject, record_id)) is not None:
            return fault
        grouped: dict[str, list[str]] = {}
        for name, member in members:
            grouped.setdefault(name, []).append(member)
        for name, ids in grouped.items():
            fault = self._taken(context, self._object(name), ids)
            if fault is not None:
                return fault
        now = stored_instant(context.now)
        for name, ids in grouped.items():
            context.connection.execute(
                f"UPDATE {quote(name)} SET IsDeleted = 0, LastModifiedDate = ?, LastModifiedById = ?,"  # noqa: S608
                " SystemModstamp = ? WHERE Id IN (SELECT value FROM json_each(?))",
                (now, context.user_id, now, json_list(ids)),
            )
            follow(self._catalogue, context, self._object(name), ids, {})
        restore_references(context.connection, record_id)
        context.connection.execute("DELETE FROM ob_bin WHERE root_id = ?", (record_id,))
        return None

    def _without_master(self, context: Context, sobject: SObject, record_id: str) -> Fault | None:
        """Say why a detail cannot come back before its master does. Assumed: the code and the text."""
        for field in sobject.stored_fields:
            if field.relationship_order is None:
                continue
            ((_, parent),) = rows_by_id(context.connection, sobject, [record_id], [field.name]).values()
            target = self._catalogue.by_prefix(str(parent)) if parent else None
            if target is not None and rows_by_id(context.connection, target, [str(parent)], ())[str(parent)][0]:
                return Fault("UNDELETE_FAILED", f"the {target.label.lower()} of the record is deleted")
        return None

    def _taken(self, context: Context, sobject: SObject, ids: Sequence[str]) -> Fault | None:
        """Say which live row has meanwhile taken a unique value of these rows."""
        for field in sobject.stored_fields:
            if not field.unique:
                continue
            rows = rows_by_id(context.connection, sobject, ids, [field.key_column])
            keys = {row[1] for row in rows.values() if isinstance(row[1], str | int | float)}
            for others in ids_by_key(context.connection, sobject, field, keys).values():
                message = f"duplicate value found: {field.name} duplicates value on record with id: {others[0]}"
                return Fault("DUPLICATE_VALUE", message)
        return None


def _parents(catalogue: Catalogue, context: Context, sobject: SObject, ids: list[str]) -> dict[str, object]:
    """Return what the rows' totals hang from, for after they are gone."""
    references = sorted({rollup.reference for rollup in rollups(catalogue, sobject.name)})
    if not references or not ids:
        return {}
    rows = rows_by_id(context.connection, sobject, ids, references).values()
    return {name: [row[place + 1] for row in rows] for place, name in enumerate(references)}


def _malformed(text: object) -> Fault:
    return Fault("MALFORMED_ID", f"malformed id {text}", ("Id",))
