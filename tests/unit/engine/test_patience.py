"""What may pass is waited for, for as long as was said and no longer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from orgbridge.client.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidRequest,
    MalformedReply,
    NotFound,
    RequestLimitExceeded,
    SalesforceFault,
    ServerFault,
    ServerUnavailable,
    SignInUnavailable,
)
from orgbridge.engine.config import WorkerConfig
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.faults import Fault, fault_of, nothing_sent, transient
from orgbridge.engine.patience import Patience
from orgbridge.orgs.errors import Parked
from orgbridge.orgs.uses import CallKind, calls_of_a_load, present_use
from orgbridge.store.errors import StoreUnavailable


class _Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    def now(self) -> datetime:
        """Return the same instant always."""
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        """Return the seconds slept so far."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Let the seconds pass at once."""
        self.pauses.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


_CONFIG = WorkerConfig(patience_seconds=10, pause_seconds=1, longest_pause_seconds=4)
_AWAY = ConnectionFailed("refused", sent=False)


class _Failing:
    """An operation that fails so many times."""

    def __init__(self, times: int, error: Exception = _AWAY) -> None:
        self._times = times
        self._error = error

    async def __call__(self) -> str:
        if self._times:
            self._times -= 1
            raise self._error
        return "done"


async def test_a_passing_error_is_waited_out_with_growing_pauses() -> None:
    """Pauses double up to the longest."""
    clock = _Clock()
    assert await Patience(_CONFIG, clock).until_done(_Failing(3)) == "done"
    assert clock.pauses == [1, 2, 4]


async def test_patience_ends_in_the_error_itself() -> None:
    """Once the time is up the last error comes out, and not a second later than was said."""
    clock = _Clock()
    with pytest.raises(ConnectionFailed):
        await Patience(_CONFIG, clock).until_done(_Failing(100))
    assert 5 <= clock.seconds <= _CONFIG.patience_seconds


async def test_an_error_that_cannot_pass_is_not_waited_for() -> None:
    """It comes out at once."""
    clock = _Clock()
    with pytest.raises(ZeroDivisionError):
        await Patience(_CONFIG, clock).until_done(_Failing(1, ZeroDivisionError()))
    assert clock.pauses == []


async def test_success_renews_patience() -> None:
    """Short outages that follow one another do not add up."""
    clock = _Clock()
    patience = Patience(_CONFIG, clock)
    for _ in range(5):
        await patience.until_done(_Failing(2))
    assert clock.pauses == [1, 2] * 5


async def test_why_it_waits_is_told_until_it_has_passed() -> None:
    """Each pause tells the cause, since when and how long at most; success takes it back."""
    told: list[str | None] = []

    async def tell(cause: str | None) -> None:
        told.append(cause)

    patience = Patience(_CONFIG, _Clock(), tell)
    assert await patience.until_done(_Failing(2)) == "done"
    assert await patience.until_done(_Failing(0)) == "done"
    assert told == ["Waiting since 2026-01-01 00:00:00 UTC, at most 10 s: refused"] * 2 + [None]


async def test_a_parked_load_waits_without_losing_patience() -> None:
    """It waits ten times as long as patience lasts, looks often, says until when, and goes on."""
    clock, told = _Clock(), list[str | None]()

    async def tell(cause: str | None) -> None:
        told.append(cause)

    parked = Parked("no requests left.", until=datetime(2026, 1, 2, tzinfo=UTC))
    assert await Patience(_CONFIG, clock, tell).until_done(_Failing(25, parked)) == "done"
    assert clock.pauses == [_CONFIG.longest_pause_seconds] * 25
    assert (told[0], told[-1]) == ("Parked until 2026-01-02 00:00:00 UTC: no requests left.", None)
    assert nothing_sent(parked)


async def test_a_parked_load_that_is_stopped_does_not_wait_for_the_budget() -> None:
    """Within seconds its calls go out like a person's; where the day is spent for all, it parks again."""
    clock, looks = _Clock(), 0
    parked = Parked("no requests left.", until=datetime(2026, 1, 2, tzinfo=UTC))

    async def cancelled() -> bool:
        nonlocal looks
        looks += 1
        return looks > 3

    uses: list[CallKind] = []
    fault = SalesforceFault(error_code="REQUEST_LIMIT_EXCEEDED", message="")
    spent = RequestLimitExceeded(status=403, faults=[fault], method="GET", path="/")

    async def call() -> str:
        uses.append(present_use().kind)
        if uses[-1] is CallKind.LOAD and len(uses) < 30:
            raise parked
        if len(uses) < 10:
            raise spent
        return "done"

    config = WorkerConfig(patience_seconds=10, pause_seconds=1, longest_pause_seconds=30, cancel_look_seconds=2)
    with calls_of_a_load():
        assert await Patience(config, clock, None, cancelled).until_done(call) == "done"
    assert uses[:3] == [CallKind.LOAD, CallKind.INTERACTIVE, CallKind.LOAD]
    assert set(uses[3:]) == {CallKind.LOAD}
    assert clock.pauses[:3] == [2, 2, 2]
    assert present_use().kind is CallKind.INTERACTIVE


def _answer(
    kind: type[InvalidRequest | NotFound | ServerFault | ServerUnavailable], status: int, code: str
) -> Exception:
    return kind(status=status, faults=[SalesforceFault(error_code=code, message="said")], method="GET", path="/x")


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (_AWAY, True),
        (_answer(ServerUnavailable, 503, "SERVER_UNAVAILABLE"), True),
        (_answer(ServerFault, 500, "UNKNOWN_EXCEPTION"), True),
        (_answer(InvalidRequest, 400, "INVALID_FIELD"), False),
        (_answer(NotFound, 404, "NOT_FOUND"), False),
        (MalformedReply("an edge page"), True),
        (SignInUnavailable(cause="down", remedy="wait"), True),
        (AuthenticationFailed(cause="bad secret", remedy="mend it"), False),
        (StoreUnavailable(), True),
        (OSError(28, "No space left on device"), True),
        (ValueError("a bug"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_passes_by_itself_is_told_from_what_does_not(error: Exception, passes: bool) -> None:
    """Outages pass; refusals and bugs do not."""
    assert transient(error) is passes


def test_only_an_unsent_request_is_certain_to_have_had_no_effect() -> None:
    """Nothing else may be taken for certain."""
    assert nothing_sent(_AWAY)
    assert not nothing_sent(ConnectionFailed("reset", sent=True))
    assert not nothing_sent(_answer(ServerUnavailable, 503, "SERVER_UNAVAILABLE"))


def test_a_fault_survives_the_step_log() -> None:
    """What was said before a crash is said after it, in Salesforce's own code and words."""
    fault = fault_of(_answer(InvalidRequest, 400, "INVALID_FIELD"))
    assert (fault.code, fault.message) == ("INVALID_FIELD", "said")
    kept = Fault(code="load.x", message="m", details=({"line": 3},))
    assert Fault.from_json(kept.to_json()) == kept
    assert StepRefused(kept).fault == kept


def test_a_bugs_text_stays_in_the_log() -> None:
    """The caller learns that something broke inside, not what it held."""
    assert "hunter2" not in fault_of(ValueError("hunter2")).message
