"""Server-sent events of a job: state, progress, errors and the end; resumed, kept alive, and left without harm."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx2

from tests.support.local_house import LocalHouse, house

__all__ = ["house"]

Event = dict[str, Any]


def _events(lines: Iterator[str]) -> Iterator[Event]:
    event: Event = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if not line:
            if event:
                yield event
            event = {}
            continue
        name, _, value = line.partition(":")
        event[name] = json.loads(value) if name == "data" else value.strip()


def _load(house: LocalHouse, rows: int = 60) -> str:
    text = "Name,Industry\n" + "".join(
        f"{'' if number % 10 == 9 else f'Event {number}'},Technology\n" for number in range(rows)
    )
    with house.client() as client:
        reply = client.put(
            "/bulk/dml-file-upload",
            params={"object_name": "Account", "operation_type": "insert", "filename": "a.csv"},
            content=text.encode(),
        )
    assert reply.status_code == 202, reply.text
    return str(reply.json()["job_id"])


def _stream(client: httpx2.Client, job_id: str, last: str | None = None) -> Any:
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
    return client.stream("GET", f"/bulk/job/{job_id}/events", headers=headers)


def test_a_load_is_told_to_its_end(house: LocalHouse) -> None:
    """State, progress and errors by code come as they happen; the last event is the end and closes the stream."""
    job_id = _load(house)
    with house.client() as client, _stream(client, job_id) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = list(_events(reply.iter_lines()))
    assert {event["event"] for event in events} == {"state", "progress", "errors", "end"}
    assert events[-1]["event"] == "end"
    assert events[-1]["data"]["state"] == "JobComplete"
    assert [event["event"] for event in events].count("end") == 1
    progress = [event["data"] for event in events if event["event"] == "progress"][-1]
    assert (progress["records_processed"], progress["records_failed"]) == (60, 6)
    errors = [event["data"]["errors"] for event in events if event["event"] == "errors"][-1]
    assert [(group["code"], group["count"]) for group in errors] == [("REQUIRED_FIELD_MISSING", 6)]
    assert errors[0]["lines"][0] == 11


def test_who_comes_back_hears_only_what_is_new(house: LocalHouse) -> None:
    """Behind any event exactly the ones after it come; behind the end there is nothing, and the browser is told so."""
    job_id = _load(house)
    house.wait(job_id)
    with house.client() as client:
        with _stream(client, job_id) as reply:
            events = list(_events(reply.iter_lines()))
        for place, event in enumerate(events[:-1]):
            with _stream(client, job_id, event["id"]) as reply:
                again = list(_events(reply.iter_lines()))
            assert [(e["event"], e["data"]) for e in again] == [(e["event"], e["data"]) for e in events[place + 1 :]]
        with _stream(client, job_id, events[-1]["id"]) as reply:
            assert reply.status_code == 204


def test_a_stranger_event_id_counts_as_none(house: LocalHouse) -> None:
    """An id that this service never gave starts from the present state."""
    job_id = _load(house, rows=5)
    house.wait(job_id)
    with house.client() as client, _stream(client, job_id, "1234") as reply:
        assert next(_events(reply.iter_lines()))["event"] == "state"


def test_leaving_in_the_middle_harms_nobody(house: LocalHouse) -> None:
    """Callers who hang up after the first event leave a job that ends well and a service that answers."""
    job_id = _load(house, rows=200)
    for _ in range(5):
        with house.client() as client, _stream(client, job_id) as reply:
            assert next(_events(reply.iter_lines()))["event"] == "state"
    assert house.wait(job_id)["state"] == "JobComplete"
    with house.client() as client:
        assert client.get("/bulk/jobs").status_code == 200


def test_an_unknown_job_is_a_problem_and_no_stream(house: LocalHouse) -> None:
    """404 as problem JSON, with or without an Accept for streams."""
    with house.client() as client:
        reply = client.get("/bulk/job/load_nobody/events", headers={"Accept": "text/event-stream"})
    assert (reply.status_code, reply.json()["code"]) == (404, "load.not_found")


def test_many_readers_hear_the_end_of_one_job(house: LocalHouse) -> None:
    """Many readers of one job are served at once and all hear its end."""
    job_id = _load(house, rows=300)
    ends: list[str] = []

    def read() -> None:
        with house.client() as client, _stream(client, job_id) as reply:
            ends.append(list(_events(reply.iter_lines()))[-1]["event"])

    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(timeout=60)
    assert ends == ["end"] * 8
