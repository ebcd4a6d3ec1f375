"""A worker's loop outlives its turns, and hides nothing."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.loops import outlived


@pytest.mark.parametrize(
    ("error", "level"),
    [(OrgbridgeError("gone"), "warning"), (TimeoutError(), "warning"), (KeyError("a slip"), "error")],
    ids=["ours", "system", "fault"],
)
def test_a_turn_that_fails_is_told_and_outlived(error: Exception, level: str) -> None:
    """An outage is a warning; a fault of our own is an error that carries its traceback."""
    with capture_logs() as lines, outlived(structlog.get_logger(), "turn_failed"):
        raise error
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("turn_failed", level)
    assert line["cause"].startswith(type(error).__name__)
    assert line.get("exc_info") is (error if level == "error" else None)


def test_being_told_to_end_is_not_outlived() -> None:
    """A loop that is cancelled ends."""
    with pytest.raises(asyncio.CancelledError), outlived(structlog.get_logger(), "turn_failed"):
        raise asyncio.CancelledError
