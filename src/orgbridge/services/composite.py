"""Composite calls: up to 25 subrequests that may refer to each other's results, each checked before any is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orgbridge.client import Salesforce, Subreply
from orgbridge.client.errors import ClientError
from orgbridge.client.verdicts import outcome_unknown
from orgbridge.kit.json import dumps, loads
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.uses import call_for
from orgbridge.services.cursors import Cursors
from orgbridge.services.errors import InvalidRequest, OutcomeUnknown
from orgbridge.services.policies.errors import PolicyError
from orgbridge.services.policies.guard import Guard
from orgbridge.services.policies.model import Operation
from orgbridge.services.scopes import Caller, Scope
from orgbridge.services.subrequests import Action, Subrequest, understood
from orgbridge.wire.limits import COMPOSITE_QUERIES, COMPOSITE_SUBREQUESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class SubOutcome:
    """What became of one subrequest."""

    #: Its name.
    reference_id: str
    #: Its own HTTP status.
    status: int
    #: Its headers as JSON.
    headers: bytes = field(repr=False)
    #: Its body as JSON; `null` for none.
    body: bytes = field(repr=False)


class CompositeService:
    """Composite calls to one org."""

    def __init__(self, orgs: Orgs, cursors: Cursors, org: str = "default") -> None:
        self._orgs = orgs
        self._cursors = cursors
        self._guard = Guard(orgs, org)
        self._org = org

    async def send(
        self,
        subrequests: Sequence[Mapping[str, Any]],
        *,
        caller: Caller,
        all_or_none: bool = False,
        collate: bool = True,
    ) -> list[SubOutcome]:
        """Check all subrequests, then send them in one call.

        Args:
            subrequests: `method`, `url`, `referenceId`, and perhaps `body` and `httpHeaders`.
            caller: Who asks; a subrequest that writes needs the scope records:write.
            all_or_none: Undo all when one fails.
            collate: Let Salesforce run like subrequests together.

        Returns:
            One outcome per subrequest, in their order.

        Raises:
            InvalidRequest: One cannot be understood or is not allowed; `errors` names it. Nothing was sent.
            ScopeMissing: One writes and the caller may only read. Nothing was sent.
            PolicyError: The caller's roles do not allow one; `errors` names it. Nothing was sent.
            OutcomeUnknown: The reply was lost; what writes may have been done.
            ClientError: The call as a whole failed; nothing was done.
        """
        salesforce = self._salesforce(caller)
        checked = await self._allowed(self.checked(subrequests, caller, salesforce.composite.base_path), caller)
        writes = any(item.writes for item in checked)
        try:
            replies = await salesforce.composite.send(
                [item.wire for item in checked], all_or_none=all_or_none, collate=collate, read_only=not writes
            )
        except ClientError as error:
            if writes and outcome_unknown(error):
                raise OutcomeUnknown(error, "the subrequests were carried out") from error
            raise
        return [await self._outcome(item, reply, caller) for item, reply in zip(checked, replies, strict=True)]

    async def _allowed(self, checked: Sequence[Subrequest], caller: Caller) -> list[Subrequest]:
        allowed: list[Subrequest] = []
        written: set[str] = set()
        for number, item in enumerate(checked):
            try:
                wire = await self._guard.subrequest(caller, item.wire, written)
            except PolicyError as error:
                error.add_note(f"This is said of subrequest {number + 1}.")
                error.details.append({"location": f"compositeRequest.{number}", "code": error.code})
                raise
            allowed.append(replace(item, wire=wire))
        return allowed

    @staticmethod
    def checked(subrequests: Sequence[Mapping[str, Any]], caller: Caller, base_path: str) -> list[Subrequest]:
        """Return what the subrequests do: the one place that each of them passes before it is sent.

        Raises:
            InvalidRequest: One cannot be understood or is not allowed; `errors` names it.
            ScopeMissing: One writes and the caller may only read.
        """
        if not 1 <= len(subrequests) <= COMPOSITE_SUBREQUESTS:
            raise InvalidRequest(f"A composite call has 1 to {COMPOSITE_SUBREQUESTS} subrequests.")
        found: list[Subrequest] = []
        for number, item in enumerate(subrequests):
            try:
                one = understood(item, base_path)
            except InvalidRequest as error:
                place = {"location": f"compositeRequest.{number}", "code": error.code, "message": error.message}
                raise InvalidRequest(f"Subrequest {number + 1}: {error.message}", details=[place]) from error
            caller.need(Scope.RECORDS_WRITE if one.writes else Scope.RECORDS_READ)
            found.append(one)
        if len({one.reference_id for one in found}) < len(found):
            raise InvalidRequest("Each subrequest has a referenceId of its own.")
        if sum(one.counts_as_query for one in found) > COMPOSITE_QUERIES:
            raise InvalidRequest(f"A composite call has at most {COMPOSITE_QUERIES} queries and collections.")
        return found

    async def _outcome(self, asked: Subrequest, reply: Subreply, caller: Caller) -> SubOutcome:
        operation = Operation.QUERY if asked.action is Action.QUERY else Operation.READ
        body = await self._guard.body(caller, bytes(reply.body), operation)
        if asked.soql is not None and b'"nextRecordsUrl"' in body:
            page = loads(body)
            if isinstance(page, dict) and (url := page.pop("nextRecordsUrl", None)):
                content = {"u": url}
                if mark := self._guard.mark(caller):
                    content["p"] = mark
                page["next_cursor"] = self._cursors.seal(caller.user_id, content)
                body = dumps(page)
        return SubOutcome(
            reference_id=reply.reference_id,
            status=reply.http_status_code,
            headers=bytes(reply.http_headers),
            body=body,
        )

    def _salesforce(self, caller: Caller) -> Salesforce:
        call_for(caller.username)
        return self._orgs.get(self._org).salesforce
