"""The org's limits as Salesforce tells them, and this service's own budget of them."""

from __future__ import annotations

from typing import Any

from orgbridge.client.errors import ConsentNeeded
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.uses import call_for
from orgbridge.services.scopes import Caller


class LimitService:
    """Limits of one org."""

    def __init__(self, orgs: Orgs, org: str = "default") -> None:
        self._orgs = orgs
        self._org = org

    async def all(self, *, caller: Caller) -> dict[str, Any]:
        """Return the org's limits as Salesforce gives them, and this service's own.

        The org's are None while it needs consent again: then the service's say what is the matter.

        Raises:
            ClientError: Salesforce could not be reached, or the user lacks a permission.
        """
        call_for(caller.username)
        try:
            org = await self._orgs.get(self._org).salesforce.limits.get()
        except ConsentNeeded:
            org = None
        return {"org": org, "service": await self.own(caller=caller)}

    async def own(self, *, caller: Caller) -> dict[str, Any]:
        """Return what this process knows and does: the budget, the calls at once, and the caller's own use.

        Nobody is asked for it.
        """
        connection = self._orgs.get(self._org)
        concurrency = connection.concurrency
        return {
            "salesforce_calls": connection.salesforce.calls,
            "connection": (await connection.consent.standing()).to_json(),
            "budget": connection.budget.figures(),
            "concurrency": {
                "limit": concurrency.limit,
                "ceiling": connection.config.max_concurrent,
                "running": concurrency.running,
                "waiting": concurrency.waiting,
            },
            "caller": {"name": caller.username, "calls_in_24_hours": connection.budget.used_by(caller.username)},
        }
