"""Rows of Salesforce as a caller may see them: the caller's policy first, our own conditions on top of it.

The rows are read by the integration user: which of them a caller gets is told by grants and policy of this service.
Users of a store see machines in Salesforce only where sharing was set up for it, which most orgs did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from orgbridge.client import RawPage
from orgbridge.client.errors import ClientError, QueryTooLong, SalesforceError
from orgbridge.kit.json import loads
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.uses import call_for
from orgbridge.services.commerce.conditions import both
from orgbridge.services.policies.errors import PolicyError
from orgbridge.services.policies.guard import Guard
from orgbridge.services.scopes import Caller, Scope
from orgbridge.soql import parse, print_query, tree

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query of ours for a caller."""

    #: What is selected and what the caller filters by: all of it goes through the policy. It has a LIMIT.
    query: tree.Query
    #: Our own condition, which the policy has no say in: whose rows these are.
    own: tree.Condition | None = field(default=None)


class Sight:
    """Reads rows for callers from one org."""

    def __init__(self, orgs: Orgs, org: str = "default") -> None:
        self._orgs = orgs
        self._org = org
        self._guard = Guard(orgs, org)

    async def fields(
        self, caller: Caller, scope: Scope, sobject: str, wanted: Sequence[str], *, plain: bool = False
    ) -> list[str] | None:
        """Return those of some fields that there are for the caller; None when there is no such object.

        Args:
            caller: Who asks.
            scope: What the call needs.
            sobject: API name.
            wanted: API names.
            plain: Leave out what is shown masked, because rows are to be chosen by it.

        Raises:
            ClientError: The object could not be described.
        """
        call_for(caller.username)
        return await self._guard.fields(caller, sobject, wanted, scope=scope, plain=plain)

    def mark(self, caller: Caller, scope: Scope) -> str:
        """Return a text that changes when what the caller may see does."""
        return self._guard.mark(caller, scope)

    async def rows(self, caller: Caller, scope: Scope, question: Question) -> list[Row]:
        """Return the rows of a query, all pages of it.

        Raises:
            PolicyError: It asks for what the caller may not see; nothing was sent.
            ClientError: Salesforce refused, or could not be reached.
        """
        call_for(caller.username)
        text = await self._secured(caller, scope, question)
        return await self._read(caller, scope, await self._orgs.get(self._org).salesforce.query.raw_page(text))

    async def many(
        self, caller: Caller, scope: Scope, questions: Sequence[Question | None]
    ) -> list[list[Row] | PolicyError | SalesforceError | QueryTooLong | None]:
        """Return the rows of up to five queries asked in one call; what is wrong with one is told in its place.

        Args:
            caller: Who asks.
            scope: What the call needs.
            questions: Queries; None for one that is not asked, whose place says None.

        Raises:
            ClientError: The call as a whole failed.
        """
        call_for(caller.username)
        found: list[list[Row] | PolicyError | SalesforceError | QueryTooLong | None] = [None] * len(questions)
        texts: dict[int, str] = {}
        for place, question in enumerate(questions):
            if question is None:
                continue
            try:
                texts[place] = await self._secured(caller, scope, question)
            except PolicyError as error:
                found[place] = error
        if not texts:
            return found
        pages = await self._orgs.get(self._org).salesforce.query.raw_pages(list(texts.values()))
        for place, page in zip(texts, pages, strict=True):
            found[place] = await self._read(caller, scope, page) if isinstance(page, RawPage) else page
        return found

    async def _secured(self, caller: Caller, scope: Scope, question: Question) -> str:
        allowed = await self._guard.query(caller, print_query(question.query), scope=scope)
        if question.own is None:
            return allowed.text
        secured = parse(allowed.text)
        return print_query(replace(secured, where=both(secured.where, question.own)))

    async def _read(self, caller: Caller, scope: Scope, page: RawPage) -> list[Row]:
        rows: list[Row] = []
        salesforce = self._orgs.get(self._org).salesforce
        while True:
            rows += loads(await self._guard.body(caller, page.records, scope=scope))
            if page.next_records_url is None:
                return rows
            page = await salesforce.query.raw_next(page.next_records_url)


def settled(found: list[Row] | ClientError | PolicyError | None) -> list[Row] | None:
    """Return the rows of one of several queries; None where there was no query, or the policy allows none.

    Raises:
        ClientError: Salesforce refused the query.
    """
    if isinstance(found, ClientError):
        raise found
    return None if isinstance(found, PolicyError) else found
