"""Shapes of machines, what covers them, their history, and the parts that fit."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_PRODUCT: dict[str, Any] = {
    "product_id": "01tOb00000000aZIAQ",
    "name": "Slicer 400",
    "product_code": "SL-400",
    "sku": "SL-400",
    "family": "Machines",
    "is_active": True,
}
MACHINE: dict[str, Any] = {
    "machine_id": "02iOb00000000aZIAQ",
    "name": "Slicer 400 no. 1",
    "serial_number": "SN-110-001",
    "status": "Installed",
    "account_id": "001Ob00000000aaIAA",
    "product_id": _PRODUCT["product_id"],
    "product": _PRODUCT,
    "install_date": "2022-05-10",
    "plant_id": "plant_01jd6z7w7kq2m4t8v0x3y5z7b9",
    "warranty": {"state": "expired", "until": "2024-05-09", "at": "2026-11-22"},
}
_WARRANTY: dict[str, Any] = {
    "id": "4xoOb00000000aZIAQ",
    "number": "AW-0001",
    "type": "Standard",
    "start_date": "2022-05-10",
    "end_date": "2024-05-09",
    "state": "expired",
}
ENTRY: dict[str, Any] = {
    "kind": "work_order",
    "id": "0WOOb00000000aZIAQ",
    "number": "00000012",
    "subject": "Yearly service",
    "status": "Completed",
    "created_at": "2026-02-05T08:00:00.000+0000",
    "case_id": None,
}
PART: dict[str, Any] = {
    "product_id": "01tOb00000000bbIAA",
    "name": "Blade 121 D3",
    "product_code": "MP-0003",
    "sku": "MP-0003",
    "quantity": 2,
    "relation": "Spare Part",
    "price": {"unit_price": "17.43", "list_price": "20.50", "currency": "EUR"},
    "price_state": "priced",
    "quantity_rule": None,
}


class MachineProduct(BaseModel):
    """The product that a machine is one of. What a policy hides, or the org does not have, is absent."""

    product_id: str
    name: str | None = None
    product_code: str | None = None
    sku: str | None = None
    family: str | None = None
    is_active: bool | None = None


class WarrantyReply(BaseModel):
    """What the warranties of a machine come to on a day."""

    state: str = Field(description="active, future, expired, none; unknown where a policy hides the days.")
    until: str | None = Field(description="Last day of the state's warranties; null where they do not end.")
    at: str = Field(description="The day that it is told for.")


class MachineReply(BaseModel):
    """A machine: an Asset. What a policy hides, or the org does not have, is absent."""

    model_config = ConfigDict(extra="allow")

    machine_id: str = Field(description="Id of the Asset.")
    name: str | None = None
    serial_number: str | None = None
    status: str | None = None
    account_id: str | None = None
    product_id: str | None = None
    product: MachineProduct | None = None
    quantity: float | None = None
    install_date: str | None = None
    purchase_date: str | None = None
    manufacture_date: str | None = None
    usage_end_date: str | None = None
    description: str | None = None
    digital_status: str | None = None
    city: str | None = None
    country: str | None = None
    external_identifier: str | None = None
    external_id: str | None = None
    plant_id: str | None = Field(None, description="Where it stands, as this service knows it.")
    warranty: WarrantyReply | None = Field(None, description="null where the org keeps none, or you may not see them.")


class MachinePage(BaseModel):
    """One page of machines."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"machines": [MACHINE], "at": "2026-11-22", "next_cursor": None}]}
    )

    machines: list[MachineReply]
    at: str = Field(description="The day that warranties are told for.")
    next_cursor: str | None


class CoverReply(BaseModel):
    """A warranty, an entitlement or a service contract."""

    model_config = ConfigDict(extra="allow")

    id: str
    state: str | None = Field(description="active, future or expired on the day; null where a policy hides the days.")


class CoverageReply(BaseModel):
    """What covers a machine; a list is null where the org keeps none, or you may not see them."""

    at: str
    warranties: list[CoverReply] | None
    entitlements: list[CoverReply] | None
    contracts: list[CoverReply] | None


class HistoryEntry(BaseModel):
    """A case or a work order."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(description="case or work_order.")
    id: str
    number: str | None = None
    subject: str | None = None
    status: str | None = None
    priority: str | None = None
    is_closed: bool | None = None
    created_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    case_id: str | None = None


class HistoryPage(BaseModel):
    """One page of a machine's history, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"entries": [ENTRY], "missing": [], "next_cursor": None}]}
    )

    entries: list[HistoryEntry] | None = Field(description="null where none of it is there for you.")
    missing: list[str] = Field(description="Kinds that the org does not keep, or that you may not see.")
    next_cursor: str | None


class Relative(BaseModel):
    """Another machine of the organization."""

    machine_id: str
    name: str | None = None
    serial_number: str | None = None
    status: str | None = None


class MachineDetail(MachineReply):
    """A machine with all that is known of it."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                MACHINE
                | {
                    "coverage": {"at": "2026-11-22", "warranties": [_WARRANTY], "entitlements": [], "contracts": []},
                    "history": {"entries": [ENTRY], "missing": [], "next_cursor": None},
                    "parent": None,
                    "components": [],
                }
            ]
        },
    )

    coverage: CoverageReply
    history: HistoryPage = Field(description="The newest entries; /history gives the rest.")
    parent: Relative | None = Field(description="The machine that it is a part of.")
    components: list[Relative] = Field(description="Machines that are parts of it.")


class PartPrice(BaseModel):
    """What one piece costs the buyer. Money is text: a number would lose digits."""

    unit_price: str
    list_price: str | None
    currency: str | None


class QuantityRule(BaseModel):
    """How many can be bought."""

    minimum: str | None
    maximum: str | None
    increment: str | None


class PartReply(BaseModel):
    """A part that fits."""

    product_id: str
    name: str | None = None
    product_code: str | None = None
    sku: str | None = None
    family: str | None = None
    description: str | None = None
    quantity: float | None = Field(None, description="How many belong to the machine.")
    min_quantity: float | None = None
    max_quantity: float | None = None
    sequence: int | None = None
    is_required: bool | None = None
    relation: str | None = Field(description="Kind of the relation, as the org calls it.")
    price: PartPrice | None = Field(description="null where none is told; price_state says why.")
    price_state: str = Field(description="priced, not_priced, no_buyer or not_granted.")
    quantity_rule: QuantityRule | None


class PartPage(BaseModel):
    """One page of the parts that fit a machine."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "machine_id": MACHINE["machine_id"],
                    "product_id": _PRODUCT["product_id"],
                    "account_id": MACHINE["account_id"],
                    "prices": "priced",
                    "parts": [PART],
                    "next_cursor": None,
                }
            ]
        }
    )

    machine_id: str
    product_id: str | None = Field(description="The machine's product; null where it has none that you may see.")
    account_id: str | None = Field(description="Whose prices these are; null where nobody's were asked for.")
    prices: str = Field(
        description="priced: asked for; no_buyer: you act as no Salesforce user; not_granted: you may see the machine "
        "and not act for its account."
    )
    parts: list[PartReply]
    next_cursor: str | None
