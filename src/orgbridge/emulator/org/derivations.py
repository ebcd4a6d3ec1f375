"""What the platform computes when a record is saved: names, stages, totals, copies from a parent.

Tables, so that what is computed can be read off; what is not computed is listed in docs/emulator/deviations.md.
A value that the record gives itself is never overwritten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from orgbridge.emulator.org.contents import body_length, file_names, file_size
from orgbridge.wire.dates import bulk_datetime, parse_date, parse_datetime


@dataclass(frozen=True, slots=True)
class Derivation:
    """Fields that follow from other fields of the same row."""

    #: Fields read.
    inputs: tuple[str, ...]
    #: Fields set.
    outputs: tuple[str, ...]
    #: From the instant of the save (stored form) and the inputs' stored values to the outputs' stored values.
    compute: Callable[..., tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Copy:
    """Fields taken over from the row that a reference points to, at the time of the save."""

    #: Reference field read.
    reference: str
    #: Object it points to; other targets of a polymorphic reference are left alone.
    target: str
    #: Pairs of the parent's field and this row's field.
    fields: tuple[tuple[str, str], ...]


def _person_name(_now: str, first: str | None, last: str | None) -> tuple[str | None]:
    return (" ".join(part for part in (first, last) if part) or None,)


#: Probability, forecast category, its label, closed, won. The values of a new org. Source: the standard stages;
#: assumed: that every open stage forecasts as Pipeline.
_STAGES: dict[str, tuple[float, str]] = {
    "Prospecting": (10.0, "Pipeline"),
    "Qualification": (10.0, "Pipeline"),
    "Needs Analysis": (20.0, "Pipeline"),
    "Value Proposition": (50.0, "Pipeline"),
    "Id. Decision Makers": (60.0, "Pipeline"),
    "Perception Analysis": (70.0, "Pipeline"),
    "Proposal/Price Quote": (75.0, "Pipeline"),
    "Negotiation/Review": (90.0, "Pipeline"),
    "Closed Won": (100.0, "Closed"),
    "Closed Lost": (0.0, "Omitted"),
}
_CATEGORIES = {"Best Case": "BestCase", "Commit": "Forecast"}


def _stage(_now: str, stage: str | None) -> tuple[Any, ...]:
    probability, category = _STAGES.get(stage or "", (None, "Pipeline"))
    return probability, category, int(stage in ("Closed Won", "Closed Lost")), int(stage == "Closed Won")


def _category(_now: str, name: str | None) -> tuple[str | None]:
    return (_CATEGORIES.get(name or "", name),)


def _expected_revenue(_now: str, amount: float | None, probability: float | None) -> tuple[float | None]:
    return (None if amount is None else round(amount * (probability or 0.0) / 100, 2),)


def _fiscal(_now: str, close: str | None) -> tuple[Any, ...]:
    day = parse_date(close or "")
    if day is None:
        return None, None, None
    quarter = (day.month + 2) // 3
    return day.year, quarter, f"{day.year} {quarter}"


def _case_closed(now: str, status: str | None, closed: str | None) -> tuple[int, str | None]:
    return (1, closed or now) if status == "Closed" else (0, None)


def _task_closed(now: str, status: str | None, completed: str | None) -> tuple[int, str | None]:
    return (1, completed or now) if status == "Completed" else (0, None)


def _task_priority(_now: str, priority: str | None) -> tuple[int]:
    return (int(priority == "High"),)


def _default_subtype(_now: str, subtype: str | None) -> tuple[str]:
    return (subtype or "Task",)


def _event_times(
    _now: str, start: str | None, moment: str | None, end: str | None, minutes: int | None
) -> tuple[Any, ...]:
    begin = parse_datetime(start or moment or "")
    if begin is None:
        return start, moment, None, end, minutes
    stop = parse_datetime(end or "")
    if stop is None and minutes is not None:
        stop = begin + timedelta(minutes=minutes)
    length = minutes if stop is None else int((stop - begin).total_seconds() // 60)
    text = bulk_datetime(begin)
    return text, text, text[:10], None if stop is None else bulk_datetime(stop), length


def _same(_now: str, value: Any) -> tuple[Any]:
    return (value,)


def _zero_at_first(_now: str, total: float | None) -> tuple[float]:
    return (total or 0.0,)


def _order_status(_now: str, status: str | None) -> tuple[str]:
    return ("Activated" if status == "Activated" else "Draft",)


def _contract_status(_now: str, status: str | None) -> tuple[str]:
    return ({"Activated": "Activated", "In Approval Process": "InApproval"}.get(status or "", "Draft"),)


def _line_total(_now: str, price: float | None, quantity: float | None) -> tuple[float | None]:
    return (None if price is None or quantity is None else round(price * quantity, 2),)


def _product_price(
    _now: str, price: float | None, quantity: float | None, total: float | None
) -> tuple[float | None, float | None]:
    if price is None and total is not None and quantity:
        price = round(total / quantity, 2)
    return price, None if price is None or quantity is None else round(price * quantity, 2)


def _quote_line(
    _now: str, price: float | None, quantity: float | None, discount: float | None
) -> tuple[float | None, float | None]:
    if price is None or quantity is None:
        return None, None
    return round(price * quantity, 2), round(price * quantity * (1 - (discount or 0.0) / 100), 2)


def _grand_total(_now: str, *parts: float | None) -> tuple[float]:
    return (round(sum(part or 0.0 for part in parts), 2),)


def _either(_now: str, one: str | None, other: str | None) -> tuple[str | None]:
    return (one or other,)


#: Categories of the statuses of a new org's work orders. Source: facts/commerce/sobjects.md, "WorkOrder".
_WORK_CATEGORIES = {"In Progress": "InProgress", "On Hold": "OnHold", "Cannot Complete": "CannotComplete"}


def _work_status(_now: str, status: str | None) -> tuple[str, int]:
    category = _WORK_CATEGORIES.get(status or "", status or "None")
    return category, int(category in ("Closed", "Canceled"))


def _contract_end(_now: str, start: str | None, months: int | None) -> tuple[str | None]:
    begin = parse_date(start or "")
    if begin is None or months is None:
        return (None,)
    year, month = divmod(begin.year * 12 + begin.month - 1 + months, 12)
    for day in range(begin.day, 0, -1):
        try:
            return ((date(year, month + 1, day) - timedelta(days=1)).isoformat(),)
        except ValueError:
            continue
    return (None,)


_PERSON_NAME = Derivation(("FirstName", "LastName"), ("Name",), _person_name)
DERIVATIONS: dict[str, tuple[Derivation, ...]] = {
    "Contact": (_PERSON_NAME,),
    "Lead": (_PERSON_NAME,),
    "User": (
        _PERSON_NAME,
        Derivation(("Username",), ("CommunityNickname",), lambda _now, n: ((n or "")[:40] or None,)),
    ),
    "Opportunity": (
        Derivation(("StageName",), ("Probability", "ForecastCategoryName", "IsClosed", "IsWon"), _stage),
        Derivation(("ForecastCategoryName",), ("ForecastCategory",), _category),
        Derivation(("Amount", "Probability"), ("ExpectedRevenue",), _expected_revenue),
        Derivation(("CloseDate",), ("FiscalYear", "FiscalQuarter", "Fiscal"), _fiscal),
    ),
    "Case": (Derivation(("Status", "ClosedDate"), ("IsClosed", "ClosedDate"), _case_closed),),
    "Task": (
        Derivation(("Status", "CompletedDateTime"), ("IsClosed", "CompletedDateTime"), _task_closed),
        Derivation(("Priority",), ("IsHighPriority",), _task_priority),
        Derivation(("TaskSubtype",), ("TaskSubtype",), _default_subtype),
    ),
    "Event": (
        Derivation(
            ("StartDateTime", "ActivityDateTime", "EndDateTime", "DurationInMinutes"),
            ("StartDateTime", "ActivityDateTime", "ActivityDate", "EndDateTime", "DurationInMinutes"),
            _event_times,
        ),
    ),
    "Order": (
        Derivation(("Status",), ("StatusCode",), _order_status),
        Derivation(("TotalAmount",), ("TotalAmount",), _zero_at_first),
    ),
    "OrderItem": (
        Derivation(("UnitPrice", "Quantity"), ("TotalPrice",), _line_total),
        Derivation(("Quantity",), ("AvailableQuantity",), _same),
    ),
    "OpportunityLineItem": (
        Derivation(("UnitPrice", "Quantity", "TotalPrice"), ("UnitPrice", "TotalPrice"), _product_price),
    ),
    "Quote": (Derivation(("TotalPrice", "Tax", "ShippingHandling"), ("GrandTotal",), _grand_total),),
    "QuoteLineItem": (Derivation(("UnitPrice", "Quantity", "Discount"), ("Subtotal", "TotalPrice"), _quote_line),),
    "CampaignMember": (Derivation(("LeadId", "ContactId"), ("LeadOrContactId",), _either), _PERSON_NAME),
    "WorkOrder": (Derivation(("Status",), ("StatusCategory", "IsClosed"), _work_status),),
    "Attachment": (Derivation(("Body",), ("BodyLength",), body_length),),
    "Document": (Derivation(("Body",), ("BodyLength",), body_length),),
    "ContentVersion": (
        Derivation(("VersionData",), ("ContentSize", "Checksum"), file_size),
        Derivation(("PathOnClient", "Title"), ("FileExtension", "FileType", "Title"), file_names),
    ),
    "Contract": (
        Derivation(("Status",), ("StatusCode",), _contract_status),
        Derivation(("StartDate", "ContractTerm"), ("EndDate",), _contract_end),
    ),
}
_PERSON = (("FirstName", "FirstName"), ("LastName", "LastName"), ("Email", "Email"), ("Phone", "Phone"))
COPIES: dict[str, tuple[Copy, ...]] = {
    "PricebookEntry": (Copy("Product2Id", "Product2", (("Name", "Name"), ("ProductCode", "ProductCode"))),),
    "OrderItem": (
        Copy(
            "PricebookEntryId",
            "PricebookEntry",
            (("Product2Id", "Product2Id"), ("UnitPrice", "ListPrice"), ("UnitPrice", "UnitPrice")),
        ),
    ),
    "OpportunityLineItem": (
        Copy(
            "PricebookEntryId",
            "PricebookEntry",
            (
                ("Product2Id", "Product2Id"),
                ("UnitPrice", "ListPrice"),
                ("Name", "Name"),
                ("ProductCode", "ProductCode"),
            ),
        ),
    ),
    "Quote": (Copy("OpportunityId", "Opportunity", (("AccountId", "AccountId"),)),),
    "QuoteLineItem": (
        Copy("PricebookEntryId", "PricebookEntry", (("Product2Id", "Product2Id"), ("UnitPrice", "ListPrice"))),
    ),
    "CampaignMember": (
        Copy("ContactId", "Contact", _PERSON),
        Copy("LeadId", "Lead", (*_PERSON, ("Company", "CompanyOrAccount"))),
    ),
    "Asset": (
        Copy("Product2Id", "Product2", (("ProductCode", "ProductCode"), ("StockKeepingUnit", "StockKeepingUnit"))),
    ),
    "Case": (
        Copy(
            "ContactId",
            "Contact",
            (
                ("AccountId", "AccountId"),
                ("Phone", "ContactPhone"),
                ("MobilePhone", "ContactMobile"),
                ("Email", "ContactEmail"),
                ("Fax", "ContactFax"),
            ),
        ),
    ),
    "Task": (
        Copy("WhoId", "Contact", (("AccountId", "AccountId"),)),
        Copy("WhatId", "Account", (("Id", "AccountId"),)),
        Copy("WhatId", "Opportunity", (("AccountId", "AccountId"),)),
    ),
    "Event": (
        Copy("WhoId", "Contact", (("AccountId", "AccountId"),)),
        Copy("WhatId", "Account", (("Id", "AccountId"),)),
        Copy("WhatId", "Opportunity", (("AccountId", "AccountId"),)),
    ),
    "User": (
        Copy("ContactId", "Contact", (("AccountId", "AccountId"),)),
        Copy("ProfileId", "Profile", (("UserType", "UserType"),)),
    ),
}


def stored_instant(now: datetime) -> str:
    """Return an instant as system fields hold it: whole seconds, `.000Z`."""
    return bulk_datetime(now.replace(microsecond=0))
