"""What was done to a machine: its cases and work orders, newest first, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orgbridge.kit.json import JSON
from orgbridge.services.commerce.conditions import both, either, equal, path, select
from orgbridge.services.commerce.reaches import Reach
from orgbridge.services.commerce.sights import Question, Row, Sight, settled
from orgbridge.services.scopes import Caller, Scope
from orgbridge.soql import tree
from orgbridge.wire.dates import parse_datetime

_SORTS = ("CreatedDate", "Id")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One of the objects that a history is made of."""

    name: str
    sobject: str
    #: Its fields, with what they are called here.
    fields: Mapping[str, str]


_KINDS = (
    _Kind(
        name="case",
        sobject="Case",
        fields={
            "CaseNumber": "number", "Subject": "subject", "Status": "status", "Priority": "priority", "Type": "type",
            "Reason": "reason", "IsClosed": "is_closed", "CreatedDate": "created_at", "ClosedDate": "ended_at",
        },
    ),
    _Kind(
        name="work_order",
        sobject="WorkOrder",
        fields={
            "WorkOrderNumber": "number", "Subject": "subject", "Status": "status", "StatusCategory": "status_category",
            "Priority": "priority", "IsClosed": "is_closed", "CreatedDate": "created_at", "StartDate": "started_at",
            "EndDate": "ended_at", "CaseId": "case_id",
        },
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One page of a history."""

    #: JSON-ready, newest first; None when neither cases nor work orders are there for the caller.
    entries: list[dict[str, JSON]] | None
    #: Where the next page begins, by kind; None at the end.
    place: dict[str, list[str]] | None
    #: Kinds that are not there for the caller, or not in this org.
    missing: tuple[str, ...]


class Histories:
    """Reads histories of machines."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    async def page(
        self, caller: Caller, reach: Reach, asset_id: str, *, place: Mapping[str, Any] | None, limit: int
    ) -> History:
        """Return one page, in one call.

        Args:
            caller: Who asks.
            reach: What the caller may see: entries about the machine that belong to another account are not shown,
                for they were made when the machine was somebody else's.
            asset_id: The machine.
            place: `place` of the page before; None for the first page.
            limit: Most entries.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        kinds, questions = [], []
        for kind in _KINDS:
            names = await self._sight.fields(caller, Scope.MACHINES_READ, kind.sobject, ["Id", *kind.fields])
            plain = await self._sight.fields(caller, Scope.MACHINES_READ, kind.sobject, _SORTS, plain=True)
            kinds.append(kind)
            questions.append(
                None if not names or not plain else _question(kind, names, plain, reach, asset_id, place, limit)
            )
        found = await self._sight.many(caller, Scope.MACHINES_READ, questions)
        rows = {kind.name: settled(one) for kind, one in zip(kinds, found, strict=True)}
        missing = tuple(name for name, own in rows.items() if own is None)
        if len(missing) == len(_KINDS):
            return History(entries=None, place=None, missing=missing)
        merged = sorted(
            ((kind, row) for kind in _KINDS for row in rows[kind.name] or ()),
            key=lambda one: (str(one[1].get("CreatedDate") or ""), str(one[1]["Id"])),
            reverse=True,
        )
        shown = merged[:limit]
        return History(
            entries=[_portrait(kind, row) for kind, row in shown],
            place=_place(shown, place) if len(merged) > limit else None,
            missing=missing,
        )


def _question(
    kind: _Kind,
    names: Sequence[str],
    sorts: Sequence[str],
    reach: Reach,
    asset_id: str,
    place: Mapping[str, Any] | None,
    limit: int,
) -> Question:
    order = [(name, True) for name in _SORTS if name in sorts]
    query = select(kind.sobject, names, order=order, limit=limit + 1)
    after = (place or {}).get(kind.name)
    own = both(equal("AssetId", asset_id), reach.rows(), _after(after, sorts) if after else None)
    return Question(query=query, own=own)


def _after(after: Sequence[str], sorts: Sequence[str]) -> tree.Condition:
    """Return the condition on rows behind the last one that was shown."""
    instant, identifier = parse_datetime(after[0]), after[1]
    behind = tree.Comparison(left=path("Id"), operator=tree.Operator.LESS, right=tree.StringValue(value=identifier))
    if instant is None or "CreatedDate" not in sorts:
        return behind
    return either([_at(tree.Operator.LESS, instant), both(_at(tree.Operator.EQUAL, instant), behind) or behind])


def _at(operator: tree.Operator, instant: datetime) -> tree.Condition:
    return tree.Comparison(left=path("CreatedDate"), operator=operator, right=tree.DateTimeValue(value=instant))


def _place(shown: Sequence[tuple[_Kind, Row]], before: Mapping[str, Any] | None) -> dict[str, list[str]]:
    place: dict[str, list[str]] = {name: list(value) for name, value in (before or {}).items()}
    for kind, row in shown:
        place[kind.name] = [str(row.get("CreatedDate") or ""), str(row["Id"])]
    return place


def _portrait(kind: _Kind, row: Row) -> dict[str, JSON]:
    told: dict[str, JSON] = {"kind": kind.name, "id": row["Id"]}
    return told | {name: row[field] for field, name in kind.fields.items() if field in row}
