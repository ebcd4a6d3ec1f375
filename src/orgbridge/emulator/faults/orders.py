"""What may be ordered: the effects of a fault, how often it strikes, and the reading of both from JSON.

Names that people know (`unavailable`, `reply_lost`, ...) are request faults with some values filled in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, assert_never

from orgbridge.kit.json import JSON


class FaultError(ValueError):
    """The order for a fault does not make sense; nothing was programmed."""


class Cut(StrEnum):
    """When a connection is cut."""

    #: Before the request has an effect.
    BEFORE = "before"
    #: After it had its effect, before the reply: the work is done and nobody is told.
    AFTER = "after"
    #: In the middle of the request's body.
    UPLOAD = "upload"
    #: In the middle of the reply's body.
    DOWNLOAD = "download"


class Kind(StrEnum):
    """What an order is about."""

    #: Requests that match.
    REQUEST = "request"
    #: Rows of bulk jobs that cannot be locked.
    LOCKS = "locks"
    #: Items of collection calls that cannot be locked.
    ITEM_LOCKS = "item_locks"
    #: A bulk job that fails as a whole.
    JOB_FAILURE = "job_failure"
    #: A bulk job that somebody aborts.
    JOB_ABORT = "job_abort"
    #: Bulk jobs that take their time.
    SLOW_JOBS = "slow_jobs"
    #: What an org computes for carts and checkouts.
    COMMERCE = "commerce"


class Trouble(StrEnum):
    """What may go wrong with what is computed for carts and checkouts."""

    #: A calculation that stays Processing.
    ENDLESS = "endless"
    #: An integration that fails: Errored.
    INTEGRATION = "integration"
    #: Reading the items of a cart that is Processing is refused with 422.
    RECALCULATING = "recalculating"
    #: A change of a checkout is refused with 409, and so is every further one until the checkout is read.
    CONFLICT = "conflict"
    #: A payment that is declined.
    DECLINE = "decline"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault:
    """What happens to requests that match."""

    #: HTTP methods in upper case; empty for any.
    methods: frozenset[str]
    #: Searched for in the path, without regard to case.
    path: re.Pattern[str]
    #: Status of the reply sent in place of the real one.
    status: int | None = None
    #: Salesforce error code of that reply.
    error_code: str = "SERVER_UNAVAILABLE"
    #: Message of that reply.
    message: str = "Server Unavailable"
    #: Value of a `Retry-After` header of that reply.
    retry_after: str | None = None
    #: Whether and when the connection is cut.
    cut: Cut | None = None
    #: Bytes of the body that pass before an upload or a download is cut.
    after_bytes: int = 1024
    #: Pause before the request is looked at.
    delay_seconds: float = 0.0
    #: Whether the request takes effect before its reply is replaced.
    effect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStorm:
    """A share of bulk rows that cannot be locked."""

    #: 0.0 to 1.0 of all rows.
    share: float
    #: Chooses the rows.
    seed: int = 0
    #: Rows of the first so many jobs after the order; None means all jobs to come.
    jobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemStorm:
    """A share of the items of a collection call that cannot be locked."""

    #: 0.0 to 1.0 of the items.
    share: float
    #: Chooses the items.
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """An end that comes over a bulk job from outside."""

    #: Text of `errorMessage`; None aborts the job instead of failing it.
    message: str | None
    #: Batches that are processed before.
    after_batches: int = 0
    #: API name of the object whose jobs it is for; None for all.
    sobject: str | None = None
    #: Operation (`insert`, `query`, ...) of the jobs it is for; None for all.
    operation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowness:
    """A pause before each batch of a bulk job."""

    #: Seconds.
    delay_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """How often an order strikes."""

    #: Chances that pass before the first one counts.
    skip: int = 0
    #: Strikes until the order is spent; None never.
    times: int | None = 1
    #: Share of the chances that are struck.
    rate: float = 1.0
    #: Chooses them.
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommerceTrouble:
    """Trouble with what is computed for carts and checkouts."""

    #: Which.
    trouble: Trouble


Effect = RequestFault | LockStorm | ItemStorm | JobEnd | Slowness | CommerceTrouble

_FREQUENCY = {"skip", "times", "rate", "seed"}
_REQUEST = {
    "method",
    "path",
    "status",
    "errorCode",
    "message",
    "retry_after",
    "cut",
    "after_bytes",
    "delay_ms",
    "effect",
}
_KEYS: dict[Kind, set[str]] = {
    Kind.REQUEST: _REQUEST | _FREQUENCY,
    Kind.LOCKS: {"share", "seed", "jobs"},
    Kind.ITEM_LOCKS: {"share"} | _FREQUENCY,
    Kind.JOB_FAILURE: {"message", "after_batches", "object", "operation"} | _FREQUENCY,
    Kind.JOB_ABORT: {"after_batches", "object", "operation"} | _FREQUENCY,
    Kind.SLOW_JOBS: {"delay_ms"},
    Kind.COMMERCE: {"trouble"} | _FREQUENCY,
}
_WRITES = "POST,PATCH,PUT,DELETE"
_JOB_FAILED = "InternalServerError : The job failed on demand"
#: Request faults by name. Source of codes and texts: facts/salesforce/errors.md section 2, auth.md section 6.
#: Commerce: facts/commerce/checkout.md section 4, carts.md section 2.
#: A 429 does not come from the core platform (errors.md section 3): its body is Assumed.
PRESETS: dict[str, dict[str, JSON]] = {
    "unavailable": {"status": 503, "path": "/services/(data|async|Soap)"},
    "request_limit": {
        "status": 403,
        "errorCode": "REQUEST_LIMIT_EXCEEDED",
        "message": "TotalRequests Limit exceeded.",
        "path": "/services/data",
    },
    "concurrency_limit": {
        "status": 403,
        "errorCode": "REQUEST_LIMIT_EXCEEDED",
        "message": "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        "path": "/services/data",
    },
    "too_many_requests": {
        "status": 429,
        "errorCode": "REQUEST_LIMIT_EXCEEDED",
        "message": "Too many requests",
        "retry_after": "1",
        "path": "/services/data",
    },
    "expired_session": {
        "status": 401,
        "errorCode": "INVALID_SESSION_ID",
        "message": "Session expired or invalid",
        "path": "/services/data/v",
    },
    "row_lock": {
        "status": 400,
        "errorCode": "UNABLE_TO_LOCK_ROW",
        "message": "unable to obtain exclusive access to this record",
        "method": _WRITES,
        "path": "/sobjects/",
    },
    "slow": {"delay_ms": 1000, "path": "/services/data"},
    "reply_lost": {"cut": "after", "method": _WRITES, "path": "/services/data"},
    "order_reply_lost": {"cut": "after", "method": "POST", "path": "/checkouts/[^/]+/orders|/commerce/sale"},
    "commerce_unavailable": {"status": 503, "path": "/commerce/", "retry_after": "1"},
    "summary_broken": {
        "status": 500,
        "errorCode": "UNKNOWN_EXCEPTION",
        "message": "An unexpected error occurred.",
        "method": "GET",
        "path": "/carts/compact-summary",
    },
    "cut_upload": {"cut": "upload", "method": "PUT,POST", "path": "/batch"},
    "cut_download": {"cut": "download", "method": "GET", "path": "results|/query"},
}

#: Trouble with carts and checkouts by name.
COMMERCE_PRESETS: dict[str, Trouble] = {
    "endless_processing": Trouble.ENDLESS,
    "integration_error": Trouble.INTEGRATION,
    "cart_recalculating": Trouble.RECALCULATING,
    "checkout_conflict": Trouble.CONFLICT,
    "payment_declined": Trouble.DECLINE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One thing that was ordered."""

    #: What it is about.
    kind: Kind
    #: What it does.
    effect: Effect
    #: How often.
    frequency: Frequency
    #: Whether it outlives the process.
    durable: bool
    #: As it was given, for telling and for keeping.
    given: dict[str, JSON]


def read_order(given: Mapping[str, JSON]) -> Order:
    """Return the order that a JSON object stands for.

    Args:
        given: `kind` is one of `Kind` or of `PRESETS` (`request` when left out); `durable` keeps it over restarts; the
            other keys are those of the effect and of `Frequency`. With a `rate`, `times` is without end when left out.

    Raises:
        FaultError: Unknown kind or key, or a value out of range.
    """
    name = given.get("kind", Kind.REQUEST.value)
    values = {key: value for key, value in given.items() if key not in ("kind", "durable")}
    if isinstance(name, str) and name in COMMERCE_PRESETS:
        kind, values = Kind.COMMERCE, {"trouble": COMMERCE_PRESETS[name].value, **values}
    elif isinstance(name, str) and name in PRESETS:
        kind, values = Kind.REQUEST, {**PRESETS[name], **values}
    else:
        try:
            kind = Kind(name)
        except ValueError as error:
            known = ", ".join([*(kind.value for kind in Kind), *PRESETS, *COMMERCE_PRESETS])
            raise FaultError(f"unknown kind of fault: {name!r}; there are {known}") from error
    if unknown := sorted(set(values) - _KEYS[kind]):
        raise FaultError(f"unknown keys: {', '.join(unknown)}")
    frequency = _frequency(values) if "times" in _KEYS[kind] else Frequency(times=None)
    return Order(
        kind=kind,
        effect=_effect(kind, values),
        frequency=frequency,
        durable=bool(given.get("durable", False)),
        given=dict(given),
    )


def _effect(kind: Kind, values: Mapping[str, Any]) -> Effect:
    match kind:
        case Kind.REQUEST:
            return _request_fault(values)
        case Kind.LOCKS:
            share = _share(values, "share", None)
            jobs = values.get("jobs")
            return LockStorm(
                share=share, seed=_whole(values, "seed"), jobs=jobs if jobs is None else _whole(values, "jobs")
            )
        case Kind.ITEM_LOCKS:
            return ItemStorm(share=_share(values, "share", None), seed=_whole(values, "seed"))
        case Kind.JOB_FAILURE | Kind.JOB_ABORT:
            message = str(values.get("message", _JOB_FAILED)) if kind is Kind.JOB_FAILURE else None
            return JobEnd(
                message=message,
                after_batches=_whole(values, "after_batches"),
                sobject=values.get("object"),
                operation=values.get("operation"),
            )
        case Kind.SLOW_JOBS:
            return Slowness(delay_seconds=_number(values, "delay_ms") / 1000)
        case Kind.COMMERCE:
            try:
                return CommerceTrouble(trouble=Trouble(values.get("trouble", "")))
            except ValueError as error:
                raise FaultError(f"trouble must be one of {', '.join(Trouble)}") from error
    assert_never(kind)


def _frequency(values: Mapping[str, Any]) -> Frequency:
    times = values.get("times", None if "rate" in values else 1)
    return Frequency(
        skip=_whole(values, "skip"),
        times=None if times is None else _whole({"times": times}, "times"),
        rate=_share(values, "rate", 1.0),
        seed=_whole(values, "seed"),
    )


def _request_fault(values: Mapping[str, Any]) -> RequestFault:
    methods = {name.strip().upper() for name in str(values.get("method", "*")).split(",")}
    try:
        path = re.compile(str(values.get("path", "")), re.IGNORECASE)
        cut = Cut(values["cut"]) if values.get("cut") is not None else None
    except (re.error, ValueError) as error:
        raise FaultError(str(error)) from error
    status = values.get("status")
    if status is not None and (isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599):
        raise FaultError("status must be an HTTP status from 200 to 599")
    plain = {field.name: field.default for field in fields(RequestFault)}
    retry_after = values.get("retry_after")
    return RequestFault(
        methods=frozenset() if "*" in methods else frozenset(methods),
        path=path,
        status=status,
        error_code=str(values.get("errorCode", plain["error_code"])),
        message=str(values.get("message", plain["message"])),
        retry_after=None if retry_after is None else str(retry_after),
        cut=cut,
        after_bytes=_whole(values, "after_bytes", 1024),
        delay_seconds=_number(values, "delay_ms") / 1000,
        effect=bool(values.get("effect", False)),
    )


def _number(values: Mapping[str, Any], key: str, default: float = 0.0) -> float:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise FaultError(f"{key} must be a number, 0 or more")
    return float(value)


def _whole(values: Mapping[str, Any], key: str, default: int = 0) -> int:
    value = _number(values, key, default)
    if value != int(value):
        raise FaultError(f"{key} must be a whole number, 0 or more")
    return int(value)


def _share(values: Mapping[str, Any], key: str, default: float | None) -> float:
    if default is None and key not in values:
        raise FaultError(f"{key} is missing")
    value = _number(values, key, default or 0.0)
    if value > 1:
        raise FaultError(f"{key} must lie between 0 and 1")
    return value
