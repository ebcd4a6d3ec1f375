"""Where a command writes: the result to standard output, everything else to standard error.

With `--json` the result is one JSON document (or one per line for streams) and nothing else goes to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from orgbridge.cli.errors import ServiceRefused, untold_places
from orgbridge.kit import json
from orgbridge.kit.errors import OrgbridgeError

_MAX_DETAILS = 10
_PIPE_COLUMNS = 10_000


@dataclass(slots=True)
class Bar:
    """One progress bar; silent where standard error is no terminal."""

    _progress: Progress
    _task: int

    def set(self, completed: float, *, total: float | None = None, description: str | None = None) -> None:
        """Move the bar to a place, optionally with a new total or text."""
        changes: dict[str, str | float] = {"completed": completed}
        if total is not None:
            changes["total"] = total
        if description is not None:
            changes["description"] = description
        self._progress.update(self._task, **changes)  # type: ignore[arg-type]  # rich types each key by itself

    def add(self, amount: float) -> None:
        """Move the bar on by so much."""
        self._progress.advance(self._task, amount)  # type: ignore[arg-type]  # rich's TaskID is an int


class Terminal:
    """Both output streams of one command.

    Args:
        as_json: Write results as JSON for machines.
        quiet: Write no notes and no bars.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        # In a pipe there is no width to fit into: a script wants one line per row.
        width = None if sys.stdout.isatty() else _PIPE_COLUMNS
        self._out = Console(file=sys.stdout, highlight=False, soft_wrap=True, emoji=False, markup=False, width=width)
        self._err = Console(file=sys.stderr, highlight=False, soft_wrap=True, emoji=False, markup=False)

    def result(self, text: str) -> None:
        """Write a line of the result to standard output, unstyled."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def document(self, value: json.JSON) -> None:
        """Write a JSON document as the result."""
        self.result(json.dumps(value).decode())

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None, fold: bool = True
    ) -> None:
        """Write a table for people as the result.

        Args:
            columns: Headings.
            rows: One sequence of cells per row.
            title: Above the table.
            fold: False keeps every row on one line however narrow the terminal is, for cells that are to be copied.
        """
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for column in columns:
            numeric = bool(rows) and all(isinstance(row[columns.index(column)], int | float) for row in rows)
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(f"{cell:,}" if type(cell) is int else str(cell) for cell in row))
        # rich never prints wider than its console, so a wide table needs a wide console.
        wide = Console(file=sys.stdout, highlight=False, soft_wrap=True, emoji=False, markup=False, width=_PIPE_COLUMNS)
        (self._out if fold else wide).print(table)

    def note(self, text: str, *, style: str | None = None) -> None:
        """Tell a person something on standard error."""
        if not self.quiet:
            self._err.print(text, style=style)

    def error(self, error: OrgbridgeError) -> None:
        """Write one clear sentence and up to ten places to standard error; one JSON document with `--json`."""
        if self.as_json:
            # What the service said is passed on in its own code; ours only tells that it refused.
            code = str(error.problem.get("code") or error.code) if isinstance(error, ServiceRefused) else error.code
            document = {"error": {"code": code, "message": error.message, "errors": error.details}}
            sys.stderr.write(json.dumps(document).decode() + "\n")
            return
        self._err.print(f"error: {error.message}", style="bold red")
        places = untold_places(error.message, error.details)
        for text in places[:_MAX_DETAILS]:
            self._err.print(f"  {text}")
        if len(places) > _MAX_DETAILS:
            self._err.print(f"  ... and {len(places) - _MAX_DETAILS} more")

    @contextmanager
    def bytes_bar(self, description: str, total: int | None) -> Iterator[Bar]:
        """Show a transfer in bytes."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
        )
        with self._bar(columns, description, total) as bar:
            yield bar

    @contextmanager
    def rows_bar(self, description: str, total: int | None) -> Iterator[Bar]:
        """Show work in rows."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("rows"),
            TimeElapsedColumn(),
        )
        with self._bar(columns, description, total) as bar:
            yield bar

    @contextmanager
    def _bar(self, columns: Sequence[object], description: str, total: int | None) -> Iterator[Bar]:
        shown = self._err.is_terminal and not self.quiet and not self.as_json
        progress = Progress(*columns, console=self._err, disable=not shown)  # type: ignore[arg-type]  # columns only
        with progress:
            yield Bar(progress, progress.add_task(description, total=total))
