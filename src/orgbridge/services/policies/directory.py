"""Facts of objects by their describes: asked for as they are needed, and kept as long as the describe is the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from orgbridge.client.errors import NotFound
from orgbridge.orgs.connections import Orgs
from orgbridge.services.policies.errors import PolicyError
from orgbridge.services.policies.facts import ObjectFacts, facts_of
from orgbridge.services.policies.questions import FactsMissing, Lookup

#: Objects kept.
_KEPT = 300
#: Results of work kept, and the longest text of one that is.
_KEPT_RESULTS, _KEPT_CHARS = 1_000, 4_000
_T = TypeVar("_T")


class Directory:
    """Facts of the objects of one org."""

    def __init__(self, orgs: Orgs, org: str) -> None:
        self._orgs = orgs
        self._org = org
        self._known: OrderedDict[str, tuple[Mapping[str, Any], ObjectFacts]] = OrderedDict()
        self._settled: OrderedDict[tuple[Hashable, ...], tuple[Any, dict[str, ObjectFacts]]] = OrderedDict()

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
        # A describe that was let go and asked for again is another object that says the same.
        is_same = known is not None and (known[0] is describe or known[0] == describe)
        facts = known[1] if known is not None and is_same else facts_of(describe)
        self._known[key] = (describe, facts)
        self._known.move_to_end(key)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return facts

    async def settle(self, work: Callable[[Lookup], _T], key: tuple[Hashable, ...]) -> _T:
        """Return what pure work gives that looks objects up; it is done again until all it needs is known and current.

        Args:
            work: Gives the same for the same facts, and raises `PolicyError` or what is wrong with a text.
            key: Tells equal work: its result is kept as long as the facts are the same.

        Raises:
            ClientError: Salesforce could not be asked.
        """
        kept = self._settled.get(key)
        if kept is not None and await self._are_current(kept[1]):
            self._settled.move_to_end(key)
            result: _T = kept[0]
            return result
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
                # An object that was not there may be made at any time.
                if not absent and sum(len(part) for part in key if isinstance(part, str)) <= _KEPT_CHARS:
                    self._settled[key] = (done, used)
                    while len(self._settled) > _KEPT_RESULTS:
                        self._settled.popitem(last=False)
                return done

    async def _are_current(self, used: Mapping[str, ObjectFacts]) -> bool:
        return all([await self.facts(name) is facts for name, facts in used.items()])
