"""Records with their children in one call, all or none: POST /composite/tree/{sobject}.

Source: facts/salesforce/composite.md section 3. Assumed: codes and texts of what refuses the call as a whole; that
the records of one level are told of together, and that a level is not tried when one above it failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.composite import refuse, refuse_keys
from orgbridge.emulator.org.org import Org
from orgbridge.emulator.schema.errors import Fault, SFError
from orgbridge.emulator.schema.model import Catalogue, SObject
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON
from orgbridge.wire.limits import TREE_LEVELS, TREE_RECORDS, TREE_TYPES

_REFERENCE_ID = re.compile(r"[A-Za-z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    """One record of a tree."""

    #: Its object.
    sobject: SObject
    #: What the caller calls it.
    reference_id: str
    #: Its own fields.
    row: Mapping[str, JSON]
    #: Field that points to the record above; None at the top.
    link: str | None
    #: Place of the record above in its level.
    above: int
    #: Pairs of a link and the records below that hang on it.
    below: tuple[tuple[str, SObject, JSON], ...]


class _Refused(Exception):
    """Ends the transaction: some records cannot be saved."""

    def __init__(self, faults: Sequence[tuple[str, Sequence[Fault]]]) -> None:
        self.faults = faults
        super().__init__("refused")


async def create(call: Call) -> Response:
    """Answer POST /composite/tree/{sobject}: 201 with all ids, or 400 with the records that are to blame."""
    org, user_id = call.parts.org, call.user_id
    seen = org.view(user_id)
    top = org.sobject(call.args["sobject"], user_id=user_id)
    body = await call.json_object()
    refuse_keys(body, ("records",))
    levels = _levels(seen, top, body.get("records"))
    leaves = [leaf for level in levels for leaf in level]
    faults = _bad_ids(leaves)

    def work() -> list[str]:
        with org.storage.write() as connection:
            return _save(org, connection, levels, user_id, allow_duplicates=call.allows_duplicates)

    try:
        if faults:
            raise _Refused(faults)
        ids = await call.thread(work)
    except _Refused as refused:
        return call.json({"hasErrors": True, "results": [_failed(name, own) for name, own in refused.faults]}, 400)
    results = [{"referenceId": leaf.reference_id, "id": record_id} for leaf, record_id in zip(leaves, ids, strict=True)]
    return call.json({"hasErrors": False, "results": results}, 201)


def _failed(reference_id: str, faults: Sequence[Fault]) -> JSON:
    errors = [{"statusCode": fault.code, "message": fault.message, "fields": list(fault.fields)} for fault in faults]
    return {"referenceId": reference_id, "errors": errors}


def _levels(seen: Catalogue, top: SObject, records: JSON) -> list[list[_Leaf]]:
    """Return the records level by level.

    Raises:
        SFError: The tree is out of form, or larger than may be. Nothing was saved.
    """
    levels: list[list[_Leaf]] = []
    level = [_leaf(seen, item, top, None, 0) for item in _items(records)]
    while level:
        levels.append(level)
        count = sum(map(len, levels))
        if count > TREE_RECORDS or len(levels) > TREE_LEVELS:
            refuse(f"A tree may hold at most {TREE_RECORDS} records in {TREE_LEVELS} levels", "EXCEEDED_ID_LIMIT")
        level = list(_next_level(seen, level))
    if len({leaf.sobject.name for level in levels for leaf in level}) > TREE_TYPES:
        refuse(f"A tree may hold at most {TREE_TYPES} types of records")
    return levels


def _next_level(seen: Catalogue, level: Sequence[_Leaf]) -> Iterator[_Leaf]:
    for place, leaf in enumerate(level):
        for link, child, records in leaf.below:
            for item in _items(records):
                yield _leaf(seen, item, child, link, place)


def _items(records: JSON) -> list[dict[str, JSON]]:
    if not isinstance(records, list) or not records or not all(isinstance(item, dict) for item in records):
        raise SFError("JSON_PARSER_ERROR", "records must be a list of objects at [line:1, column:1]")
    return records


def _leaf(seen: Catalogue, item: Mapping[str, JSON], expected: SObject, link: str | None, above: int) -> _Leaf:
    attributes = item.get("attributes")
    kind = attributes.get("type") if isinstance(attributes, dict) else None
    reference_id = attributes.get("referenceId") if isinstance(attributes, dict) else None
    if not isinstance(kind, str) or not isinstance(reference_id, str):
        raise SFError("INVALID_INPUT", "attributes.type and attributes.referenceId are required in every record", 400)
    if kind.lower() != expected.name.lower():
        raise SFError("INVALID_INPUT", f"The record type {kind} does not match {expected.name}", 400)
    row: dict[str, JSON] = {}
    below: list[tuple[str, SObject, JSON]] = []
    for name, value in item.items():
        relation = expected.child_relationship(name) if isinstance(value, dict) and "records" in value else None
        child = seen.sobject(relation.child) if relation else None
        if relation and child:
            below.append((relation.field, child, value["records"]))
        elif name != "attributes":
            row[name] = value
    return _Leaf(sobject=expected, reference_id=reference_id, row=row, link=link, above=above, below=tuple(below))


def _bad_ids(leaves: Sequence[_Leaf]) -> list[tuple[str, Sequence[Fault]]]:
    """Return what is wrong with reference ids; each of several equal ones is told of."""
    names = [leaf.reference_id for leaf in leaves]
    bad: list[tuple[str, Sequence[Fault]]] = []
    for name in names:
        if names.count(name) > 1:
            bad.append((name, (Fault("INVALID_INPUT", "Duplicate ReferenceId provided in the request."),)))
        elif not _REFERENCE_ID.match(name):
            bad.append((name, (Fault("INVALID_INPUT", "ReferenceId must start with a letter or a number."),)))
    return bad


def _save(
    org: Org, connection: Connection, levels: Sequence[Sequence[_Leaf]], user_id: str, *, allow_duplicates: bool
) -> list[str]:
    """Insert level by level, each run of one type in one go; return the ids in the order of the records.

    Raises:
        _Refused: Some records of a level cannot be saved.
    """
    every: list[str] = []
    ids: list[str] = []
    for level in levels:
        own: list[str] = []
        faults: list[tuple[str, Sequence[Fault]]] = []
        for name, run in groupby(level, key=lambda leaf: leaf.sobject.name):
            leaves = list(run)
            rows = [{**leaf.row, leaf.link: ids[leaf.above]} if leaf.link else leaf.row for leaf in leaves]
            outcomes = org.insert_in(connection, name, rows, user_id=user_id, allow_duplicates=allow_duplicates)
            own += [outcome.id or "" for outcome in outcomes]
            faults += [
                (leaf.reference_id, outcome.errors)
                for leaf, outcome in zip(leaves, outcomes, strict=True)
                if not outcome.success
            ]
        if faults:
            raise _Refused(faults)
        every += own
        ids = own
    return every
