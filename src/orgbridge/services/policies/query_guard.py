"""What a caller may ask and is shown: queries, searches, fields, and masked replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orgbridge.kit.json import dumps, loads
from orgbridge.orgs.connections import Orgs
from orgbridge.services.policies.directory import Directory
from orgbridge.services.policies.errors import OperationRefused, QueryRefused, RowsRefused, UnknownName
from orgbridge.services.policies.facts import ObjectFacts
from orgbridge.services.policies.firewall import Secured, secure
from orgbridge.services.policies.masking import mask_records, types_in
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.policy import Policy, policy_of
from orgbridge.services.policies.searches import secure_search
from orgbridge.services.scopes import Caller, Scope
from orgbridge.soql import SOQLError


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedQuery:
    """A query as its caller may run it."""

    #: Its text.
    text: str
    #: Most rows that the caller's roles let it return, when LIMIT was set to it.
    row_cap: int | None = None


class QueryGuard:
    """Enforces the policies of callers on what they ask one org."""

    def __init__(self, orgs: Orgs, org: str = "default") -> None:
        self._orgs = orgs
        self._org = org
        self._directory = Directory(orgs, org)

    async def query(
        self,
        caller: Caller,
        soql: str,
        *,
        include_deleted: bool = False,
        export: bool = False,
        scope: Scope = Scope.RECORDS_READ,
    ) -> AllowedQuery:
        """Return a query as the caller may run it; as it is for a caller without a policy.

        Args:
            caller: Who asks.
            soql: The text.
            include_deleted: Deleted records are asked for too.
            export: The result is written to a file, whatever its size, instead of being answered.
            scope: What the call needs when it is no export: the roles that lend it count.

        Raises:
            PolicyError: A part of it may not be, or cannot be analysed; nothing was sent.
            ClientError: An object could not be described.
        """
        policy = policy_of(caller, Scope.BULK_WRITE if export else scope)
        if policy.is_unrestricted:
            return AllowedQuery(text=soql)
        operation = Operation.EXPORT if export else Operation.QUERY
        secured = await self._secured(policy, soql, operation, include_deleted=include_deleted)
        limit = secured.query.limit
        return AllowedQuery(text=secured.text, row_cap=limit if secured.is_capped and isinstance(limit, int) else None)

    async def fields(
        self,
        caller: Caller,
        object_name: str,
        wanted: Sequence[str],
        *,
        scope: Scope = Scope.RECORDS_READ,
        plain: bool = False,
    ) -> list[str] | None:
        """Return those of some fields that the caller may select in one query, as the schema spells them.

        What the org does not have and what is hidden is left out alike, so that it vanishes instead of being refused.
        Where several roles show different fields, those of the role that shows most of them.

        Args:
            caller: Who asks.
            object_name: API name.
            wanted: API names, in the order of the result.
            scope: What the call needs: the roles that lend it count.
            plain: Leave out what is shown masked: rows cannot be chosen by it.

        Returns:
            None when there is no such object, for this caller.

        Raises:
            ClientError: The object could not be described.
        """
        policy = policy_of(caller, scope)
        if not policy.is_unrestricted and not policy.allows(object_name, Operation.QUERY):
            return None
        facts = await self._directory.facts(object_name)
        if facts is None:
            return None
        there = [name.lower() for name in wanted if name.lower() in facts.fields]
        if not policy.is_unrestricted:
            view = policy.view(facts, frozenset({Operation.QUERY}))
            veiled = frozenset() if plain else view.masks.keys()
            choices = [
                [name for name in there if name in one.rights.plain or name in veiled & one.rights.masked.keys()]
                for one in view.grants
            ]
            there = max(choices, key=len, default=[])
        return [facts.fields[name].name for name in there]

    def mark(self, caller: Caller, scope: Scope = Scope.RECORDS_READ) -> str:
        """Return a text that changes when what the caller may see does; empty for a caller without a policy."""
        return policy_of(caller, scope).mark

    async def body(
        self,
        caller: Caller,
        body: bytes,
        operation: Operation = Operation.QUERY,
        scope: Scope = Scope.RECORDS_READ,
    ) -> bytes:
        """Return a reply of Salesforce, as it wrote it, with masked values; nothing is read where nothing is masked.

        Args:
            caller: Who asks.
            body: JSON.
            operation: What was asked: `query`, `search`, or `read`.
            scope: What the call needs.

        Raises:
            ClientError: An object could not be described.
        """
        policy = policy_of(caller, scope)
        if not policy.masks_something:
            return body
        return dumps(await self._masked(policy, loads(body), operation))

    async def search(self, caller: Caller, sosl: str) -> str:
        """Return a SOSL search as the caller may run it; as it is for a caller without a policy.

        Raises:
            PolicyError: A part of it may not be, or cannot be analysed; nothing was sent.
            ClientError: An object could not be described.
        """
        policy = policy_of(caller, Scope.RECORDS_READ)
        if policy.is_unrestricted:
            return sosl
        try:
            return (
                await self._directory.settle(lambda lookup: secure_search(sosl, policy, lookup), (policy, sosl))
            ).text
        except SOQLError as error:
            raise _unread(error) from error

    async def readable(self, caller: Caller, object_name: str, fields: Sequence[str] | None) -> list[str] | None:
        """Return the fields that the caller may read of any record of an object; None for all that there are.

        Args:
            caller: Who asks.
            object_name: API name.
            fields: Those that are wanted; None for all that may be read.

        Raises:
            PolicyError: The object or a field may not be read, or only of some records.
        """
        policy = policy_of(caller, Scope.RECORDS_READ)
        if policy.is_unrestricted:
            return None if fields is None else list(fields)
        facts = await self._object(policy, object_name, Operation.READ)
        view = policy.view(facts, frozenset({Operation.READ}))
        whole = [one for one in view.grants if one.grant.where is None]
        if not whole:
            raise RowsRefused(f"Only some rows of {facts.name} may be seen: read them by a query.")
        if fields is None:
            best = max(whole, key=lambda one: len(one.rights.plain))
            return [field.name for name, field in facts.fields.items() if name in best.rights.plain]
        for field in fields:
            if field.lower() not in view.shown:
                raise UnknownName(f"No such column '{field}' on sobject of type {facts.name}", field=field)
        if not any(one in whole for one in view.choose([field.lower() for field in fields], [])):
            raise RowsRefused(f"These fields of {facts.name} may be seen of some rows only: read them by a query.")
        return list(fields)

    async def _secured(
        self, policy: Policy, soql: str, operation: Operation, *, include_deleted: bool = False
    ) -> Secured:
        operations = frozenset({operation})
        try:
            return await self._directory.settle(
                lambda lookup: secure(soql, policy, lookup, operations, include_deleted=include_deleted),
                (policy, soql, operations, include_deleted),
            )
        except SOQLError as error:
            raise _unread(error) from error

    async def _masked(self, policy: Policy, records: Any, operation: Operation) -> Any:
        masks = {}
        for name in types_in(records):
            facts = await self._directory.facts(name) if policy.grants(name) else None
            if facts is not None:
                masks[name] = policy.view(facts, frozenset({operation})).masks
        return mask_records(records, lambda kind: masks.get(kind, {}))

    async def _object(self, policy: Policy, name: str, *operations: Operation) -> ObjectFacts:
        facts = await self._directory.facts(name) if policy.grants(name) else None
        if facts is None:
            raise _no_object(name)
        if operations and not policy.allows(facts.name, *operations):
            raise OperationRefused(
                f"No role of yours allows {' and '.join(item.value for item in operations)} on {facts.name}. "
                "Ask for it to be added to the role's policy."
            )
        return facts


def _unread(error: SOQLError) -> QueryRefused:
    return QueryRefused(f"The query cannot be read, and what cannot be read is not sent: {error.message.strip()}")


def _no_object(name: str) -> UnknownName:
    return UnknownName(f"sObject type '{name}' is not supported.", field="object_name")
