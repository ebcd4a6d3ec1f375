"""Facts of objects by their describes: asked for as they are needed, and kept as long as the describe is the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from orgbridge.client.errors import NotFound
from orgbridge.orgs.connections import Orgs
from orgbridge.services.policies.errors import PolicyError
from orgbridge.services.policies.facts import ObjectFacts, facts_of
from orgbridge.services.policies.firewall import FactsMissing, Lookup

#: Objects kept.
_KEPT = 300
_T = TypeVar("_T")


class Directory:
    """Facts of the objects of one org."""

    def __init__(self, orgs: Orgs, org: str) -> None:
        self._orgs = orgs
        self._org = org
        self._known: OrderedDict[str, tuple[Mapping[str, Any], ObjectFacts]] = OrderedDict()

    async def facts(self, name: str) -> ObjectFacts | None:
        """Return the facts of an object, None when the org has none of this name.

        Raises:
            ClientError: Salesforce could not be asked.
        """
        try:
            describe = await self._orgs.get(self._org).salesforce.describe.sobject(name)
        except NotFound:
            self._known.pop(name.lower(), None)
            return None
        return self.told(name, describe)

    def told(self, name: str, describe: Mapping[str, Any]) -> ObjectFacts:
        """Return the facts that a describe tells, the same object for the same describe."""
        key = name.lower()
        known = self._known.get(key)
        if known is not None and known[0] is describe:
            self._known.move_to_end(key)
            return known[1]
        facts = facts_of(describe)
        self._known[key] = (describe, facts)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return facts

    async def settle(self, work: Callable[[Lookup], _T]) -> _T:
        """Return what pure work gives that looks objects up; it is done again until all it needs is known and current.

        Raises:
            ClientError: Salesforce could not be asked.
        """
        absent: set[str] = set()
        while True:
            used: dict[str, ObjectFacts] = {}

            def lookup(name: str, used: dict[str, ObjectFacts] = used) -> ObjectFacts | None:
                key = name.lower()
                if key in absent:
                    return None
                known = self._known.get(key)
                if known is None:
                    raise FactsMissing(name)
                used[name] = known[1]
                return known[1]

            try:
                done = work(lookup)
            except FactsMissing as missing:
                if await self.facts(missing.sobject) is None:
                    absent.add(missing.sobject.lower())
                continue
            except PolicyError:
                if await self._are_current(used):
                    raise
                continue
            if await self._are_current(used):
                return done

    async def _are_current(self, used: Mapping[str, ObjectFacts]) -> bool:
        return all([await self.facts(name) is facts for name, facts in used.items()])
