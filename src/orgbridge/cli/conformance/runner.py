"""Runs the battery against any org: sends, waits, compares, cleans up.

Every run has a word of its own (`{{run}}`) in the names and keys that it makes, so that two runs in one org, or a run
after one that was interrupted, do not meet.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from orgbridge.cli.conformance.cases import Case, Exchange
from orgbridge.cli.conformance.patterns import mismatch
from orgbridge.kit.clock import Clock
from orgbridge.kit.json import JSON, JSONDecodeError, dumps, loads

_NAME = re.compile(r"\{\{([a-z_0-9]+)\}\}")
#: Seconds after which a job that is waited for counts as stuck, and the first pause between two looks.
_PATIENCE_SECONDS, _PAUSE_SECONDS = 120.0, 0.05
_LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one case."""

    #: The case.
    case: Case
    #: Exchanges that were as expected.
    good: int
    #: What was not, in one sentence; None when all was.
    problem: str | None = None
    #: Why nothing was sent; None when something was.
    skipped: str | None = None

    @property
    def holds(self) -> bool:
        """True when the org did all that the case expects."""
        return self.problem is None and self.skipped is None


class _Unexpected(Exception):
    """A reply that is not as expected."""


class Runner:
    """Runs cases one after the other in one session.

    Args:
        session: What requests are made with.
        instance_url: Where the org is.
        words: What `{{names}}` stand for: `token`, `run`, and the words of the sign-in.
        clock: Waits between two looks at a job.
    """

    def __init__(
        self, session: aiohttp.ClientSession, instance_url: str, words: Mapping[str, str], clock: Clock
    ) -> None:
        self._session = session
        self._url = instance_url
        self._words = dict(words)
        self._clock = clock
        self._fields: dict[str, frozenset[str]] = {}

    async def run(self, cases: Iterable[Case]) -> AsyncIterator[Verdict]:
        """Yield the verdict of each case once it is done."""
        for number, case in enumerate(cases):
            yield await self._case(case, {**self._words, "case": f"{number}"})

    async def _case(self, case: Case, saved: dict[str, str]) -> Verdict:
        if lacking := [name for name in case.needs if name not in saved]:
            return Verdict(case=case, good=0, skipped=f"the sign-in has no {', '.join(lacking)}")
        for name in case.requires:
            if not await self._has(name):
                return Verdict(case=case, good=0, skipped=f"the org has no {name}")
        good, problem = 0, None
        try:
            for exchange in case.exchanges:
                await self._exchange(exchange, case.version, saved)
                good += 1
        except (_Unexpected, aiohttp.ClientError, TimeoutError) as error:
            step = case.exchanges[good]
            problem = f"{step.method} {step.path}: {error or type(error).__name__}"
        for exchange in case.cleanup:
            await self._clean(exchange, case.version, saved)
        return Verdict(case=case, good=good, problem=problem)

    async def _clean(self, exchange: Exchange, version: str, saved: Mapping[str, str]) -> None:
        # What was never made needs no cleaning: its name was not saved.
        if set(_NAME.findall(exchange.path)) <= set(saved):
            try:
                await self._send(exchange, version, saved)
            except (aiohttp.ClientError, TimeoutError):
                return

    async def _exchange(self, exchange: Exchange, version: str, saved: dict[str, str]) -> None:
        deadline = self._clock.monotonic() + _PATIENCE_SECONDS
        pause = _PAUSE_SECONDS
        while True:
            status, headers, body = await self._send(exchange, version, saved)
            value = _json(body)
            state = value.get("state") if isinstance(value, dict) else None
            if state not in exchange.while_states or state is None:
                break
            if self._clock.monotonic() > deadline:
                raise _Unexpected(f"the state is still {state} after {_PATIENCE_SECONDS:g} seconds")
            await self._clock.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        _check(exchange, saved, status, headers, body, value)
        for name, place in exchange.save.items():
            saved[name] = str(_found(value, place))

    async def _send(
        self, exchange: Exchange, version: str, saved: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        path = _filled(exchange.path, saved)
        if not path.startswith("/"):
            path = f"/services/data/v{version}/{path}"
        headers = {"Authorization": f"Bearer {saved['token']}"}
        data: bytes | dict[str, str] | None = None
        if exchange.json is not None:
            data, headers["Content-Type"] = dumps(_filled(exchange.json, saved)), "application/json"
        elif exchange.text is not None:
            data, headers["Content-Type"] = _filled(exchange.text, saved).encode(), "text/csv"
        elif exchange.form is not None:
            data = _filled(exchange.form, saved)
        for name, text in exchange.headers.items():
            headers.pop(name, None)
            if text is not None:
                headers[name] = _filled(text, saved)
        pairs = _filled(exchange.params, saved).items()
        # Encoded here: the library would take a `%2F` apart that is part of an external id.
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
        url = URL(f"{self._url}{path}{'?' if query else ''}{query}", encoded=True)
        request = self._session.request(exchange.method, url, data=data, headers=headers, allow_redirects=False)
        async with request as reply:
            return reply.status, reply.headers, await reply.read()

    async def _has(self, name: str) -> bool:
        """Tell whether the org has a field, named as `Object.Field`."""
        sobject, _, field = name.partition(".")
        if sobject not in self._fields:
            exchange = Exchange(method="GET", path=f"sobjects/{sobject}/describe")
            status, _, body = await self._send(exchange, "62.0", self._words)
            described = _json(body) if status == 200 else {"fields": []}
            self._fields[sobject] = frozenset(item["name"] for item in described["fields"])
        return field in self._fields[sobject]


def _filled(value: Any, saved: Mapping[str, str]) -> Any:
    """Return a value with its `{{names}}` filled in, however deep they lie."""
    match value:
        case str():
            return _NAME.sub(lambda found: saved[found.group(1)], value)
        case dict():
            return {_filled(key, saved): _filled(item, saved) for key, item in value.items()}
        case list():
            return [_filled(item, saved) for item in value]
    return value


def _escaped(value: Any, saved: Mapping[str, str]) -> Any:
    """Return a pattern with its `{{names}}` filled in; within an expression they stand for themselves."""
    plain = {name: re.escape(text) for name, text in saved.items()}
    match value:
        case str():
            return _filled(value, plain if value.startswith("~") else saved)
        case dict():
            return {_filled(key, saved): _escaped(item, saved) for key, item in value.items()}
        case list():
            return [_escaped(item, saved) for item in value]
    return value


def _json(body: bytes) -> JSON:
    try:
        return loads(body)
    except JSONDecodeError:
        return None


def _found(value: JSON, place: str) -> JSON:
    for step in place.split("."):
        try:
            value = value[int(step)] if step.isdigit() else value[step]
        except (KeyError, IndexError, TypeError):
            raise _Unexpected(f"the reply has no {place}") from None
    return value


def _check(
    exchange: Exchange,
    saved: Mapping[str, str],
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    value: JSON,
) -> None:
    if status not in exchange.statuses:
        wanted = " or ".join(map(str, exchange.statuses))
        raise _Unexpected(f"status {status}, not {wanted}: {body[:300].decode('utf-8', 'replace')}")
    for name, pattern in exchange.expect_headers.items():
        if pattern is None:
            problem = f"header {name} is there" if name in headers else None
        elif name not in headers:
            problem = f"header {name} is missing"
        else:
            problem = mismatch(_escaped(pattern, saved), headers[name], f"header {name}")
        if problem is not None:
            raise _Unexpected(problem)
    if exchange.checks_json and (problem := mismatch(_escaped(exchange.expect_json, saved), value)) is not None:
        raise _Unexpected(problem)
    if exchange.expect_text is not None:
        text = body.decode("utf-8", "replace")
        if (problem := mismatch(_escaped(exchange.expect_text, saved), text, "text")) is not None:
            raise _Unexpected(problem)
