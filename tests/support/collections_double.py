"""An org whose sObject Collections answer from a script: for what the emulated org cannot be made to do on cue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from orgbridge.client.replies import SaveResult

Script = Callable[[list[dict[str, Any]]], list[SaveResult]]


class CollectionsDouble:
    """Stands for `Orgs`, `OrgConnection`, `Salesforce`, `Describe` and `Collections` at once.

    Attributes:
        calls: The records of each call, in the order of the calls.
    """

    def __init__(self, script: Script) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.salesforce = self.collections = self.describe = self
        self._script = script

    def get(self, _name: str) -> CollectionsDouble:
        """Give itself as the connection."""
        return self

    def known(self, _sobject: str) -> dict[str, Any]:
        """Give a describe without fields."""
        return {"name": "Account", "fields": []}

    async def create(self, _sobject: str, records: Sequence[dict[str, Any]], **_: Any) -> list[SaveResult]:
        """Answer as the script says."""
        self.calls.append(list(records))
        return self._script(list(records))

    async def update(self, sobject: str, records: Sequence[dict[str, Any]], **more: Any) -> list[SaveResult]:
        """Answer as the script says."""
        return await self.create(sobject, records, **more)
