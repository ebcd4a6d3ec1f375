"""The watch that the whole suite stands under: no secret in what any test leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.leaks import leaks

_TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c2VyXzEifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"Authorization: Bearer {_TOKEN}", "signed token"),
        ("client_secret=local-secret&x", "client secret"),
        ("password=localpass&grant", "password in a setting or form"),
        ("session 00Dxx0000001gPFEAY!AQcAQH0dMHZfz972Szmp", "session id of an org"),
        ("-----BEGIN " + "PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHAbCdEfGh1234", "private key"),
    ],
)
def test_a_secret_is_found_in_output_and_in_log_files(tmp_path: Path, text: str, kind: str) -> None:
    """Each form of secret is found in a captured section and in a log file in a folder of the test's folder."""
    deep = tmp_path / "inner"
    deep.mkdir()
    (deep / "service.txt").write_text(text)
    assert leaks([("Captured stderr call", "nothing here")], tmp_path) == []
    assert leaks([("Captured stderr call", text)], None) == [f"{kind} in Captured stderr call"]
    (deep / "service.txt").rename(deep / "service.log.old")
    copied = deep / "copy.log"
    copied.write_text(text)
    found = leaks([], tmp_path)
    copied.unlink()
    assert found == [f"{kind} in copy.log"]
