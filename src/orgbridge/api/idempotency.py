"""Idempotency-Key on every call that changes something: the first request does the work, the others get its reply.

A body of bounded size is read whole before the key is claimed. An upload is claimed first and hashed as it goes by;
its last bytes are held back until the store says that the key is still ours, because until then nothing is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Container
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orgbridge.api.errors import trouble_reply
from orgbridge.api.fingerprints import Fingerprint
from orgbridge.api.held import HeldReply
from orgbridge.api.traffic import CALLER, Traffic
from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.json import JSON, JSONDecodeError, loads
from orgbridge.kit.logs import get_logger
from orgbridge.kit.notes import note
from orgbridge.services.errors import OutcomeUnknown
from orgbridge.services.idempotency import (
    Hold,
    IdempotencyService,
    KeptReply,
    KeyReused,
    ReplyNotKept,
    check_key,
)

_KEY = b"idempotency-key"
#: Codes of replies after which nobody knows whether the work was done.
_UNSURE = frozenset({OutcomeUnknown.code, "internal"})
#: Refusals that speak of the caller or of the moment, and not of the work: the same request may fare better later.
_PASSING = frozenset({401, 403, 405, 408, 425, 429})
#: Bytes of a refused upload that are still read, so that the caller gets to see the refusal.
_DRAINED_BYTES = 64 * 1024 * 1024
log = get_logger(__name__)


class Idempotency:
    """Serves each key once."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: IdempotencyService,
        traffic: Traffic,
        clock: Clock,
        streamed: Container[str],
        kept: Collection[str] = (),
    ) -> None:
        """Prepare to serve.

        Args:
            app: What does the work.
            keys: Where keys are kept.
            traffic: Which calls change something.
            clock: For the pauses between two signs of life.
            streamed: Paths whose bodies have no bound.
            kept: Paths whose routes keep their keys themselves, in the very row that the work is, so that the same key
                finds it after any crash, for ever.
        """
        self._app = app
        self._keys = keys
        self._traffic = traffic
        self._clock = clock
        self._streamed = streamed
        self._kept = frozenset(kept)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == _KEY] if _may(scope) else []
        caller = scope.get(CALLER)
        # Who is not signed in is refused by the route.
        if (
            not given
            or caller is None
            or scope["path"] in self._kept
            or not self._traffic.changes(scope["method"], scope["path"])
        ):
            await self._app(scope, receive, send)
            return
        try:
            key = check_key(given)
            serve = self._stream if scope["path"] in self._streamed else self._whole
            await serve(caller.user_id, key, scope, receive, send)
        except OrgbridgeError as error:
            # Only what was refused before the application was asked gets here.
            await trouble_reply(_request_id(scope), scope["path"], error)(scope, receive, send)

    async def _whole(self, caller_id: str, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        print_, messages = _fingerprint(scope), list[Message]()
        more = True
        while more:
            message = await receive()
            messages.append(message)
            more = message["type"] == "http.request" and message.get("more_body", False)
            print_.feed(message.get("body", b""))

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        fingerprint = print_.value()
        if messages[-1]["type"] != "http.request" or fingerprint is None:
            # Cut off, or a form that no route can read: it is refused without our doing.
            await self._app(scope, again, send)
            return
        found = await self._keys.claim(caller_id, key, fingerprint=fingerprint, request_id=_request_id(scope))
        if isinstance(found, KeptReply):
            await _replay(found, send)
        else:
            await self._work(_Work(found, begun=True), scope, again, send)

    async def _stream(self, caller_id: str, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            found = await self._keys.claim(caller_id, key, fingerprint=None, request_id=_request_id(scope))
        except OrgbridgeError:
            await _drain(receive, _DRAINED_BYTES)
            raise
        print_ = _fingerprint(scope)
        if isinstance(found, KeptReply):
            await _drain(receive, None, print_)
            if print_.value() != found.fingerprint:
                raise KeyReused
            await _replay(found, send)
            return
        work = _Work(found, begun=False)

        async def hashed() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not work.begun:
                print_.feed(message.get("body", b""))
                fingerprint = print_.value()
                if not message.get("more_body", False) and fingerprint is not None:
                    await self._keys.begin(work.hold, fingerprint)
                    work.begun = True
            return message

        await self._work(work, scope, hashed, send)

    async def _work(self, work: _Work, scope: Scope, receive: Receive, send: Send) -> None:
        async def settle(reply: HeldReply) -> None:
            work.settled = True
            try:
                await self._settle(work, reply)
            except OrgbridgeError as error:
                # The caller gets its reply; who repeats the call is told that the outcome is not known.
                log.warning("idempotency_not_settled", code=error.code, status=reply.status)

        held = HeldReply(send, self._keys.config.reply_bytes, settle)
        async with self._alive(work.hold):
            try:
                await self._app(scope, receive, held)
            finally:
                if not work.settled:
                    await self._abandon(work)

    async def _settle(self, work: _Work, reply: HeldReply) -> None:
        problem = _problem(reply)
        if problem.get("code") in _UNSURE:
            await self._keys.doubt(work.hold)
        elif not work.begun or reply.status >= 500 or reply.status in _PASSING or problem.get("retryable") is True:
            await self._keys.release(work.hold)
        else:
            headers = [
                [name.decode("latin-1"), value.decode("latin-1")]
                for name, value in reply.headers
                if name.lower() not in (b"content-length", b"date")
            ]
            await self._keys.keep(work.hold, reply.status, headers, reply.body)

    async def _abandon(self, work: _Work) -> None:
        """The application ended without a reply: by a fault, or because this process is being stopped."""
        try:
            await asyncio.shield(self._keys.doubt(work.hold) if work.begun else self._keys.release(work.hold))
        except OrgbridgeError as error:
            log.warning("idempotency_not_settled", code=error.code, status=0)

    @asynccontextmanager
    async def _alive(self, hold: Hold) -> AsyncIterator[None]:
        """Say again and again that the holder lives, while the block lasts."""
        task = asyncio.create_task(self._renew(hold), name="idempotency-lease")
        try:
            yield
        finally:
            task.cancel()

    async def _renew(self, hold: Hold) -> None:
        pause = self._keys.config.lease.total_seconds() / 3
        while True:
            await self._clock.sleep(pause)
            try:
                if not await self._keys.renew(hold):
                    return
            except OrgbridgeError as error:
                log.warning("idempotency_lease_not_renewed", code=error.code)


class _Work:
    """How far one holder has come."""

    __slots__ = ("begun", "hold", "settled")

    def __init__(self, hold: Hold, *, begun: bool) -> None:
        self.hold = hold
        #: True once the application may have done something.
        self.begun = begun
        #: True once the reply, or its lack, was dealt with.
        self.settled = False


async def _replay(kept: KeptReply, send: Send) -> None:
    if kept.body is None:
        raise ReplyNotKept(kept.status)
    note(replayed=True)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept.headers]
    headers += [(b"content-length", b"%d" % len(kept.body)), (b"idempotency-replayed", b"true")]
    if kept.status == 204:
        headers = [(name, value) for name, value in headers if name != b"content-length"]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": kept.body})


async def _drain(receive: Receive, limit: int | None, into: Fingerprint | None = None) -> None:
    seen = 0
    while limit is None or seen < limit:
        message = await receive()
        if message["type"] != "http.request":
            return
        body = message.get("body", b"")
        seen += len(body)
        if into is not None:
            into.feed(body)
        if not message.get("more_body", False):
            return


def _problem(reply: HeldReply) -> dict[str, JSON]:
    if reply.status < 400 or not reply.body:
        return {}
    try:
        value = loads(reply.body)
    except JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _fingerprint(scope: Scope) -> Fingerprint:
    kind = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"content-type"), "")
    return Fingerprint(scope["method"], scope["path"], scope.get("query_string", b""), kind)


def _may(scope: Scope) -> bool:
    return bool(scope["type"] == "http")


def _request_id(scope: Scope) -> str:
    return str(scope.get("orgbridge_request_id", ""))
