"""What the resources of a webstore share: where they lie, for whom they are asked, how pending things are waited for.

`effectiveAccountId` goes with every call whose context has one, as a parameter with its `=`: without it Salesforce
answers for the buyer's default account and says nothing.

Source: facts/commerce/carts.md sections 1 and 2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from orgbridge.client.errors import SalesforceError
from orgbridge.client.replies import parse_object
from orgbridge.client.transport.exchange import Reply, Transport
from orgbridge.client.transport.requests import Guard, Request, Resend, json_request, segment, with_params
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON
from orgbridge.wire.versions import parse_version

_T = TypeVar("_T")
#: Status of a reply that Salesforce gives while a cart is recalculated. Source: carts.md section 2.
UNPROCESSABLE, ACCEPTED = 422, 202


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreContext:
    """Which webstore, for which account, in which currency and language."""

    #: Id of the WebStore.
    webstore_id: str
    #: The account that is bought for; None only where the buyer's own is asked for.
    account_id: str | None = None
    #: Currency of stores with several; None takes the store's.
    currency: str | None = None
    #: Language of texts, e.g. `en-US`; None takes the buyer's.
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what Salesforce computes is waited for."""

    #: Seconds in all; 0 asks once.
    seconds: float = 10.0
    #: Seconds before the second asking; doubled before each further one.
    first: float = 0.2
    #: Longest pause that is our own choice; a `Retry-After` may ask for more.
    longest: float = 2.0


class Sending(TypedDict, total=False):
    """What may go with a change; see `StoreResource.send`."""

    repeatable: bool
    headers: Mapping[str, str] | None
    seconds: float | None
    guard: Guard | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[_T]):
    """A reply that may be about something still being computed."""

    #: What it says; None when Salesforce would not tell while it computes.
    value: _T | None
    #: True when amounts in it may be stale, null or zero.
    pending: bool
    #: Seconds that Salesforce asked to wait.
    retry_after: float | None = None


class StoreResource:
    """A family of resources of one webstore."""

    def __init__(self, transport: Transport, context: StoreContext, clock: Clock) -> None:
        self._transport = transport
        self.context = context
        self._clock = clock

    @property
    def version(self) -> int:
        """API version of the calls, as a number."""
        return parse_version(self._transport.config.api_version) or 0

    def target(self, path: str, params: Mapping[str, str | int | None] | None = None) -> str:
        """Return the path of a resource with its query.

        Args:
            path: Below the webstore, segments encoded.
            params: Query string, not yet encoded; those that are None are left out.
        """
        context = self.context
        sent: dict[str, str | int] = {}
        if context.account_id is not None:
            sent["effectiveAccountId"] = context.account_id
        if context.currency is not None and self.version >= 57:
            sent["currencyIsoCode"] = context.currency
        if context.language is not None:
            sent["language"] = context.language
        sent |= {name: value for name, value in (params or {}).items() if value is not None}
        base = f"commerce/webstores/{segment(context.webstore_id)}"
        return with_params(self._transport.path(f"{base}/{path}" if path else base), sent)

    async def ask(self, path: str, params: Mapping[str, str | int | None] | None = None) -> Reply:
        """Read a resource.

        Raises:
            ClientError: See `Transport.send`.
        """
        return await self._transport.send(Request(method="GET", target=self.target(path, params), resend=Resend.ALWAYS))

    async def read(self, path: str, params: Mapping[str, str | int | None] | None = None) -> dict[str, Any]:
        """Read a resource and return its object.

        Raises:
            ClientError: See `Transport.send`.
        """
        return parse_object((await self.ask(path, params)).body, path.rpartition("/")[2])

    async def send(
        self,
        method: str,
        path: str,
        body: JSON = None,
        params: Mapping[str, str | int | None] | None = None,
        *,
        repeatable: bool = False,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        guard: Guard | None = None,
    ) -> Reply:
        """Change something. A call whose repetition would do harm is sent a second time only if it never got out.

        Args:
            method: HTTP method.
            path: Below the webstore, segments encoded.
            body: As JSON; None sends none.
            params: Query string.
            repeatable: True when doing it twice ends in the same state as doing it once.
            headers: Further headers.
            seconds: For one exchange; None as usual.
            guard: Asked right before each sending.

        Raises:
            ConnectionFailed: With `sent` true it may have been done.
            ClientError: See `Transport.send`.
        """
        target, resend = self.target(path, params), Resend.ALWAYS if repeatable else Resend.UNSENT
        if body is None:
            request = Request(
                method=method, target=target, headers=headers or {}, resend=resend, seconds=seconds, guard=guard
            )
        else:
            request = json_request(method, target, body, headers=headers, resend=resend, seconds=seconds, guard=guard)
        return await self._transport.send(request)

    async def change(
        self,
        method: str,
        path: str,
        body: JSON = None,
        params: Mapping[str, str | int | None] | None = None,
        **sending: Unpack[Sending],
    ) -> dict[str, Any]:
        """Change something and return the object that Salesforce answers with, an empty one for an empty reply.

        Raises:
            The same as `send`.
        """
        reply = await self.send(method, path, body, params, **sending)
        return parse_object(reply.body, path.rpartition("/")[2]) if reply.body.strip() else {}

    async def settle(self, ask: Callable[[], Awaitable[Asked[_T]]], patience: Patience) -> Asked[_T]:
        """Ask again and again until nothing is pending or the time is over; return the last answer.

        A 422 counts as pending: Salesforce gives it while a cart is recalculated.

        Raises:
            SalesforceError: The last answer was a 422.
            ClientError: See `Transport.send`.
        """
        until, pause = self._clock.monotonic() + patience.seconds, patience.first
        while True:
            refusal: SalesforceError | None = None
            try:
                asked = await ask()
            except SalesforceError as error:
                if error.status != UNPROCESSABLE:
                    raise
                refusal, asked = error, Asked(value=None, pending=True, retry_after=error.retry_after)
            if not asked.pending:
                return asked
            left = until - self._clock.monotonic()
            if left <= 0:
                if refusal is not None:
                    raise refusal
                return asked
            await self._clock.sleep(min(left, max(asked.retry_after or 0.0, pause)))
            pause = min(pause * 2, patience.longest)


def retry_after_of(reply: Reply) -> float | None:
    """Return the seconds that a reply asks to wait; None for none."""
    header = reply.headers.get("Retry-After", "")
    return float(header) if header.strip().isdigit() else None


def custom_fields(sobject: str, values: Mapping[str, JSON] | None) -> Sequence[JSON]:
    """Return values of custom fields as Connect takes them: one list with an object that names its type."""
    return [{"attributes": {"type": sobject}, **values}] if values else []
