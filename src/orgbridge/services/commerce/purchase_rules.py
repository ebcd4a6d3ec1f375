"""How an organization decides about purchase orders: who approves, up to which amount, and what nobody has to approve.

Laws:
* Who approves is named, by organization; being an administrator does not make an approver.
* An approver's limit is the highest of those of their roles. Where an organization has no limits, nobody is limited;
  where it has some, a role that it does not name has the limit of `*`, and without `*` it may approve nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from orgbridge.kit.clock import Clock
from orgbridge.services.commerce.errors import NotGranted, OrganizationUnknown
from orgbridge.services.commerce.purchase_errors import (
    AmountBeyondLimit,
    NotAnApprover,
    OwnPurchaseOrder,
)
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.principals import Principal, Principals
from orgbridge.services.revisions import new_revision
from orgbridge.services.scopes import Caller, Scope
from orgbridge.store.database import Database, Unit
from orgbridge.store.purchase_order_records import PurchaseOrderRecord, PurchaseRulesRecord

_ANY_ROLE: Final = "*"
_MAX_APPROVERS: Final = 50
_MAX_ROLES: Final = 50
_MAX_AMOUNT: Final = Decimal(10) ** 15
_MAX_DECIMALS: Final = 6
_ZERO: Final = Decimal(0)


def amount(text: object, what: str) -> Decimal:
    """Return an amount of money.

    Raises:
        InvalidRequest: It is not a decimal number from 0 to 10^15 with 6 decimals at most.
    """
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        raise InvalidRequest(f"{what} must be a decimal number, for example 1250.00.") from None
    exponent = value.as_tuple().exponent
    if not value.is_finite() or not isinstance(exponent, int) or exponent < -_MAX_DECIMALS:
        raise InvalidRequest(f"{what} must be a number with {_MAX_DECIMALS} decimals at most.")
    if not _ZERO <= value <= _MAX_AMOUNT:
        raise InvalidRequest(f"{what} must be from 0 to {_MAX_AMOUNT:f}.")
    return value


def money(value: Decimal) -> str:
    """Return an amount as people write it: no exponent, two decimals or as many as it has."""
    text = f"{value:f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def limit_of(rules: PurchaseRulesRecord, roles: Iterable[str], currency: str) -> Decimal | None:
    """Return the amount up to which somebody with these roles may approve; None for any amount."""
    if not rules.limits:
        return None
    best = _ZERO
    others = rules.limits.get(_ANY_ROLE, {})
    for role in tuple(roles) or (_ANY_ROLE,):
        limits = rules.limits.get(role, others)
        if currency in limits:
            text = limits[currency]
            if text is None:
                return None
            best = max(best, Decimal(text))
    return best


def is_free(rules: PurchaseRulesRecord, total: Decimal, currency: str) -> bool:
    """Tell whether nobody has to approve an amount."""
    text = rules.free_up_to.get(currency)
    return text is not None and total <= Decimal(text)


def check_decider(rules: PurchaseRulesRecord, order: PurchaseOrderRecord, caller: Caller) -> None:
    """See that somebody may decide about an order.

    Raises:
        OwnPurchaseOrder: It is their own.
        NotAnApprover: They are not named, or the organization is not granted to them any more.
        AmountBeyondLimit: It is beyond their limit.
    """
    if caller.user_id == order.requester_id:
        raise OwnPurchaseOrder
    if caller.user_id not in rules.approvers or order.organization_id not in caller.organizations:
        raise NotAnApprover
    limit = limit_of(rules, caller.roles, order.currency)
    if limit is not None and order.total > limit:
        raise AmountBeyondLimit(money(order.total), money(limit), order.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """Somebody who may decide about one order."""

    user_id: str
    name: str


class PurchaseRules:
    """Reads, writes and applies rules."""

    def __init__(self, database: Database, principals: Principals, clock: Clock) -> None:
        self._database = database
        self._principals = principals
        self._clock = clock

    async def get(self, organization_id: str, *, caller: Caller | None = None) -> PurchaseRulesRecord:
        """Return the rules of an organization; those that every one begins with, when it has none of its own.

        Args:
            organization_id: Whose.
            caller: Who asks; None for the house itself.

        Raises:
            OrganizationUnknown: There is no such organization.
            NotGranted: The caller has no grant for it.
        """
        async with self._database.unit(write=False) as unit:
            if caller is not None:
                await check_organization(unit, caller, organization_id)
            found = await unit.purchase_rules.get(organization_id)
        return found or PurchaseRulesRecord(organization_id=organization_id)

    async def put(
        self, organization_id: str, values: Mapping[str, Any], *, expected: str | None
    ) -> PurchaseRulesRecord:
        """Write the rules of an organization in place of those it had.

        Args:
            organization_id: Whose.
            values: `approvers` (user ids or names), `limits`, `free_up_to`, `expires_days`, `remind_days`.
            expected: The revision that the old ones must have; None for any.

        Raises:
            OrganizationUnknown: There is no such organization.
            InvalidRequest: Something in them cannot be; nothing was written.
            RevisionStale: They were changed since; nothing was written.
        """
        rules = PurchaseRulesRecord(
            organization_id=organization_id,
            limits=_limits(values.get("limits") or {}),
            free_up_to={
                _currency(code): str(amount(text, "An amount in free_up_to"))
                for code, text in (values.get("free_up_to") or {}).items()
            },
            expires_days=int(values.get("expires_days") or 30),
            remind_days=values.get("remind_days"),
            revision=new_revision(),
            updated_at=self._clock.now(),
        )
        named = list(dict.fromkeys(values.get("approvers") or ()))
        if len(named) > _MAX_APPROVERS:
            raise InvalidRequest(f"An organization has {_MAX_APPROVERS} approvers at most.")
        async with self._database.unit() as unit:
            if await unit.organizations.get(organization_id) is None:
                raise OrganizationUnknown
            approvers = [await _user_id(unit, name) for name in named]
            rules = replace(rules, approvers=tuple(sorted(set(approvers))))
            await unit.purchase_rules.put(rules, expected=expected)
        return rules

    async def deciders(self, rules: PurchaseRulesRecord, order: PurchaseOrderRecord) -> list[Approver]:
        """Return everybody who may decide about an order now."""
        found = []
        for user_id in rules.approvers:
            caller = await self.caller_of(user_id)
            if caller is None or Scope.ORDERS_WRITE not in caller.scopes:
                continue
            try:
                check_decider(rules, order, caller)
            except (OwnPurchaseOrder, NotAnApprover, AmountBeyondLimit):
                continue
            found.append(Approver(user_id=user_id, name=caller.username))
        return found

    async def caller_of(self, user_id: str) -> Caller | None:
        """Return a user as somebody who calls with all their rights; None for one who is gone or disabled."""
        principal: Principal | None = await self._principals.read(user_id)
        if principal is None or principal.user.disabled:
            return None
        return principal.caller(principal.scopes, None)


async def check_organization(unit: Unit, caller: Caller, organization_id: str) -> None:
    """See that a caller is granted an organization.

    Raises:
        OrganizationUnknown: There is no such organization.
        NotGranted: There is, and the caller has no grant for it.
    """
    if await unit.organizations.get(organization_id) is None:
        raise OrganizationUnknown
    if organization_id not in caller.organizations:
        raise NotGranted


async def _user_id(unit: Unit, name: str) -> str:
    user = await unit.users.get(name) or await unit.users.get_by_username(name)
    if user is None:
        raise InvalidRequest(f"approvers: there is no user {name[:80]!r}.")
    return user.id


def _limits(given: Mapping[str, Any]) -> dict[str, dict[str, str | None]]:
    if len(given) > _MAX_ROLES:
        raise InvalidRequest(f"limits: {_MAX_ROLES} roles are the most.")
    return {
        role: {
            _currency(code): None if text is None else str(amount(text, f"The limit of {role[:64]!r}"))
            for code, text in amounts.items()
        }
        for role, amounts in given.items()
    }


def _currency(code: str) -> str:
    if len(code) != 3 or not code.isascii() or not code.isalpha() or not code.isupper():
        raise InvalidRequest(f"{code[:10]!r} is no currency: write its ISO code, for example EUR.")
    return code
