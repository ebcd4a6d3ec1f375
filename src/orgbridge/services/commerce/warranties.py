"""What covers a machine on a day, worked out from the rows that say so. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from orgbridge.kit.json import JSON
from orgbridge.services.commerce.conditions import both, compare, either, equal, select, within
from orgbridge.services.commerce.sights import Row
from orgbridge.soql import tree
from orgbridge.wire.dates import parse_date

#: Of a warranty, an entitlement and a service contract.
WARRANTY_FIELDS = (
    *("Id", "AssetId", "AssetWarrantyNumber", "WarrantyType", "StartDate", "EndDate", "Exclusions"),
    *("PartsCovered", "PartsCoveredEndDate", "LaborCovered", "LaborCoveredEndDate"),
    *("ExpensesCovered", "ExpensesCoveredEndDate"),
)
ENTITLEMENT_FIELDS = (
    *("Id", "Name", "AssetId", "Type", "StartDate", "EndDate", "AssetWarrantyId", "ServiceContractId"),
    *("CasesPerEntitlement", "RemainingCases", "WorkOrdersPerEntitlement", "RemainingWorkOrders"),
)
CONTRACT_FIELDS = ("Id", "Name", "ContractNumber", "StartDate", "EndDate", "ApprovalStatus")
_NAMES = {
    "AssetWarrantyNumber": "number", "ContractNumber": "number", "Name": "name", "WarrantyType": "type",
    "Type": "type", "ApprovalStatus": "approval_status", "StartDate": "start_date", "EndDate": "end_date",
    "Exclusions": "exclusions", "PartsCovered": "parts_covered", "PartsCoveredEndDate": "parts_covered_end_date",
    "LaborCovered": "labor_covered", "LaborCoveredEndDate": "labor_covered_end_date",
    "ExpensesCovered": "expenses_covered", "ExpensesCoveredEndDate": "expenses_covered_end_date",
    "AssetWarrantyId": "warranty_id", "ServiceContractId": "contract_id",
    "CasesPerEntitlement": "cases", "RemainingCases": "remaining_cases",
    "WorkOrdersPerEntitlement": "work_orders", "RemainingWorkOrders": "remaining_work_orders",
}  # fmt: skip


class Cover(StrEnum):
    """How a day lies to what covers a machine."""

    ACTIVE = "active"
    #: It begins later.
    FUTURE = "future"
    EXPIRED = "expired"
    #: There is nothing.
    NONE = "none"


def cover_of(start: date | None, end: date | None, at: date) -> Cover:
    """Return how a day lies to one warranty. Both ends count; without an end it lasts.

    Source: facts/commerce/sobjects.md, AssetWarranty and Entitlement: StartDate and EndDate. Assumed: without EndDate
    it does not end.
    """
    if start is not None and start > at:
        return Cover.FUTURE
    return Cover.EXPIRED if end is not None and end < at else Cover.ACTIVE


def cover_of_all(covers: Iterable[Cover]) -> Cover:
    """Return what several warranties come to: one that is active is enough."""
    found = set(covers)
    return next((one for one in (Cover.ACTIVE, Cover.FUTURE, Cover.EXPIRED) if one in found), Cover.NONE)


def condition(cover: Cover, at: date) -> tuple[tree.Condition, ...]:
    """Return the conditions that a machine's warranties come to a state on a day, in step with `cover_of_all`.

    They are joined by AND; two semi-joins at most, which is what a query may have (soql.md section 4).
    """
    begun = compare("StartDate", tree.Operator.LESS_OR_EQUAL, at)
    unbegun = compare("StartDate", tree.Operator.GREATER, at)
    lasting = either([equal("EndDate", None), compare("EndDate", tree.Operator.GREATER_OR_EQUAL, at)])
    ended = compare("EndDate", tree.Operator.LESS, at)
    without_start = either([equal("StartDate", None), begun])
    match cover:
        case Cover.ACTIVE:
            return (_semi(both(without_start, lasting)),)
        case Cover.FUTURE:
            return (_semi(unbegun), _semi(both(without_start, lasting), negated=True))
        case Cover.EXPIRED:
            return (_semi(both(without_start, ended)), _semi(either([lasting, unbegun]), negated=True))
        case Cover.NONE:
            return (_semi(None, negated=True),)


def covers_portrait(rows: Iterable[Row], at: date) -> list[dict[str, JSON]]:
    """Return warranties, entitlements or contracts with how the day lies to each; the last ending first."""
    told = []
    for row in rows:
        portrait: dict[str, JSON] = {"id": row["Id"]}
        portrait |= {name: row[field] for field, name in _NAMES.items() if field in row}
        portrait["state"] = _cover(row, at)
        told.append(portrait)
    return sorted(told, key=lambda one: (str(one.get("end_date") or "9999"), str(one["id"])), reverse=True)


def warranty_portrait(rows: Iterable[Row], at: date) -> dict[str, JSON]:
    """Return what a machine's warranties come to on a day; `unknown` where a policy hides the days."""
    rows = list(rows)
    states = [_cover(row, at) for row in rows]
    if None in states:
        return {"state": "unknown", "until": None, "at": at.isoformat()}
    cover = cover_of_all(Cover(str(state)) for state in states)
    ends = [row.get("EndDate") for row, state in zip(rows, states, strict=True) if state == cover.value]
    until = None if not ends or None in ends else max(str(end) for end in ends)
    return {"state": cover.value, "until": until, "at": at.isoformat()}


def _cover(row: Row, at: date) -> str | None:
    if "StartDate" not in row or "EndDate" not in row:
        return None
    start, end = (parse_date(str(row[name])) if row[name] else None for name in ("StartDate", "EndDate"))
    return cover_of(start, end, at).value


def _semi(where: tree.Condition | None, *, negated: bool = False) -> tree.Condition:
    return within("Id", select("AssetWarranty", ["AssetId"], where=where), negated=negated)
