"""Which form a caller gets."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from orgbridge.api.errors import STATUS
from orgbridge.api.replies import accepts
from orgbridge.kit.errors import ErrorKind


def _request(accept: str | None) -> Request:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/html, text/csv;q=0.5, application/json;q=0.9", "application/json"),
        ("application/json;q=0, text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("image/png", "application/json"),
        ("text/csv;q=oops", "application/json"),
    ],
)
def test_accept_chooses_the_form(accept: str | None, form: str) -> None:
    """Weights and wildcards are honoured; what is not offered gives the first form."""
    assert accepts(_request(accept), "application/json", "text/csv") == form


def test_every_kind_of_error_has_a_status() -> None:
    """No kind falls through, and only our own sign-in is a 401."""
    assert set(STATUS) == set(ErrorKind)
    assert [kind for kind, status in STATUS.items() if status == 401] == [ErrorKind.UNAUTHENTICATED]
