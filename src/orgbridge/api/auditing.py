"""What calls did, told to the audit: every call that changes something, every sign-in, every refusal for want of right.

A call that changes something, and a refusal, is answered after its entry is in the store. Pure ASGI.
"""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orgbridge.api.directory import Directory
from orgbridge.api.gate import address_of
from orgbridge.api.held import HeldReply
from orgbridge.api.traffic import CALLER, Traffic
from orgbridge.kit.json import JSON, JSONDecodeError, loads
from orgbridge.kit.logs import Redactor
from orgbridge.kit.notes import notes
from orgbridge.services.audit import MAX_IDS, AuditTrail, Entry, Outcome
from orgbridge.services.errors import OutcomeUnknown
from orgbridge.services.idempotency import CallOutcomeUnknown

#: Bytes of a reply and of a request that are read for names and ids.
_READ_BYTES = 256 * 1024
_UNSURE = frozenset({OutcomeUnknown.code, CallOutcomeUnknown.code, "internal"})
_IDS = ("record_id", "job_id", "id")
#: Parameters of paths that name the kind of thing, and those that are no ids.
_KINDS = frozenset({"object_name", "sobject"})
_NO_IDS = frozenset({"kind", "cursor"})
#: First parts of actions whose bodies hold passwords or policies, never told whatever was asked for.
_SECRETIVE = frozenset({"identity", "users", "service-accounts", "service accounts"})


class Auditing:
    """Writes one entry per call that is to be audited."""

    def __init__(self, app: ASGIApp, *, trail: AuditTrail, traffic: Traffic, directory: Directory) -> None:
        self._app = app
        self._trail = trail
        self._traffic = traffic
        self._directory = directory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        changes = self._traffic.changes(scope["method"], path)
        if self._traffic.signs_in(scope["method"], path) or (changes and scope.get(CALLER) is not None):
            await self._changing(scope, receive, send)
        elif scope.get(CALLER) is not None:
            await self._reading(scope, receive, send)
        else:
            # Nobody we know: refused, and in the access log.
            await self._app(scope, receive, send)

    async def _changing(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = bytearray()

        async def heard() -> Message:
            message = await receive()
            if len(request) <= _READ_BYTES:
                request.extend(message.get("body", b""))
            return message

        with notes() as sheet:

            async def ready(reply: HeldReply) -> None:
                await self._trail.write(self._entry(scope, sheet, reply.status, reply.body, bytes(request)))

            held = HeldReply(send, _READ_BYTES, ready)
            try:
                await self._app(scope, heard if self._trail.config.values else receive, held)
            except BaseException:
                if held.status == 0:
                    await self._trail.write(self._entry(scope, sheet, 500, b'{"code":"internal"}', b""))
                raise

    async def _reading(self, scope: Scope, receive: Receive, send: Send) -> None:
        with notes() as sheet:
            status, body = 0, b""

            async def ready(reply: HeldReply) -> None:
                await self._trail.write(self._entry(scope, sheet, reply.status, reply.body, b""))

            refusal = HeldReply(send, _READ_BYTES, ready)

            async def seen(message: Message) -> None:
                nonlocal status, body
                if message["type"] == "http.response.start":
                    status = message["status"]
                elif status >= 400 and not body:
                    body = message.get("body", b"")[:_READ_BYTES]
                # A refusal for want of right is told after it is written down; replies that carry data are never held.
                await (refusal if status == 403 else send)(message)

            await self._app(scope, receive, seen)
            if self._trail.config.reads and status != 403:
                await self._trail.write(self._entry(scope, sheet, status, body, b""))

    def _entry(self, scope: Scope, sheet: dict[str, JSON], status: int, body: bytes | None, request: bytes) -> Entry:
        self._directory.name(scope)
        route = scope.get("route")
        tag = str((getattr(route, "tags", None) or ["http"])[0])
        action = f"{tag}.{getattr(route, 'name', 'unmatched')}"
        told = _object(body)
        places = {str(name): str(value) for name, value in scope.get("path_params", {}).items()}
        facts = dict(sheet)
        kind = facts.pop("object_name", None) or next((places[name] for name in places if name in _KINDS), "") or tag
        if self._trail.config.values and tag not in _SECRETIVE and request:
            facts["request"] = Redactor().value(_object(request))
        results = told.get("results")
        if isinstance(results, list):
            facts["succeeded"] = sum(1 for item in results if isinstance(item, dict) and item.get("success") is True)
            facts["failed"] = len(results) - facts["succeeded"]
        # A page tells its refusal in words for people: then its code was noted.
        noted = str(facts.pop("code", ""))
        code = str(told.get("code", "") or noted) if status >= 400 else ""
        caller = scope.get(CALLER)
        if caller is not None and caller.sf_username is not None:
            facts["sf_username"] = caller.sf_username
        return Entry(
            action=action,
            outcome=_outcome(status, code),
            caller=caller,
            name=str(facts.pop("name", "")),
            object_name=str(kind),
            ids=_ids(told, places, facts.pop("ids", ())),
            route=f"{scope['method']} {_template(scope)}",
            status=status,
            code=code,
            request_id=str(scope.get("orgbridge_request_id", "")),
            address=address_of(scope),
            details=facts,
        )


def _outcome(status: int, code: str) -> Outcome:
    if code in _UNSURE:
        return Outcome.UNKNOWN
    if status < 400:
        return Outcome.SUCCEEDED
    return Outcome.FAILED if status >= 500 or code.startswith("salesforce.") else Outcome.REFUSED


def _template(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path_format", "(none)"))


def _object(body: bytes | None) -> dict[str, Any]:
    if not body or not body.lstrip().startswith(b"{"):
        return {}
    try:
        value = loads(body)
    except JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _ids(told: dict[str, Any], places: dict[str, str], noted: Any) -> tuple[str, ...]:
    found = [value for name, value in places.items() if name not in _KINDS | _NO_IDS]
    found += [str(told[name]) for name in _IDS if isinstance(told.get(name), str)]
    results = told.get("results")
    for item in results[: MAX_IDS * 10] if isinstance(results, list) else ():
        if isinstance(item, dict):
            found += [str(item[name]) for name in _IDS if isinstance(item.get(name), str)]
    found += [str(one) for one in noted]
    return tuple(dict.fromkeys(found))
