"""What a preflight found, grouped by code and field, with the first line numbers of each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

#: Line numbers that one finding names.
LINES_NAMED: Final = 20


class Severity(StrEnum):
    """How sure it is that rows will be lost."""

    #: Salesforce refuses these rows, or all of them.
    ERROR = "error"
    #: It may: whether it does depends on what the org holds.
    WARNING = "warning"


@dataclass(slots=True, kw_only=True)
class Finding:
    """One kind of trouble with one column."""

    #: Stable code: Salesforce's own for what it would say, else ours.
    code: str
    #: How sure it is.
    severity: Severity
    #: Column or field.
    field: str
    #: Message of the first row that has it.
    message: str
    #: Rows that have it.
    count: int = 0
    #: Lines of the first of them.
    lines: list[int] = dataclasses.field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as an item of a report."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "field": self.field,
            "line": self.lines[0] if self.lines else 1,
            "message": self.message,
            "count": self.count,
            "lines": list(self.lines),
        }


class Findings:
    """Findings as they come in."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Finding] = {}

    def add(
        self, code: str, name: str, message: str, line: int, *, severity: Severity = Severity.ERROR, count: int = 1
    ) -> None:
        """Count a finding.

        Args:
            code: Its code.
            name: Column or field.
            message: One sentence.
            line: Where it stands.
            severity: How sure it is.
            count: Rows that it stands for.
        """
        found = self._found.get((code, name))
        if found is None:
            found = self._found[code, name] = Finding(code=code, severity=severity, field=name, message=message)
        found.count += count
        if len(found.lines) < LINES_NAMED:
            found.lines.append(line)

    def all(self) -> list[Finding]:
        """Return them: errors first, the most frequent first."""
        return sorted(self._found.values(), key=lambda found: (found.severity is not Severity.ERROR, -found.count))
