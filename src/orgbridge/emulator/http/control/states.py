"""The org as a whole: snapshots, branches, reset; its clock; made-up rows."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.control.bodies import no_content, read_object, refuse
from orgbridge.emulator.http.lifecycle import Kept, LifecycleError, NoSuchSnapshot
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.org.clocks import ClockError, OrgClock
from orgbridge.emulator.org.population import PopulationError, populate, read_population
from orgbridge.kit.json import JSON
from orgbridge.wire.dates import bulk_datetime, parse_datetime


async def _named(call: Call) -> str:
    body = await read_object(call, "name")
    name = body.get("name")
    if not isinstance(name, str):
        raise refuse('the body must be {"name": "..."}')
    return name


async def _try(call: Call, work: Callable[[], object]) -> object:
    try:
        return await call.thread(work)
    except NoSuchSnapshot as error:
        raise refuse(str(error), 404) from error
    except LifecycleError as error:
        raise refuse(str(error)) from error


def _told(kept: Kept) -> dict[str, JSON]:
    return {"name": kept.name, "bytes": kept.bytes}


async def snapshot(call: Call) -> Response:
    """Answer POST /_emulator/snapshots: keep the org as it is now."""
    name = await _named(call)
    kept = await _try(call, lambda: call.parts.lifecycle.snapshot(name))
    assert isinstance(kept, Kept)
    return json_reply(_told(kept), 201)


async def snapshots(call: Call) -> Response:
    """Answer GET /_emulator/snapshots."""
    kept = await call.thread(call.parts.lifecycle.snapshots)
    return json_reply({"snapshots": [_told(one) for one in kept]})


async def drop(call: Call) -> Response:
    """Answer DELETE /_emulator/snapshots/{name}."""
    await _try(call, lambda: call.parts.lifecycle.drop(call.args["name"]))
    return no_content()


async def restore(call: Call) -> Response:
    """Answer POST /_emulator/restore: make the org what it was at a snapshot."""
    name = await _named(call)
    await _try(call, lambda: call.parts.lifecycle.restore(name))
    return no_content()


async def reset(call: Call) -> Response:
    """Answer POST /_emulator/reset: make the org what it was when it was new."""
    await read_object(call)
    await _try(call, call.parts.lifecycle.reset)
    call.parts.commerce.reset()
    return no_content()


async def branches(call: Call) -> Response:
    """Answer GET /_emulator/branches."""
    lifecycle = call.parts.lifecycle
    kept = await call.thread(lifecycle.branches)
    return json_reply({"branch": await call.thread(lambda: lifecycle.branch), "branches": [_told(one) for one in kept]})


async def switch(call: Call) -> Response:
    """Answer POST /_emulator/branches: go to a branch, which is made when there is none."""
    name = await _named(call)
    made = await _try(call, lambda: call.parts.lifecycle.switch(name))
    return json_reply({"branch": name, "made": made}, 201 if made else 200)


def _clock(clock: OrgClock) -> dict[str, JSON]:
    return {
        "now": bulk_datetime(clock.now()),
        "ahead_seconds": round(clock.ahead.total_seconds(), 3),
        "frozen": clock.is_frozen,
    }


async def show_clock(call: Call) -> Response:
    """Answer GET /_emulator/clock."""
    return json_reply(_clock(call.parts.lifecycle.clock))


async def move_clock(call: Call) -> Response:
    """Answer POST /_emulator/clock: `set` an instant, `advance_seconds`, `frozen`; `{"restart": true}` goes back.

    Several keys are done in that order. Sessions end and days of API calls begin as if the time had passed.
    """
    body = await read_object(call, "restart", "set", "advance_seconds", "frozen")
    clock = call.parts.lifecycle.clock
    instant = parse_datetime(str(body["set"])) if "set" in body else None
    advance = body.get("advance_seconds", 0)
    if "set" in body and instant is None:
        raise refuse("set must be an instant such as 2026-01-31T12:00:00Z")
    if isinstance(advance, bool) or not isinstance(advance, int | float):
        raise refuse("advance_seconds must be a number")
    if not all(isinstance(body.get(name, False), bool) for name in ("restart", "frozen")):
        raise refuse("restart and frozen are true or false")
    try:
        if body.get("restart"):
            clock.restart()
        if instant is not None:
            clock.set(instant)
        if advance:
            clock.advance(advance)
    except ClockError as error:
        raise refuse(str(error)) from error
    if "frozen" in body:
        (clock.freeze if body["frozen"] else clock.run)()
    await call.thread(lambda: clock.save(call.parts.storage))
    return json_reply(_clock(clock))


async def seed(call: Call) -> Response:
    """Answer POST /_emulator/seed: make related rows; see `org.population.Population` for the keys."""
    body = await read_object(call)
    try:
        population = read_population(body)
        made = await call.thread(lambda: populate(call.parts.org, population))
    except PopulationError as error:
        raise refuse(str(error), 409 if "was used" in str(error) else 400) from error
    return json_reply({"number": population.number, "made": made})
