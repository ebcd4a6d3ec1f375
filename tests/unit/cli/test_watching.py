"""A watched job is followed to its end, through pauses of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from orgbridge.cli.addresses import Address
from orgbridge.cli.errors import ServiceRefused, ServiceUnreachable
from orgbridge.cli.loading import follow
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal
from orgbridge.cli.watching import Status, status_of, watch
from orgbridge.kit.clock import SystemClock


class HastyClock(SystemClock):
    """A clock whose sleeps are short and counted."""

    def __init__(self) -> None:
        self.slept = 0.0

    def monotonic(self) -> float:
        """Return the seconds slept so far."""
        return self.slept

    async def sleep(self, seconds: float) -> None:
        """Give the loop away once and count the seconds."""
        self.slept += seconds
        await super().sleep(0)


class Script:
    """A service that answers status calls from a list: a document, or a status code for a refusal."""

    def __init__(self, answers: list[dict[str, Any] | int]) -> None:
        self.answers = answers
        self.calls = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Give the next answer; the last one again and again."""
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        if answer == 0:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if isinstance(answer, int):
            return web.json_response({"detail": "There is no such job."}, status=answer)
        return web.json_response(answer)


@pytest.fixture
async def script(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Script, Service]]:
    """A scripted service and a client of it."""
    script = Script(request.param)
    app = web.Application()
    app.router.add_get("/api/v1/bulk/job/load_1/status", script.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        async with Service(Address(url=f"http://{host}:{port}", token="t")) as service:
            yield script, service
    finally:
        await runner.cleanup()


def _document(state: str, processed: int) -> dict[str, Any]:
    return {"job_id": "load_1", "state": state, "records_processed": processed, "job_info_details": {"rows_read": 9}}


@pytest.mark.parametrize(
    "script", [[_document("Queued", 0), _document("InProgress", 4), 0, _document("JobComplete", 9)]], indirect=True
)
async def test_watch_waits_out_a_break_and_ends_with_the_job(script: tuple[Script, Service]) -> None:
    """Each status is shown in order, a lost connection is tried again, and the last status is returned."""
    seen: list[Status] = []
    last = await watch(script[1], "load_1", HastyClock(), seen.append)
    assert last.state == "JobComplete"
    assert [status.processed for status in seen] == [0, 4, 9]
    assert last.rows == 9


@pytest.mark.parametrize("script", [[_document("Queued", 0), 0]], indirect=True)
async def test_watch_gives_up_on_a_service_that_stays_away(script: tuple[Script, Service]) -> None:
    """The message says how to take the watch up again; the job itself goes on."""
    with pytest.raises(ServiceUnreachable, match="orgbridge jobs watch load_1"):
        await watch(script[1], "load_1", HastyClock(), lambda _: None, patience_seconds=10)


@pytest.mark.parametrize("script", [[404]], indirect=True)
async def test_unknown_job_ends_the_watch(script: tuple[Script, Service]) -> None:
    """A refusal is not waited out."""
    with pytest.raises(ServiceRefused, match="no such job"):
        await watch(script[1], "load_1", HastyClock(), lambda _: None)
    assert script[0].calls == 1


def test_status_takes_rows_from_wherever_they_are_told() -> None:
    """Rows are unknown until the split, and then come from the details or from the progress."""
    assert status_of({"state": "Queued"}).rows is None
    assert status_of({"progress": {"rows_read": 7}}).rows == 7
    assert status_of({"job_info_details": {"rows_read": 0}}).rows == 0


@pytest.mark.parametrize(
    "script",
    [
        [
            {**_document("InProgress", 0), "job_info_details": {"waiting": "Waiting since noon: nobody listens."}},
            {**_document("InProgress", 0), "job_info_details": {"waiting": "Waiting since noon: nobody listens."}},
            _document("InProgress", 0),
            _document("JobComplete", 5),
        ]
    ],
    indirect=True,
)
async def test_what_a_load_waits_for_is_said_once(
    script: tuple[Script, Service], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever watches learns why nothing moves, and that it goes on again."""
    assert (await follow(script[1], "load_1", Terminal(), HastyClock())).ended
    told = capsys.readouterr().err.splitlines()
    assert told == ["load_1: Waiting since noon: nobody listens.", "load_1: goes on"]


async def test_events_take_the_place_of_polling() -> None:
    """With a stream of events a job is asked for once per event and not in between."""
    script = Script([_document("InProgress", 0), _document("InProgress", 5), _document("JobComplete", 9)])
    asked: list[str] = []

    async def events(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        for number in range(1, 3):
            while script.calls < number:
                await SystemClock().sleep(0.01)
            await reply.write(f"event: progress\nid: {number}\ndata: {{}}\n\n".encode())
        asked.append(request.headers.get("Last-Event-ID", ""))
        return reply

    app = web.Application()
    app.router.add_get("/api/v1/bulk/job/load_1/status", script.answer)
    app.router.add_get("/api/v1/bulk/job/load_1/events", events)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    seen: list[int] = []
    try:
        async with Service(Address(url=f"http://{host}:{port}", token="t")) as service:
            last = await watch(service, "load_1", SystemClock(), lambda status: seen.append(status.processed))
    finally:
        await runner.cleanup()
    assert last.ended
    assert seen == [0, 5, 9]
    assert asked == [""]
