"""Clock, JSON, identifiers, errors and the redacting log."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.kit import json
from orgbridge.kit.clock import SystemClock
from orgbridge.kit.errors import ErrorKind, OrgbridgeError
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.logs import LogConfig, Redactor, configure_logs, get_logger

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_json_comes_back(value: json.JSON) -> None:
    """What is written as JSON is read back equal."""
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff", b"nul", b"[" * 100_000 + b"]" * 100_000],
    ids=["empty", "open", "no text", "word", "deep"],
)
def test_bad_json_is_one_error(text: bytes) -> None:
    """Whatever is wrong with the bytes, the caller sees JSONDecodeError."""
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


def test_identifiers_sort_by_time() -> None:
    """An identifier made later sorts later, and two of one instant differ."""
    early = datetime(2026, 1, 1, tzinfo=UTC)
    assert new_identifier("load", early) < new_identifier("load", early + timedelta(milliseconds=1))
    assert new_identifier("load", early) != new_identifier("load", early)


async def test_system_clock_moves_forward() -> None:
    """The clock is aware, in UTC, and its monotonic side never goes back."""
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.now().utcoffset() == timedelta(0)


def test_an_error_speaks_its_docstring() -> None:
    """Without a message of its own an error says the first line of its docstring."""

    class Missing(OrgbridgeError):
        """The thing is not there.

        More words that are not the message.
        """

        code = "thing.missing"
        kind = ErrorKind.MISSING

    error = Missing()
    assert (str(error), error.code, error.kind, error.details) == (
        "The thing is not there.",
        "thing.missing",
        ErrorKind.MISSING,
        [],
    )


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer 00D1a000000H3O9!AQ4AQ.abc_123",
        "grant_type=password&password=hunter2hunter2",
        "postgresql://app:hunter2hunter2@db/orgbridge",
        "token eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
        "the secret is s3cr3t-value",
    ],
)
def test_secrets_do_not_survive_redaction(text: str) -> None:
    """Known secrets, and things shaped like secrets, leave the text."""
    clean = Redactor(["s3cr3t-value"]).text(text)
    assert "[redacted]" in clean
    for secret in ("AQ4AQ", "hunter2hunter2", "c2lnbmF0dXJl", "s3cr3t-value"):
        assert secret not in clean


def test_logs_are_redacted_in_the_file(tmp_path: Path) -> None:
    """A secret that reaches a log call, as a key or inside text, does not reach the file."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        configure_logs(LogConfig(filename=tmp_path / "logs" / "api.log"), secrets=["s3cr3t-value"])
        get_logger("test").warning(
            "signed in", password="hunter2", nested={"client_secret": "x1y2"}, note="s3cr3t-value"
        )
        logging.getLogger("other").warning("plain %s", "s3cr3t-value")
        text = (tmp_path / "logs" / "api.log").read_text()
    finally:
        for handler in list(root.handlers):
            handler.close()
            root.removeHandler(handler)
        for handler in before:
            root.addHandler(handler)
        root.setLevel(level)
    assert "signed in" in text
    assert not any(secret in text for secret in ("hunter2", "x1y2", "s3cr3t-value"))


def test_json_that_is_nested_too_deeply_is_no_json() -> None:
    """Thousands of brackets are refused like any other text that cannot be read."""
    with pytest.raises(json.JSONDecodeError, match="too deeply"):
        json.loads(b"[" * 100_000)
