"""Secrets in what a test left behind: captured output, log records, and log files of processes it started."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

#: What the suite signs in with, and the forms that secrets made at run time have.
_SECRETS = {
    "client secret": re.compile(r"local-secret"),
    "password in a setting or form": re.compile(r"(?i)password[\"']?\s*[=:]\s*[\"']?localpass\b"),
    "signed token": re.compile(r"eyJ[\w-]{12,}\.eyJ[\w-]{12,}\.[\w-]{16,}"),
    "session id of an org": re.compile(r"\b00D[A-Za-z0-9]{12,15}![\w.]{8,}"),
    "signing secret of a webhook": re.compile(r"whsec_[A-Za-z0-9+/]{20,}"),
    "private key": re.compile(r"BEGIN (?:\w+ )?PRIVATE KEY-----(?:\\n|\s)*[A-Za-z0-9+/]{24,}"),
}
#: Of one log file; more than any test writes on purpose.
_MOST_BYTES = 64 << 20


def secrets_in(text: str) -> list[str]:
    """Return what kinds of secrets a text holds."""
    return [name for name, pattern in _SECRETS.items() if pattern.search(text)]


def leaks(sections: Iterable[tuple[str, str]], folder: Path | None) -> list[str]:
    """Return where secrets are in a test's captured texts and in the log files below its folder.

    Args:
        sections: Names and texts, as pytest's reports have them.
        folder: The test's own; None when it had none.
    """
    found = [f"{kind} in {name}" for name, text in sections for kind in secrets_in(text)]
    for log in folder.rglob("*.log") if folder is not None and folder.exists() else ():
        if log.is_file():
            with log.open("rb") as file:
                text = file.read(_MOST_BYTES).decode("utf-8", "replace")
            found += [f"{kind} in {log.name}" for kind in secrets_in(text)]
    return found
