"""Batches under locks, broken connections and refusals: every record has one outcome, in its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.client.errors import (
    ClientError,
    ConnectionFailed,
    InvalidRequest,
    MalformedReply,
    SalesforceFault,
    ServerUnavailable,
)
from orgbridge.client.replies import SaveResult
from orgbridge.orgs.connections import Orgs
from orgbridge.services import errors as service_errors
from orgbridge.services.batches import OUTCOME_UNKNOWN, BatchService, takes_bulk
from tests.support.callers import UNRESTRICTED
from tests.support.collections_double import CollectionsDouble, Script


class _Clock:
    """Sleeps at once and remembers how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        """A fixed instant."""
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        """A fixed moment."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Remember."""
        self.slept.append(seconds)


def _saved(record: dict[str, Any]) -> SaveResult:
    return SaveResult(id=f"id-{record['Name']}", success=True)


def _failed(code: str) -> SaveResult:
    return SaveResult(id=None, success=False, errors=(SalesforceFault(error_code=code, message=code.lower()),))


def _service(script: Script) -> tuple[BatchService, CollectionsDouble, _Clock]:
    org, clock = CollectionsDouble(script), _Clock()
    return BatchService(cast(Orgs, org), clock), org, clock


@given(st.sets(st.integers(0, 449)))
async def test_every_record_has_its_own_outcome(bad: set[int]) -> None:
    """Whatever fails, result n tells of record n, and no record is sent twice."""
    service, org, _ = _service(
        lambda chunk: [_failed("REQUIRED_FIELD_MISSING") if r["Name"] in bad else _saved(r) for r in chunk]
    )
    done = await service.run("Account", "create", [{"Name": n} for n in range(450)], caller=UNRESTRICTED)
    assert [result.success for result in done.results] == [n not in bad for n in range(450)]
    assert [result.id for result in done.results if result.success] == [f"id-{n}" for n in range(450) if n not in bad]
    assert sorted(record["Name"] for call in org.calls for record in call) == list(range(450))


async def test_only_rows_that_met_a_lock_are_sent_again() -> None:
    """Two rows are locked at first; they alone go again, after a pause, and end in their places."""
    locked = {3, 250}

    def script(chunk: list[dict[str, Any]]) -> list[SaveResult]:
        results = [_failed("UNABLE_TO_LOCK_ROW") if r["Name"] in locked else _saved(r) for r in chunk]
        if len(chunk) <= 2:
            return [_saved(r) for r in chunk]
        return results

    service, org, clock = _service(script)
    done = await service.run("Account", "create", [{"Name": n} for n in range(300)], caller=UNRESTRICTED)
    assert done.failed == 0
    assert [record["Name"] for record in org.calls[-1]] == [3, 250]
    assert done.results[250].id == "id-250"
    assert len(clock.slept) == 1


async def test_a_lock_that_stays_is_told_after_a_few_tries() -> None:
    """The row keeps Salesforce's own code, and the tries end."""
    service, org, clock = _service(lambda chunk: [_failed("UNABLE_TO_LOCK_ROW") for _ in chunk])
    done = await service.run("Account", "create", [{"Name": 1}], caller=UNRESTRICTED)
    assert done.results[0].errors[0].error_code == "UNABLE_TO_LOCK_ROW"
    assert (len(org.calls), len(clock.slept)) == (4, 3)


_AWAY = SalesforceFault(error_code="SERVER_UNAVAILABLE", message="away")


@pytest.mark.parametrize(
    "lost",
    [
        ConnectionFailed("cut", sent=True),
        ServerUnavailable(status=503, faults=[_AWAY], method="POST", path="/x"),
        MalformedReply("an edge page"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_create_of_unknown_outcome_is_told_and_not_repeated(lost: ClientError) -> None:
    """The rows of the lost call are marked, the others keep their outcome, nothing is sent again."""

    def script(chunk: list[dict[str, Any]]) -> list[SaveResult]:
        if chunk[0]["Name"] == 200:
            raise lost
        return [_saved(r) for r in chunk]

    service, org, _ = _service(script)
    done = await service.run("Account", "create", [{"Name": n} for n in range(450)], caller=UNRESTRICTED)
    unknown = [n for n, r in enumerate(done.results) if r.errors and r.errors[0].error_code == OUTCOME_UNKNOWN]
    assert unknown == list(range(200, 400))
    assert (done.succeeded, len(org.calls)) == (250, 3)


async def test_a_batch_that_never_left_is_an_error_as_a_whole() -> None:
    """When every call is refused alike, the caller gets the error and not 450 copies of it."""

    def script(_chunk: list[dict[str, Any]]) -> list[SaveResult]:
        fault = SalesforceFault(error_code="NOT_FOUND", message="no such object")
        raise InvalidRequest(status=400, faults=[fault], method="POST", path="/x")

    service, _, _ = _service(script)
    with pytest.raises(InvalidRequest):
        await service.run("Nope", "create", [{"Name": n} for n in range(450)], caller=UNRESTRICTED)


@pytest.mark.parametrize(
    ("operation", "records"),
    [
        ("create", []),
        ("create", [{"Id": "001Ob0000000001IAA", "Name": "x"}]),
        ("update", [{"Name": "x"}]),
        ("delete", [{"Id": "not-an-id"}]),
        ("hardDelete", [{"Id": "001Ob0000000001IAA"}]),
        ("upsert", [{"Name": "x"}]),
    ],
)
async def test_what_cannot_be_right_is_not_sent(operation: str, records: list[dict[str, Any]]) -> None:
    """The refusal comes before the first call."""
    service, org, _ = _service(lambda chunk: [_saved(r) for r in chunk])
    with pytest.raises(service_errors.InvalidRequest):
        await service.run("Account", operation, records, caller=UNRESTRICTED)
    assert org.calls == []


@pytest.mark.parametrize(
    ("asked", "count", "bulk"), [(True, 1, True), (False, 9_999, False), ("auto", 2_000, False), ("auto", 2_001, True)]
)
def test_auto_goes_by_size(asked: bool | str, count: int, bulk: bool) -> None:
    """Up to 2,000 records go by collections, more by the Bulk API."""
    assert takes_bulk(asked, count) is bulk


@pytest.mark.parametrize(("asked", "count"), [(True, 1), ("auto", 2_001)])
def test_a_load_does_not_promise_all_or_nothing(asked: bool | str, count: int) -> None:
    """The Bulk API saves what can be saved; a promise that nobody keeps is refused."""
    with pytest.raises(service_errors.InvalidRequest, match="all_or_none"):
        takes_bulk(asked, count, all_or_none=True)
    assert takes_bulk("auto", 200, all_or_none=True) is False
