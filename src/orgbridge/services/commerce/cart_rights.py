"""What the policies of a caller's roles leave of carts: objects WebCart and CartItem, their operations and fields.

Carts are not read by queries, so that conditions on rows cannot be put into them: a role that sees only some rows of
these objects sees no carts here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orgbridge.kit.notes import note
from orgbridge.orgs.connections import Orgs
from orgbridge.services.policies.directory import Directory
from orgbridge.services.policies.errors import ObjectMissing, OperationRefused, RowsRefused
from orgbridge.services.policies.masking import masked
from orgbridge.services.policies.model import STRICTEST, Operation
from orgbridge.services.policies.policy import GrantView, policy_of
from orgbridge.services.scopes import Caller, Scope

CART, LINE = "WebCart", "CartItem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a caller sees of an object's fields."""

    #: Roles that show the object, all rows of it; None when everything is seen.
    grants: tuple[GrantView, ...] | None = None

    def shown(self, field: str, value: Any) -> Any:
        """Return a field's value as the caller may see it: None where the field is hidden."""
        name = field.lower()
        if self.grants is None or name == "id" or any(name in one.rights.plain for one in self.grants):
            return value
        masks = [(one.rights.masked[name], one.grant.role.hash_key) for one in self.grants if name in one.rights.masked]
        if not masks:
            return None
        mask, key = min(masks, key=lambda pair: STRICTEST.index(pair[0]))
        return masked(value, mask, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class CartSight:
    """What a caller sees of carts."""

    cart: Sight
    line: Sight


class CartRights:
    """Asks the policies before carts are read or changed."""

    def __init__(self, orgs: Orgs, org: str = "default") -> None:
        self._directory = Directory(orgs, org)

    async def read(self, caller: Caller) -> CartSight:
        """Return what the caller sees of carts.

        Raises:
            PolicyError: No role shows carts.
            ClientError: An object could not be described.
        """
        return CartSight(
            cart=await self._sight(caller, Scope.CARTS_READ, CART, Operation.READ),
            line=await self._sight(caller, Scope.CARTS_READ, LINE, Operation.READ),
        )

    async def change(self, caller: Caller, sobject: str, operation: Operation, fields: tuple[str, ...] = ()) -> None:
        """See that the caller may change carts.

        Args:
            caller: Who asks.
            sobject: `WebCart` or `CartItem`.
            operation: What is to be done.
            fields: Fields that are written.

        Raises:
            PolicyError: No role allows it; nothing was sent.
            ClientError: The object could not be described.
        """
        note(object_name=sobject, operation=operation.value)
        sight = await self._sight(caller, Scope.CARTS_WRITE, sobject, operation)
        if sight.grants is None:
            return
        wanted = {name.lower() for name in fields}
        if not any(wanted <= one.rights.writable for one in sight.grants):
            raise RowsRefused(f"No role of yours lets you write {', '.join(fields)} of {sobject}.")

    async def _sight(self, caller: Caller, scope: Scope, sobject: str, operation: Operation) -> Sight:
        policy = policy_of(caller, scope)
        if policy.is_unrestricted:
            return Sight()
        facts = await self._directory.facts(sobject) if policy.grants(sobject) else None
        if facts is None:
            raise ObjectMissing
        view = policy.view(facts, frozenset({operation}))
        if not view.grants:
            raise OperationRefused(f"No role of yours allows {operation.value} on {sobject}.")
        whole = tuple(one for one in view.grants if one.grant.where is None)
        if not whole:
            raise RowsRefused(f"Only some rows of {sobject} are open to you, and carts are not read by queries.")
        return Sight(grants=whole)
