"""Tables on terminals of any width."""

from __future__ import annotations

import pytest

from orgbridge.cli.terminal import Terminal

_ID = "load_01m81csfhj6fd4dsmv905nnsfw"


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_a_row_that_is_to_be_copied_stays_on_one_line(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job's id can be marked and pasted on the narrowest terminal."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    Terminal().table(("job", "state"), [(_ID, "JobComplete"), (_ID, "Failed")], fold=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:]] == [[_ID, "JobComplete"], [_ID, "Failed"]]
