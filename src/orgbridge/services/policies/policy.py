"""What a caller may do: the policies of all roles together, with the caller's own values in their conditions.

For an object the roles that grant an operation stand side by side, and never are mixed: a row is shown with a field
when one role shows both that row and that field. So a query sees the rows of those roles that show every field which
it uses. To add up rows of one role and fields of another would show what neither allows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orgbridge.kit.json import dumps
from orgbridge.services.policies.conditions import BindValue, NotApplicable, bound
from orgbridge.services.policies.facts import ObjectFacts
from orgbridge.services.policies.model import STRICTEST, Mask, ObjectRule, Operation, RolePolicy
from orgbridge.services.policies.parsing import BINDS, parse_policy
from orgbridge.services.policies.visibility import FieldRights, field_rights
from orgbridge.services.scopes import Caller
from orgbridge.soql import tree
from orgbridge.wire.bulk import IngestOperation

#: Policies kept ready, by what they say and for whom.
_KEPT = 2_000
#: Views of objects kept by one policy.
_KEPT_VIEWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one role allows with one object, for one caller."""

    role: RolePolicy
    rule: ObjectRule
    #: The rows, binds replaced; None for all.
    where: tree.Condition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """A grant with what it means for the fields of the object."""

    grant: Grant
    rights: FieldRights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """What a caller sees of an object with an operation."""

    facts: ObjectFacts
    grants: tuple[GrantView, ...]
    #: Fields that some role shows, masked or not.
    shown: frozenset[str]
    #: Fields that no role shows as they are, with the strictest of their masks and the key of `hash`.
    masks: Mapping[str, tuple[Mask, str]]

    def choose(self, displayed: Iterable[str], compared: Iterable[str]) -> tuple[GrantView, ...]:
        """Return the grants that show all the fields.

        Args:
            displayed: Fields given out; masked ones may be among them.
            compared: Fields that rows are chosen, sorted or counted by.
        """
        shown = [name for name in displayed if name not in self.masks]
        veiled = [name for name in displayed if name in self.masks]
        plain = frozenset([*shown, *compared])
        return tuple(
            one
            for one in self.grants
            if plain <= one.rights.plain and all(name in one.rights.masked for name in veiled)
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Policy:
    """What a caller may do."""

    #: Policies of the caller's roles; None when nothing is restricted.
    roles: tuple[RolePolicy, ...] | None
    #: Values of the caller by the name of their bind.
    binds: Mapping[str, BindValue] = field(default_factory=dict)
    _grants: dict[str, tuple[Grant, ...]] = field(default_factory=dict)
    _views: dict[tuple[ObjectFacts, frozenset[Operation]], View] = field(default_factory=dict)

    @property
    def is_unrestricted(self) -> bool:
        """True when everything is allowed."""
        return self.roles is None

    @property
    def sees_all_jobs(self) -> bool:
        """True when jobs of others may be seen."""
        return self.roles is None or any(role.all_jobs for role in self.roles)

    @property
    def masks_something(self) -> bool:
        """True when a value may have to be masked."""
        return self.roles is not None and any(
            rule.masked for role in self.roles for rule in (*role.objects.values(), role.others) if rule is not None
        )

    def grants(self, sobject: str) -> tuple[Grant, ...]:
        """Return what the roles allow with an object, each for itself; roles that deny it are left out."""
        name = sobject.lower()
        known = self._grants.get(name)
        if known is None:
            known = tuple(self._granted(name))
            if len(self._grants) >= _KEPT_VIEWS:
                self._grants.clear()
            self._grants[name] = known
        return known

    def allows(self, sobject: str, *operations: Operation) -> bool:
        """Tell whether some role allows all the operations on an object."""
        return self.roles is None or any(set(operations) <= one.rule.operations for one in self.grants(sobject))

    def allows_load(self, sobject: str, operation: IngestOperation) -> bool:
        """Tell whether some role allows a bulk load."""
        return self.roles is None or any(operation in one.rule.loads for one in self.grants(sobject))

    def view(self, facts: ObjectFacts, operations: frozenset[Operation]) -> View:
        """Return what the roles that allow all the operations show of an object."""
        key = (facts, operations)
        view = self._views.get(key)
        if view is None:
            view = _view(facts, tuple(one for one in self.grants(facts.name) if operations <= one.rule.operations))
            if len(self._views) >= _KEPT_VIEWS:
                self._views.clear()
            self._views[key] = view
        return view

    def load_view(self, facts: ObjectFacts, operation: IngestOperation) -> View:
        """Return what the roles that allow a bulk load show of an object."""
        return _view(facts, tuple(one for one in self.grants(facts.name) if operation in one.rule.loads))

    def _granted(self, name: str) -> Iterable[Grant]:
        for role in self.roles or ():
            rule = role.rule(name)
            if rule is None:
                continue
            try:
                where = None if rule.where is None else bound(rule.where, self.binds)
            except NotApplicable:
                continue
            yield Grant(role=role, rule=rule, where=where)


def _view(facts: ObjectFacts, grants: tuple[Grant, ...]) -> View:
    views = tuple(GrantView(grant=one, rights=field_rights(one.role, one.rule, facts)) for one in grants)
    plain = frozenset().union(*(one.rights.plain for one in views))
    masks: dict[str, tuple[Mask, str]] = {}
    for one in views:
        for name, mask in one.rights.masked.items():
            if name in plain:
                continue
            if name not in masks or STRICTEST.index(mask) < STRICTEST.index(masks[name][0]):
                masks[name] = (mask, one.grant.role.hash_key)
    return View(facts=facts, grants=views, shown=plain | masks.keys(), masks=masks)


_UNRESTRICTED = Policy(roles=None)
_ready: OrderedDict[tuple[bytes, tuple[BindValue, ...]], Policy] = OrderedDict()


def policy_of(caller: Caller) -> Policy:
    """Return what a caller may do. Made once for equal policies and equal callers.

    Raises:
        PolicyInvalid: The policy of a role cannot be used; nothing is allowed.
    """
    if not caller.policies or any(policy is None for policy in caller.policies):
        return _UNRESTRICTED
    binds = _binds(caller)
    key = (dumps(caller.policies), tuple(binds.values()))
    policy = _ready.get(key)
    if policy is None:
        roles = tuple(parse_policy(role) for role in caller.policies if role is not None)
        policy = Policy(roles=roles, binds=binds)
        _ready[key] = policy
        while len(_ready) > _KEPT:
            _ready.popitem(last=False)
    else:
        _ready.move_to_end(key)
    return policy


def may_see_job(caller: Caller, created_by: str | None) -> bool:
    """Tell whether a caller may see a job: their own; all jobs without a policy, with one that says so, or as an admin.

    Args:
        caller: Who asks.
        created_by: Name of the user who made it; None for all jobs, or one of Salesforce that nobody here made.
    """
    return caller.is_admin or created_by == caller.username or policy_of(caller).sees_all_jobs


def _binds(caller: Caller) -> dict[str, BindValue]:
    values: dict[str, BindValue] = {}
    for bind in BINDS:
        value: Any = getattr(caller, bind.removeprefix("caller."), None)
        if isinstance(value, list | tuple | set | frozenset):
            values[bind] = tuple(sorted(str(item) for item in value))
        else:
            values[bind] = str(value) if value else None
    return values
