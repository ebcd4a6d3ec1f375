"""Any order of claims, outcomes, deaths and hours: the work of a key is done once, or known to be unknown.

The real service on a real SQLite file, by a clock whose hands the machine moves.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from orgbridge.services.idempotency import (
    CallInFlight,
    CallOutcomeUnknown,
    Hold,
    HoldLost,
    IdempotencyService,
    KeptReply,
    KeyReused,
)
from orgbridge.store.database import Database
from tests.support.clocks import HandClock
from tests.support.databases import migrate

_LEASE, _KEPT = 60, 24 * 3600
_T = TypeVar("_T")


@dataclass(slots=True)
class _Turn:
    """One request that got the key of a caller, as the model sees it."""

    place: tuple[str, str]
    hold: Hold
    fingerprint: str | None
    lease: float
    ends: float
    #: The body of its reply; None while there is none.
    reply: bytes | None = None
    doubted: bool = False


@dataclass(slots=True)
class _Model:
    """Who has which key."""

    turns: dict[tuple[str, str], _Turn] = field(default_factory=dict)

    def standing(self, place: tuple[str, str], now: float) -> _Turn | None:
        """Return the turn that stands in the way of a new claim."""
        turn = self.turns.get(place)
        if turn is None or turn.ends <= now:
            return None
        dead = turn.reply is None and not turn.doubted and turn.fingerprint is None and turn.lease <= now
        return None if dead else turn


@cache
def _template() -> Path:
    """Return a database with the newest tables, to be copied."""
    file = Path(tempfile.mkdtemp(prefix="keys-")) / "template.sqlite"
    migrate(f"sqlite:///{file}")
    return file


class KeysMachine(RuleBasedStateMachine):
    """Requests of two callers with two keys, some of which die."""

    holders = Bundle("holders")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "keys.sqlite"
        shutil.copyfile(_template(), file)
        url = f"sqlite:///{file}"
        self._loop = asyncio.new_event_loop()
        self._clock = HandClock()
        self._database = Database(url)
        self._keys = IdempotencyService(self._database, self._clock)
        self._model = _Model()
        self._count = 0

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self._loop.run_until_complete(work)

    def _mine(self, turn: _Turn) -> bool:
        current = self._model.turns.get(turn.place)
        return current is turn and turn.reply is None and not turn.doubted

    def _late(self, turn: _Turn) -> bool:
        """Tell whether the key has expired: then it may have been cleared away already, or not yet."""
        return turn.ends <= self._clock.monotonic()

    @rule(
        target=holders,
        caller=st.sampled_from(["ann", "bob"]),
        key=st.sampled_from(["k", "l"]),
        fingerprint=st.sampled_from([None, "f", "g"]),
    )
    def claim(self, caller: str, key: str, fingerprint: str | None) -> Any:
        """A request comes in: it gets the key, the reply, or the one right refusal."""
        now, place = self._clock.monotonic(), (caller, key)
        standing = self._model.standing(place, now)
        self._count += 1
        try:
            found = self._run(self._keys.claim(caller, key, fingerprint=fingerprint, request_id=f"r{self._count}"))
        except KeyReused:
            assert standing is not None
            assert None not in (fingerprint, standing.fingerprint)
            assert fingerprint != standing.fingerprint
            return multiple()
        except CallOutcomeUnknown:
            assert standing is not None
            assert standing.reply is None
            assert standing.doubted or standing.lease <= now
            return multiple()
        except CallInFlight:
            assert standing is not None
            assert standing.reply is None
            assert not standing.doubted
            assert standing.lease > now
            return multiple()
        if isinstance(found, KeptReply):
            assert standing is not None
            assert found.body == standing.reply
            return multiple()
        assert standing is None, "the work would be done a second time"
        turn = _Turn(place=place, hold=found, fingerprint=fingerprint, lease=now + _LEASE, ends=now + _KEPT)
        self._model.turns[place] = turn
        return turn

    @rule(turn=holders, fingerprint=st.sampled_from(["f", "g"]))
    def begin(self, turn: _Turn, fingerprint: str) -> None:
        """The body has come: work begins only for whoever still has the key."""
        if turn.fingerprint is not None or self._late(turn):
            return
        try:
            self._run(self._keys.begin(turn.hold, fingerprint))
        except HoldLost:
            assert not self._mine(turn)
            return
        assert self._mine(turn)
        turn.fingerprint, turn.lease = fingerprint, self._clock.monotonic() + _LEASE

    @rule(turn=holders)
    def live(self, turn: _Turn) -> None:
        """A sign of life counts for whoever has the key."""
        if self._late(turn):
            return
        assert self._run(self._keys.renew(turn.hold)) == self._mine(turn)
        if self._mine(turn):
            turn.lease = self._clock.monotonic() + _LEASE

    @rule(turn=consumes(holders))
    def keep(self, turn: _Turn) -> None:
        """The work is done: its reply is kept, unless the key went to somebody else."""
        body = turn.hold.holder.encode()
        kept = self._run(self._keys.keep(turn.hold, 201, [], body))
        assert kept == self._mine(turn) or self._late(turn)
        if self._mine(turn):
            turn.reply = body

    @rule(turn=consumes(holders))
    def release(self, turn: _Turn) -> None:
        """Nothing was done: the key is free, unless somebody else has it."""
        self._run(self._keys.release(turn.hold))
        if self._mine(turn):
            del self._model.turns[turn.place]

    @rule(turn=consumes(holders))
    def doubt(self, turn: _Turn) -> None:
        """Nobody knows whether it was done."""
        self._run(self._keys.doubt(turn.hold))
        if self._mine(turn):
            turn.doubted = True

    @rule(seconds=st.sampled_from([1, 30, 59, 61, 3600, 23 * 3600, 24 * 3600]))
    def wait(self, seconds: int) -> None:
        """Time goes by; who died says nothing."""
        self._clock.move(seconds)

    @invariant()
    def one_reply_is_replayed(self) -> None:
        """Whoever asks again with the same request gets the reply that was kept, byte by byte."""
        now = self._clock.monotonic()
        for (caller, key), turn in self._model.turns.items():
            if turn.reply is not None and turn.ends > now:
                found = self._run(self._keys.claim(caller, key, fingerprint=turn.fingerprint, request_id="again"))
                assert isinstance(found, KeptReply)
                assert found.body == turn.reply

    def teardown(self) -> None:
        """Close the database."""
        self._run(self._database.close())
        self._loop.close()
        self._folder.cleanup()


KeysMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestKeys = KeysMachine.TestCase
