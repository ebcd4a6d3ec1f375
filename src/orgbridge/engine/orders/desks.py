"""What every act of a placement works with: the buyer's client, the row, the clock, and how a result is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from orgbridge.client import Salesforce, Store, StoreContext
from orgbridge.client.errors import CheckoutConflict, ClientError, SalesforceError, SendingWithheld
from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.orders.machine import Event
from orgbridge.engine.orders.refusals import CalledOff
from orgbridge.kit.clock import Clock
from orgbridge.kit.logs import get_logger
from orgbridge.store.order_records import PlacementRecord

_T = TypeVar("_T")
#: Conflicts in a row after which a change is given up.
_CONFLICTS = 5
_log = get_logger(__name__)
#: Notes what is about to be done, before it is; tells whether that was still possible.
Note = Callable[[PlacementRecord, Event, Mapping[str, Any], datetime], Awaitable[PlacementRecord | None]]
#: Tells whether nobody has changed a placement since it was written.
Untouched = Callable[[PlacementRecord], Awaitable[bool]]
#: Tells whether somebody asked to call a placement off.
Cancelled = Callable[[PlacementRecord], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of an act."""

    #: The event.
    event: Event
    #: What is known besides, by name; joins the placement's facts.
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: Columns of the placement to be set: `order_id`, `order_reference`, `error`.
    columns: Mapping[str, Any] = field(default_factory=dict)


class Desk:
    """One placement at work.

    Everything is done as the buyer. The integration user reads how price books are set up, which buyers are not shown,
    and whether an order is there, which sharing may hide from the very buyer who placed it. It changes one thing: it
    takes back our own orders where a buyer may not, and that is told.

    Attributes:
        record: The placement as it was last read or written.
        salesforce: The buyer's client.
        reader: The integration user's.
    """

    def __init__(
        self,
        record: PlacementRecord,
        salesforce: Salesforce,
        reader: Salesforce,
        config: WorkerConfig,
        clock: Clock,
        note: Note,
        cancelled: Cancelled,
        untouched: Untouched,
    ) -> None:
        self.record = record
        self.salesforce = salesforce
        self.reader = reader
        self.config = config
        self.clock = clock
        self._note = note
        self._cancelled = cancelled
        self._untouched = untouched
        context = StoreContext(webstore_id=record.webstore_id, account_id=record.account_id)
        self.store: Store = salesforce.commerce.store(context)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is known so far."""
        return self.record.facts

    @property
    def request(self) -> Mapping[str, Any]:
        """What was asked for."""
        return self.record.request

    @property
    def patient(self) -> bool:
        """Whether the present state has lasted for less than a checkout may take."""
        return self.clock.now() - self.record.updated_at < timedelta(seconds=self.config.checkout_seconds)

    async def note(self, event: Event, facts: Mapping[str, Any]) -> bool:
        """Write down what is about to be done, before it is; tell whether it still may be.

        False says that the placement was changed or called off since it was read.
        """
        noted = await self._note(self.record, event, facts, self.clock.now())
        if noted is not None:
            self.record = noted
        return noted is not None

    @property
    def sending_seconds(self) -> float:
        """How long one exchange may take that makes an order: a process that was frozen in it sends nothing after."""
        return self.config.order_settle_seconds / 2

    async def may_still_send(self) -> None:
        """See, right before what makes an order is sent, that it is still ours to send and that its time is not over.

        Between the note and the sending may lie a queue, a sign-in, a repetition, or a process that stood still. Others
        take for lost what has settled; so nothing leaves when a quarter of that time has passed.

        Raises:
            SendingWithheld: It must not be sent any more. Nothing was.
            StoreUnavailable: That cannot be told. Nothing was sent.
        """
        # The store is asked first and the time last: what takes long must be seen.
        if not await self._untouched(self.record):
            raise SendingWithheld("Somebody else has gone on with this order.")
        if self.sent_longer_ago_than(self.config.order_settle_seconds / 4):
            raise SendingWithheld("Too much time has passed since it was noted that the order is sent.")

    async def stop_if_called_off(self) -> None:
        """See between two looks that nobody wants the placement called off.

        Raises:
            CalledOff: Somebody does.
        """
        if await self._cancelled(self.record):
            raise CalledOff

    def sent_longer_ago_than(self, seconds: float) -> bool:
        """Tell whether what makes an order was sent so long ago."""
        sent = self.record.sent_at or self.record.updated_at
        return self.clock.now() - sent >= timedelta(seconds=seconds)

    async def unless_in_conflict(
        self, change: Callable[[], Awaitable[_T]], look: Callable[[], Awaitable[object]]
    ) -> _T:
        """Make a change; after a conflict look first, then repeat: a blind repeat does not clear it.

        Raises:
            CheckoutConflict: It stayed so.
            ClientError: The change's own.
        """
        pause = self.config.checkout_poll_seconds
        for _ in range(_CONFLICTS):
            try:
                return await change()
            except SalesforceError as error:
                if not isinstance(error, CheckoutConflict) and error.status != 409:
                    raise
                _log.info("engine.checkout_conflict", placement_id=self.record.id, cause=error.sf_message)
            await self.clock.sleep(pause)
            pause = min(pause * 2, self.config.longest_checkout_poll_seconds)
            await look()
        return await change()

    async def asked(self, look: Callable[[], Awaitable[_T]]) -> _T | None:
        """Return what a look finds; None when Salesforce refuses the very question.

        Raises:
            ClientError: Salesforce could not be reached, or fails for now.
        """
        try:
            return await look()
        except SalesforceError as error:
            if error.status >= 500 or error.retryable or error.status == 429:
                raise
            _log.info("engine.look_refused", placement_id=self.record.id, cause=error.message)
            return None

    async def rows(self, soql: str) -> list[dict[str, Any]] | None:
        """Return the rows of a query that buyer or integration user see; None when both are refused it.

        Raises:
            ClientError: Salesforce could not be reached, or fails for now.
        """
        both = [self.salesforce] if self.reader is self.salesforce else [self.salesforce, self.reader]
        found = [await self._rows_of(one, soql) for one in both]
        if all(rows is None for rows in found):
            return None
        return list({str(row["Id"]): row for rows in found for row in rows or ()}.values())

    async def configured(self, soql: str) -> list[dict[str, Any]] | None:
        """Return the rows of a query about how the store is set up; None when it is refused.

        Raises:
            ClientError: Salesforce could not be reached, or fails for now.
        """
        return await self._rows_of(self.reader, soql)

    async def _rows_of(self, salesforce: Salesforce, soql: str) -> list[dict[str, Any]] | None:
        async def look() -> list[dict[str, Any]]:
            return [record async for record in salesforce.query.records(soql)]

        return await self.asked(look)


def is_refusal(error: ClientError) -> bool:
    """Tell whether Salesforce read a call and refused it, so that its outcome is known."""
    return isinstance(error, SalesforceError) and error.status < 500
