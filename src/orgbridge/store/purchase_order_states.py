"""The life of a purchase order. Pure: states, arrows and who may take which step; nothing is read or written here.

Laws:
1. An order moves along the arrows below and no others; `rejected`, `ordered`, `cancelled` and `expired` are ends.
2. Whoever asked for it never decides it: `approve` and `reject` belong to somebody else.
3. Every step raises the version by one and is meant for one version: of two who act on the same version, one acts.
4. Only what was approved is ordered, and `ordering` leads to `ordered` or back to `approved`, so that a placement whose
   outcome is not known is neither forgotten nor begun anew under another name.

    draft ------------ submit --> pending_approval     draft ------------ cancel --> cancelled
    pending_approval - approve -> approved             pending_approval - reject --> rejected
    pending_approval - cancel --> cancelled            pending_approval - expire --> expired
    approved --------- order ---> ordering             approved --------- cancel --> cancelled
    approved --------- expire --> expired
    ordering --------- place ---> ordered              ordering --------- release -> approved
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class PurchaseState(StrEnum):
    """Where a purchase order stands."""

    DRAFT = "draft"
    PENDING = "pending_approval"
    APPROVED = "approved"
    REJECTED = "rejected"
    #: An order is being made of it; nobody else may begin one.
    ORDERING = "ordering"
    ORDERED = "ordered"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PurchaseStep(StrEnum):
    """What is done to a purchase order."""

    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    #: By time alone.
    EXPIRE = "expire"
    #: Begin to make an order of it.
    ORDER = "order"
    #: The order is there.
    PLACE = "place"
    #: No order came of it, for certain.
    RELEASE = "release"


_State, _Step = PurchaseState, PurchaseStep
ARROWS: Final = MappingProxyType(
    {
        (_State.DRAFT, _Step.SUBMIT): _State.PENDING,
        (_State.DRAFT, _Step.CANCEL): _State.CANCELLED,
        (_State.PENDING, _Step.APPROVE): _State.APPROVED,
        (_State.PENDING, _Step.REJECT): _State.REJECTED,
        (_State.PENDING, _Step.CANCEL): _State.CANCELLED,
        (_State.PENDING, _Step.EXPIRE): _State.EXPIRED,
        (_State.APPROVED, _Step.ORDER): _State.ORDERING,
        (_State.APPROVED, _Step.CANCEL): _State.CANCELLED,
        (_State.APPROVED, _Step.EXPIRE): _State.EXPIRED,
        (_State.ORDERING, _Step.PLACE): _State.ORDERED,
        (_State.ORDERING, _Step.RELEASE): _State.APPROVED,
    }
)
#: States that nothing leads out of.
ENDS: Final = frozenset(state for state in PurchaseState if all(start is not state for start, _ in ARROWS))
#: Steps that the requester may not take.
DECISIONS: Final = frozenset({_Step.APPROVE, _Step.REJECT})


class StepImpossibleError(Exception):
    """The state has no such arrow, or the order has moved on."""


class OwnDecisionError(Exception):
    """The requester tried to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What the rules need to know of a purchase order."""

    #: Where it stands.
    state: PurchaseState
    #: Steps taken, the making of it included.
    version: int
    #: Who asked for it.
    requester_id: str


def steps_from(state: PurchaseState) -> tuple[PurchaseStep, ...]:
    """Return the steps that lead out of a state."""
    return tuple(step for start, step in ARROWS if start is state)


def after(position: Position, step: PurchaseStep, actor_id: str, *, expected: int | None = None) -> Position:
    """Return where a step leads.

    Args:
        position: Where the order stands.
        step: What is done.
        actor_id: Who does it; empty for the house itself.
        expected: The version that the actor has seen; None for any.

    Raises:
        StepImpossibleError: There is no such arrow, or the version is another one.
        OwnDecisionError: The requester decides.
    """
    target = ARROWS.get((position.state, step))
    if target is None or (expected is not None and expected != position.version):
        raise StepImpossibleError
    if step in DECISIONS and actor_id == position.requester_id:
        raise OwnDecisionError
    return replace(position, state=target, version=position.version + 1)
