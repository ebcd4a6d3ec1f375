"""The one place that services ask before they read or write: queries, records, describes, loads, jobs.

A caller without a policy costs one look: everything is answered as if this were not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orgbridge.client.errors import NotFound
from orgbridge.kit.notes import note
from orgbridge.orgs.connections import Orgs
from orgbridge.services.policies.composites import secure_subrequest
from orgbridge.services.policies.describes import describe_view, objects_view
from orgbridge.services.policies.errors import (
    ObjectMissing,
    OperationRefused,
    PolicyError,
    RecordMissing,
    RowsRefused,
    UnknownName,
)
from orgbridge.services.policies.facts import ObjectFacts
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.policy import Policy, View, policy_of
from orgbridge.services.policies.query_guard import QueryGuard
from orgbridge.services.policies.writes import WriteChecks, Writing, literal_of, writers
from orgbridge.services.scopes import Caller, Scope
from orgbridge.soql import print_query, tree
from orgbridge.wire.bulk import IngestOperation


class Guard(QueryGuard):
    """Enforces the policies of callers on one org."""

    def __init__(self, orgs: Orgs, org: str = "default") -> None:
        super().__init__(orgs, org)
        self._writes = WriteChecks(orgs, org, self._directory)

    async def subrequest(
        self, caller: Caller, wire: Mapping[str, Any], written: set[str] | None = None
    ) -> dict[str, Any]:
        """Return a subrequest of a composite call as the caller may send it; its reply goes through `body`.

        Args:
            caller: Who asks.
            wire: The subrequest.
            written: Empty for the first subrequest of a call, and handed on to its others.

        Raises:
            PolicyError: It may not be sent, or what it does cannot be told; nothing was sent.
            ClientError: Salesforce could not be asked.
        """
        scopes = (Scope.RECORDS_READ, Scope.RECORDS_WRITE)
        if all(policy_of(caller, scope).is_unrestricted for scope in scopes):
            return dict(wire)
        if wire["method"] == "GET" and policy_of(caller, Scope.RECORDS_READ).is_unrestricted:
            return dict(wire)
        return await secure_subrequest(wire, _CallerChecks(self, caller, written))

    # Records -----------------------------------------------------------------------------------------------------

    async def retrieve(
        self, caller: Caller, object_name: str, value: str, *, fields: Sequence[str] | None, key: str | None
    ) -> dict[str, Any] | None:
        """Return a record as the caller may see it; None for a caller without a policy, who may read it by its id.

        Args:
            caller: Who asks.
            object_name: API name.
            value: The record's id, or the key's value.
            fields: Fields to read; None for all that may be seen.
            key: The external id to look by; None for the id.

        Raises:
            RecordMissing: There is none, or none that may be seen.
            PolicyError: The object or a field may not be read.
            ClientError: Salesforce could not be asked.
        """
        policy = policy_of(caller, Scope.RECORDS_READ)
        if policy.is_unrestricted:
            return None
        facts = await self._object(policy, object_name, Operation.READ)
        view = policy.view(facts, frozenset({Operation.READ}))
        named, literal = _looked_up(view, key or "Id", value)
        if fields is not None:
            choices = [list(dict.fromkeys(["Id", *fields]))]
        else:
            # The roles one after another, from the one that shows most: the first that shows the row is taken.
            sets = [
                [field.name for name, field in facts.fields.items() if name in one.rights.plain or name in view.masks]
                for one in view.grants
            ]
            choices = sorted(sets, key=len, reverse=True)
        for names in choices:
            records = await self._found(policy, facts, named, literal, names)
            if len(records) > 1:
                raise RowsRefused(f"Several records have this {named}: read one by its id.")
            if records:
                found: dict[str, Any] = (await self._masked(policy, records, Operation.READ))[0]
                return found
        raise RecordMissing

    async def _found(
        self,
        policy: Policy,
        facts: ObjectFacts,
        key: str,
        literal: tree.Value,
        names: Iterable[str],
        operation: Operation = Operation.READ,
    ) -> list[dict[str, Any]]:
        query = tree.Query(
            select=tuple(tree.SelectExpression(expression=tree.FieldPath(parts=tuple(n.split(".")))) for n in names),
            sources=(tree.FromItem(path=(facts.name,)),),
            where=tree.Comparison(left=tree.FieldPath(parts=(key,)), operator=tree.Operator.EQUAL, right=literal),
            limit=2,
        )
        secured = await self._secured(policy, print_query(query), operation)
        # A cap of one row would hide that there are two.
        text = print_query(replace(secured.query, limit=2))
        return (await self._orgs.get(self._org).salesforce.query.page(text)).records

    async def deletable(self, caller: Caller, object_name: str, key: str, value: str) -> str | None:
        """Return the id of the record with an external id that the caller may delete; None without a policy.

        The record is then deleted by this id, so that it is the one that was looked at.

        Raises:
            RecordMissing: There is none, or none that may be deleted.
            PolicyError: No role allows it, or the key is not there for the caller.
            ClientError: Salesforce could not be asked.
        """
        policy = policy_of(caller, Scope.RECORDS_WRITE)
        if policy.is_unrestricted:
            return None
        facts = await self._object(policy, object_name, Operation.DELETE)
        named, literal = _looked_up(policy.view(facts, frozenset({Operation.DELETE})), key, value)
        records = await self._found(policy, facts, named, literal, ["Id"], Operation.DELETE)
        if len(records) > 1:
            raise RowsRefused(f"Several records have this {named}: delete one by its id.")
        if not records:
            raise RecordMissing
        return str(records[0]["Id"])

    async def write(
        self,
        caller: Caller,
        operation: IngestOperation,
        object_name: str,
        records: Sequence[Mapping[str, Any]],
        *,
        key: str | None = None,
        written: set[str] | None = None,
    ) -> None:
        """See that the caller may write records, all of them.

        Args:
            caller: Who asks.
            operation: What is to be done.
            object_name: API name.
            records: Values by field, with `Id` where a record is to be changed or deleted.
            key: The key of an upsert; its value is among the record's.
            written: Rows of earlier writes of the same call; None when there are none.

        Raises:
            PolicyError: The operation, a field or a row is not allowed; nothing was written.
            ClientError: Salesforce could not be asked; nothing was written.
        """
        note(object_name=object_name, operation=operation.value, records=len(records))
        policy = policy_of(caller, Scope.RECORDS_WRITE)
        if policy.is_unrestricted:
            return
        facts = await self._object(policy, object_name)
        reads = policy_of(caller, Scope.RECORDS_READ)
        await self._writes.check(
            policy, Writing(facts=facts, operation=operation, records=records, key=key), reads=reads, written=written
        )

    # Describes ---------------------------------------------------------------------------------------------------

    async def describe(self, caller: Caller, object_name: str, *, scope: Scope = Scope.RECORDS_READ) -> dict[str, Any]:
        """Return the describe of an object with what the caller may know.

        Args:
            caller: Who asks.
            object_name: API name.
            scope: What it is asked for: roles that grant it count.

        Raises:
            NotFound: There is no such object; a caller without a policy is told Salesforce's own words.
            ObjectMissing: There is no such object, for this caller.
            ClientError: Salesforce could not be asked.
        """
        policy = policy_of(caller, scope)
        if not policy.is_unrestricted and not policy.grants(object_name):
            raise ObjectMissing
        try:
            describe = await self._orgs.get(self._org).salesforce.describe.sobject(object_name)
        except NotFound:
            if policy.is_unrestricted:
                raise
            raise ObjectMissing from None
        if policy.is_unrestricted:
            return describe
        return describe_view(describe, self._directory.told(object_name, describe), policy)

    def shown(self, caller: Caller, object_name: str, describe: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a caller who writes may know of a describe; empty for an object that is not there."""
        policy = policy_of(caller, Scope.RECORDS_WRITE)
        if policy.is_unrestricted or not describe:
            return describe
        if not policy.grants(object_name):
            return {}
        return describe_view(dict(describe), self._directory.told(object_name, describe), policy)

    def objects(self, caller: Caller, objects: dict[str, Any]) -> dict[str, Any]:
        """Return the list of all objects with those that the caller may know."""
        policy = policy_of(caller, Scope.RECORDS_READ)
        return objects if policy.is_unrestricted else objects_view(objects, policy)

    # Loads and jobs ----------------------------------------------------------------------------------------------

    async def load(self, caller: Caller, operation: IngestOperation, object_name: str) -> None:
        """See that the caller may make a load.

        Raises:
            PolicyError: No role allows it, or only for rows that a load cannot be compared with; nothing was kept.
            ClientError: The object could not be described.
        """
        note(object_name=object_name, operation=operation.value)
        policy = policy_of(caller, Scope.BULK_WRITE)
        if policy.is_unrestricted:
            return
        facts = await self._object(policy, object_name)
        if not policy.allows_load(facts.name, operation):
            raise OperationRefused(f"No role of yours allows loads of {operation.value} on {facts.name}.")
        self._load_grants(policy, facts, operation, [], None)

    async def columns(
        self,
        caller: Caller,
        operation: IngestOperation,
        object_name: str,
        header: Sequence[str],
        *,
        key: str | None = None,
    ) -> None:
        """See that the caller may load the columns of a file.

        Args:
            caller: Who asks.
            operation: The load's.
            object_name: API name.
            header: Columns: fields, `Relationship.Field`, `Object:Relationship.Field`.
            key: The key of an upsert.

        Raises:
            PolicyError: A column is not there for the caller, or may not be written; nothing was kept.
            ClientError: An object could not be described.
        """
        policy = policy_of(caller, Scope.BULK_WRITE)
        if policy.is_unrestricted:
            return
        await self.load(caller, operation, object_name)
        facts = await self._object(policy, object_name)
        reads = policy_of(caller, Scope.RECORDS_READ)
        names = []
        for column in header:
            left, _, field = column.strip().rpartition(".")
            named, _, relation = left.rpartition(":")
            if not left:
                names.append(field)
                continue
            reference = facts.relationships.get(relation.lower()) or facts.relationships.get(named.lower())
            if reference is None:
                raise UnknownName(f"No such column '{column}' on sobject of type {facts.name}", field=column)
            target = named if facts.relationships.get(relation.lower()) is reference else relation
            names.append(str(reference.relationship))
            await self._writes.check_lookup(reads, reference.targets, target or None, field)
        wanted = [name for name in names if name.lower() != "id"]
        self._load_grants(policy, facts, operation, wanted, key)

    async def may_look_up(self, caller: Caller, object_name: str, field: str) -> bool:
        """Tell whether the caller may be told which rows of an object there are, by a field's value.

        Raises:
            ClientError: The object could not be described.
        """
        policy = policy_of(caller, Scope.RECORDS_READ)
        if policy.is_unrestricted:
            return True
        try:
            await self._writes.check_lookup(policy, [object_name], object_name, field)
        except PolicyError:
            return False
        return True

    def _load_grants(
        self, policy: Policy, facts: ObjectFacts, operation: IngestOperation, names: Sequence[str], key: str | None
    ) -> None:
        grants = writers(policy.load_view(facts, operation), names, key)
        if all(one.grant.where is not None and operation not in one.grant.rule.unchecked for one in grants):
            raise RowsRefused(
                f"Only some rows of {facts.name} may be written, and the rows of a load are not compared with them: "
                "send the records to /records/batch with use_bulk_api set to false, or have the operation added to "
                "unchecked_writes of the policy."
            )


@dataclass(frozen=True, slots=True)
class _CallerChecks:
    """The guard's checks for one caller."""

    guard: Guard
    caller: Caller
    written: set[str] | None

    async def query(self, soql: str, include_deleted: bool) -> str:
        return (await self.guard.query(self.caller, soql, include_deleted=include_deleted)).text

    async def fields(self, object_name: str, fields: Sequence[str] | None) -> list[str] | None:
        return await self.guard.readable(self.caller, object_name, fields)

    async def write(
        self, operation: IngestOperation, object_name: str, records: Sequence[Mapping[str, Any]], key: str | None
    ) -> None:
        await self.guard.write(self.caller, operation, object_name, records, key=key, written=self.written)


def _looked_up(view: View, key: str, value: str) -> tuple[str, tree.Value]:
    """Return the name of a field that a record is looked up by, and the literal of its value.

    Raises:
        UnknownName: The field is not there, for this caller.
        RecordMissing: No record can have this value.
    """
    named = view.facts.fields.get(key.lower())
    if named is None or named.name.lower() not in view.shown:
        raise UnknownName(f"No such column '{key}' on sobject of type {view.facts.name}", field=key)
    literal = literal_of(float(value) if named.type in ("int", "double") and value.isdigit() else value, named.type)
    if literal is None:
        raise RecordMissing
    return named.name, literal
