"""How errors are told."""

from __future__ import annotations

from typing import Any

import pytest

from orgbridge.cli.errors import EXIT_CODES, ServiceRefused, describe_detail
from orgbridge.cli.terminal import Terminal
from orgbridge.kit import json
from orgbridge.kit.errors import ErrorKind


def test_every_kind_has_an_exit_code() -> None:
    """No kind of error ends a command with a code that means success."""
    assert set(EXIT_CODES) == set(ErrorKind)
    assert all(code != 0 for code in EXIT_CODES.values())


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ({"line": 3, "message": "has 2 columns"}, "line 3: has 2 columns"),
        ({"offset": 13, "message": "is not UTF-8"}, "byte 13: is not UTF-8"),
        ({"line": 1, "field": "Colour", "message": "is unknown"}, "line 1, Colour: is unknown"),
        ({"loc": ["body", "q"], "msg": "is missing"}, "body.q: is missing"),
        ({"code": "x"}, "x"),
    ],
)
def test_detail_says_where_then_what(detail: dict[str, Any], text: str) -> None:
    """One line per place."""
    assert describe_detail(detail) == text


def test_refusal_carries_the_word_of_salesforce_once() -> None:
    """Salesforce's own message is shown, and not repeated when the service already quoted it."""
    upstream = [{"errorCode": "INVALID_TYPE", "message": "sObject type 'X' is not supported."}]
    told = ServiceRefused(400, {"detail": "Salesforce refused the query.", "upstream": upstream})
    assert told.message.count("is not supported") == 1
    quoted = ServiceRefused(400, {"detail": "Refused: sObject type 'X' is not supported.", "upstream": upstream})
    assert quoted.message.count("is not supported") == 1


def test_error_goes_to_standard_error_only(capsys: pytest.CaptureFixture[str]) -> None:
    """People get a sentence and the places, each once; nothing but results goes to standard output."""
    error = ServiceRefused(
        400, {"detail": "2 records are ragged.", "errors": [{"line": 3, "message": "2 columns"}] * 12}
    )
    Terminal().error(error)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: 2 records are ragged.")
    assert err.count("line 3: 2 columns") == 10
    assert "and 2 more" in err


def test_error_is_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the error is one document with code, message and places."""
    Terminal(as_json=True).error(ServiceRefused(404, {"detail": "There is no such job.", "code": "load.not_found"}))
    document = json.loads(capsys.readouterr().err)
    assert document["error"] == {"code": "load.not_found", "message": "There is no such job.", "errors": []}
