"""What the policies of a caller's roles leave of ordering: the object Order and its operation `create`."""

from __future__ import annotations

from orgbridge.kit.notes import note
from orgbridge.orgs.connections import Orgs
from orgbridge.services.policies.directory import Directory
from orgbridge.services.policies.errors import ObjectMissing, OperationRefused
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.policy import policy_of
from orgbridge.services.scopes import Caller, Scope

ORDER = "Order"


class OrderRights:
    """Asks the policies before anything is ordered."""

    def __init__(self, orgs: Orgs, org: str = "default") -> None:
        self._directory = Directory(orgs, org)

    async def place(self, caller: Caller) -> None:
        """See that the caller may make orders.

        Raises:
            PolicyError: No role allows it; nothing was sent.
            ClientError: The object could not be described.
        """
        note(object_name=ORDER, operation=Operation.CREATE.value)
        policy = policy_of(caller, Scope.ORDERS_WRITE)
        if policy.is_unrestricted:
            return
        facts = await self._directory.facts(ORDER) if policy.grants(ORDER) else None
        if facts is None:
            raise ObjectMissing
        if not policy.view(facts, frozenset({Operation.CREATE})).grants:
            raise OperationRefused(f"No role of yours allows {Operation.CREATE.value} on {ORDER}.")
