"""An orphan is known only by all that we were about to create; anything less is somebody else's job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orgbridge.client import JobInfo
from orgbridge.client.replies import read_job
from orgbridge.engine.intents import orphans
from orgbridge.store.round_records import IntentRecord

_NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_USER = "005Ob0000000001EAA"
_INTENT = IntentRecord(
    id="intent_1",
    load_id="load_1",
    object_name="Account",
    operation="insert",
    external_id_field=None,
    line_ending="LF",
    column_delimiter="COMMA",
    begun_at=_NOW - timedelta(minutes=3),
)


def _job(**changes: Any) -> JobInfo:
    return read_job(
        {
            "id": "750Ob0000000001AAA",
            "state": "Open",
            "object": "Account",
            "operation": "insert",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
            "createdById": _USER,
            "createdDate": "2026-11-22T11:57:01.000+0000",
            **changes,
        }
    )


def _found(job: JobInfo, user_id: str | None = _USER) -> int:
    return len(orphans([_INTENT], [job], user_id=user_id, now=_NOW, age=timedelta(minutes=1)))


def test_a_job_that_is_what_we_were_about_to_create_is_ours() -> None:
    """And one intent claims one job."""
    assert _found(_job()) == 1
    pairs = orphans([_INTENT], [_job(), _job(id="750Ob0000000002AAA")], user_id=_USER, now=_NOW, age=timedelta(0))
    assert len(pairs) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "UploadComplete"},
        {"object": "Contact"},
        {"operation": "update"},
        {"lineEnding": "CRLF"},
        {"columnDelimiter": "TAB"},
        {"externalIdFieldName": "Key__c"},
        {"createdById": "005Ob0000000002EAA"},
        {"createdDate": "2026-11-22T11:30:00.000+0000"},
        {"createdDate": "2026-11-22T11:59:30.000+0000"},
        {"createdDate": "soon"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_job_that_differs_in_anything_is_left_alone(changes: dict[str, Any]) -> None:
    """Another state, object, operation, form, user or time; or too young."""
    assert _found(_job(**changes)) == 0


def test_nothing_is_ours_when_our_own_user_is_not_known() -> None:
    """Never guess."""
    assert _found(_job(), user_id=None) == 0
