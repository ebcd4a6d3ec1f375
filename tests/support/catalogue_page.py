"""Writes the reference of the error catalogue. Run it as `python -m tests.support.catalogue_page`."""

from __future__ import annotations

from pathlib import Path

from orgbridge.loads.catalogue import CATALOGUE, RETRY_WORDS, Origin

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "error-catalogue.md"
_HEAD = """# Error catalogue

Codes with which rows, jobs and calls end: in the results' column `ob__error_code`, in the receipt's `errors` and in
problems' `upstream`. `GET /errors/{code}` and `orgbridge jobs explain CODE` say the same. Rows with a code marked * are
sent again by the load itself; so are rows whose message names `UNABLE_TO_LOCK_ROW`. Codes of an org's own validation
rules, triggers and flows are shown with Salesforce's words alone.
"""
_TITLES = {
    Origin.SALESFORCE: "Salesforce: rows and calls",
    Origin.SALESFORCE_JOB: "Salesforce: bulk jobs as a whole",
    Origin.ORGBRIDGE: "Orgbridge",
}


def page() -> str:
    """Return the reference."""
    lines = [_HEAD]
    for origin, title in _TITLES.items():
        lines += [f"## {title}", "", "| code | why | what to do | may it be tried again? |", "|---|---|---|---|"]
        lines += [
            f"| `{entry.code}`{' *' if entry.sent_again else ''} | {entry.cause} | {entry.remedy} "
            f"| {RETRY_WORDS[entry.retry]} |"
            for entry in CATALOGUE.values()
            if entry.origin is origin
        ]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
