"""What an org computes in the background: how long it takes, what comes of it, and where a cart stands meanwhile.

A calculation is done when it has been asked after often enough and when enough time has passed on the org's clock, so
no test needs to wait. Where it stands is kept in the org's file and outlives the process.

Source: facts/commerce/carts.md section 2, checkout.md sections 1 and 2. Assumed: everything about how long it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from orgbridge.emulator.commerce.deals import Deal
from orgbridge.emulator.commerce.policy import CommercePolicy
from orgbridge.emulator.faults import Trouble
from orgbridge.wire.dates import bulk_datetime

#: The room's own tables; see `Storage.ensure`. Of cards nothing is kept but the token that was given for one.
TABLES = """
CREATE TABLE IF NOT EXISTS ob_cart_work (
    cart_id TEXT PRIMARY KEY,
    stage TEXT NOT NULL,
    state TEXT NOT NULL,
    reads INTEGER NOT NULL,
    ready TEXT NOT NULL,
    endless INTEGER NOT NULL,
    conflict INTEGER NOT NULL,
    trouble TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS ob_cart_payments (
    cart_id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS ob_payment_tokens (
    token TEXT PRIMARY KEY,
    made TEXT NOT NULL
)
"""


class Stage(StrEnum):
    """Which computation runs."""

    #: Prices and totals of a cart.
    CART = "cart"
    #: Stock, prices, delivery and tax of a checkout.
    CHECKOUT = "checkout"
    #: The end of a cart whose order is there.
    ORDER = "order"


class State(StrEnum):
    """`asyncOperationStatus`."""

    PROCESSING = "Processing"
    COMPLETED = "Completed"
    ERRORED = "Errored"


_READS: dict[Stage, Callable[[CommercePolicy], int]] = {
    Stage.CART: lambda policy: policy.calculation_reads,
    Stage.CHECKOUT: lambda policy: policy.checkout_reads,
    Stage.ORDER: lambda policy: policy.closing_reads,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Where a cart stands."""

    #: What was computed last, or is.
    stage: Stage = Stage.CART
    #: How far it is.
    state: State = State.COMPLETED
    #: Reads to be answered before it is done.
    reads: int = 0
    #: When it is done at the earliest, as rows hold instants.
    ready: str = ""
    #: It never ends.
    endless: bool = False
    #: Changes of the checkout are refused until somebody reads it.
    conflict: bool = False
    #: What went wrong: the tail of an error's `type`.
    trouble: str = ""


def work_of(deal: Deal, cart_id: str) -> Work:
    """Return where a cart stands."""
    sql = "SELECT stage, state, reads, ready, endless, conflict, trouble FROM ob_cart_work WHERE cart_id = ?"
    row = deal.connection.execute(sql, (cart_id,)).fetchone()
    if row is None:
        return Work()
    return Work(
        stage=Stage(row[0]),
        state=State(row[1]),
        reads=row[2],
        ready=row[3],
        endless=bool(row[4]),
        conflict=bool(row[5]),
        trouble=row[6],
    )


def keep(deal: Deal, cart_id: str, work: Work) -> None:
    """Note where a cart stands."""
    deal.connection.execute(
        "INSERT OR REPLACE INTO ob_cart_work VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (cart_id, work.stage, work.state, work.reads, work.ready, work.endless, work.conflict, work.trouble),
    )


def forget(deal: Deal, cart_id: str) -> None:
    """Forget a cart that is gone."""
    deal.connection.execute("DELETE FROM ob_cart_work WHERE cart_id = ?", (cart_id,))


def begin(deal: Deal, cart_id: str, stage: Stage, *, at_once: bool) -> bool:
    """Let a computation begin; tell whether it is to be done now.

    Args:
        deal: The business.
        cart_id: Whose.
        stage: What is computed.
        at_once: Whether nobody has to wait for it.
    """
    policy = deal.policy
    computes = stage is not Stage.ORDER
    endless = computes and deal.faults.commerce(Trouble.ENDLESS)
    trouble = "integration-failure" if computes and deal.faults.commerce(Trouble.INTEGRATION) else ""
    reads = _READS[stage](policy)
    seconds = 0.0 if stage is Stage.ORDER else policy.calculation_seconds
    short = at_once or (reads == 0 and not seconds)
    if short and not endless:
        keep(deal, cart_id, Work(stage=stage, state=State.ERRORED if trouble else State.COMPLETED, trouble=trouble))
        return not trouble
    ready = deal.org.clock.now() + timedelta(seconds=seconds)
    work = Work(
        stage=stage,
        state=State.PROCESSING,
        reads=reads,
        ready=bulk_datetime(ready),
        endless=endless,
        conflict=work_of(deal, cart_id).conflict,
        trouble=trouble,
    )
    keep(deal, cart_id, work)
    return False


def ask(deal: Deal, cart_id: str) -> tuple[Work, bool]:
    """Ask after a computation: what is told of it now, and whether its results are to be written before."""
    work = work_of(deal, cart_id)
    if work.state is not State.PROCESSING or work.endless:
        return work, False
    if work.reads > 0 or deal.now < work.ready:
        keep(deal, cart_id, replace(work, reads=max(work.reads - 1, 0)))
        return work, False
    done = replace(work, state=State.ERRORED if work.trouble else State.COMPLETED)
    keep(deal, cart_id, done)
    return done, done.state is State.COMPLETED


def set_conflict(deal: Deal, cart_id: str, conflict: bool) -> None:
    """Let changes of a cart's checkout be refused, or no longer."""
    keep(deal, cart_id, replace(work_of(deal, cart_id), conflict=conflict))
