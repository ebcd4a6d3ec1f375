"""Rows above and below each other in one object: no row may be above itself; assets know their root and level.

Source: facts/salesforce/errors.md section 2 (CIRCULAR_DEPENDENCY), facts/commerce/sobjects.md (Asset). The text of
the error is Assumed, and so is that every standard parent field is looked after while lookups made in the org are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orgbridge.emulator.org.batches import Batch
from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.lookups import json_list
from orgbridge.emulator.org.values import Value, add_fault
from orgbridge.emulator.schema.errors import Fault
from orgbridge.emulator.schema.model import Field, SObject
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote

_LOOP = Fault("CIRCULAR_DEPENDENCY", "attempt to violate hierarchy constraints")


def parent_fields(sobject: SObject) -> tuple[Field, ...]:
    """Return the fields by which rows of the object hang below each other."""
    return tuple(
        f
        for f in sobject.stored_fields
        if f.reference_to == (sobject.name,)
        and f.updateable
        and not f.custom
        and (f.name.startswith("Parent") or f.name == "ReportsToId")
    )


def check_loops(context: Context, sobject: SObject, field: Field, batch: Batch, ids: Sequence[str]) -> None:
    """Refuse updates that would put a row above itself; of two that do so together, the later one."""
    wanted = {place: v for place, v in enumerate(batch.column(field.name)) if isinstance(v, str)}
    if not wanted:
        return
    above = _ancestors(context.connection, sobject, field, wanted.values())
    for place, parent in wanted.items():
        seen: set[Value] = set()
        step: str | None = parent
        while step is not None and step != ids[place] and step not in seen:
            seen.add(step)
            step = above.get(step)
        if step == ids[place]:
            add_fault(batch.faults, place, Fault(_LOOP.code, _LOOP.message, (field.name,)))
        else:
            above[ids[place]] = parent


def _ancestors(connection: Connection, sobject: SObject, field: Field, ids: Iterable[str]) -> dict[str, str | None]:
    table, parent = quote(sobject.name), quote(field.name)
    rows = connection.execute(
        f"WITH RECURSIVE up (id, parent) AS (SELECT Id, {parent} FROM {table}"  # noqa: S608 names come from the catalogue
        f" WHERE Id IN (SELECT value FROM json_each(?)) UNION SELECT t.Id, t.{parent} FROM {table} t"
        " JOIN up ON t.Id = up.parent) SELECT id, parent FROM up",
        (json_list(ids),),
    )
    return dict(rows.fetchall())


def set_asset_roots(connection: Connection, ids: Sequence[str]) -> None:
    """Set `RootAssetId` and `AssetLevel` of assets, and of all the assets below them, from their place in the tree."""
    listed = (json_list(ids),)
    connection.execute(
        'UPDATE "Asset" SET RootAssetId = Id, AssetLevel = 1'
        " WHERE Id IN (SELECT value FROM json_each(?)) AND ParentId IS NULL",
        listed,
    )
    connection.execute(
        "WITH RECURSIVE up (id, parent) AS ("
        ' SELECT Id, ParentId FROM "Asset" WHERE Id IN (SELECT value FROM json_each(?))'
        ' AND (ParentId IS NOT NULL OR EXISTS (SELECT 1 FROM "Asset" c WHERE c.ParentId = "Asset".Id))'
        ' UNION SELECT a.Id, a.ParentId FROM "Asset" a JOIN up ON a.Id = up.parent),'
        " down (id, root, level) AS (SELECT id, id, 1 FROM up WHERE parent IS NULL"
        ' UNION ALL SELECT a.Id, down.root, down.level + 1 FROM "Asset" a JOIN down ON a.ParentId = down.id)'
        ' UPDATE "Asset" SET RootAssetId = down.root, AssetLevel = down.level FROM down'
        ' WHERE "Asset".Id = down.id'
        ' AND ("Asset".RootAssetId IS NOT down.root OR "Asset".AssetLevel IS NOT down.level)',
        listed,
    )
