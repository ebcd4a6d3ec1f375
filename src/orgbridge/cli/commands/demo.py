"""`orgbridge demo`: the main job from end to end, proven row by row."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Annotated

import typer

from orgbridge.cli.context import JSONFlag, run
from orgbridge.cli.demo.folder import prepare, tidy
from orgbridge.cli.demo.run import MEBIBYTE, Demo, DemoOptions, Story
from orgbridge.cli.errors import ExitCode, UsageError
from orgbridge.cli.receipts import receipt_lines
from orgbridge.cli.terminal import Terminal
from orgbridge.kit.clock import SystemClock

_FOLDER = Path(".demo")
#: A shorter load ends before every kind of trouble came over it.
_FAULTY_ROWS = 10_000


def demo(
    rows: Annotated[int, typer.Option(min=1, max=100_000_000, help="Accounts in the file.")] = 100_000,
    crash: Annotated[bool, typer.Option("--crash/--no-crash", help="Kill the worker half way.")] = True,
    faults: Annotated[
        bool,
        typer.Option("--faults", help="Let the org fail in every way that it can, and kill every process in turn."),
    ] = False,
    kills: Annotated[int, typer.Option(min=1, max=1_000, help="With --faults: how many processes die.")] = 4,
    keep: Annotated[
        Path | None, typer.Option(help="Work in this folder and keep everything.", show_default=".demo, tidied")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number makes another file.")] = 2026,
    as_json: JSONFlag = False,
) -> None:
    """Load a dirty CSV into an emulated org, kill the worker half way, and prove what became of every row.

    With --faults the org loses replies, cuts connections, locks rows and ends sessions, and every process dies in turn.
    Exit code 0 only when every check holds.
    """
    terminal = Terminal(as_json=as_json)
    if faults and rows < _FAULTY_ROWS:
        raise UsageError(f"--faults needs at least {_FAULTY_ROWS:,} rows, or the load ends before all of them struck.")
    options = DemoOptions(
        rows=rows, seed=seed, crash=crash, faults=faults, kills=kills, folder=prepare(keep or _FOLDER)
    )
    raise typer.Exit(run(_demo(options, terminal, keep=keep is not None)))


async def _demo(options: DemoOptions, terminal: Terminal, *, keep: bool) -> ExitCode:
    demo = Demo(options, terminal, SystemClock())
    # Ended from outside, the demo still ends the processes that it started: a cancelled task runs its `finally`.
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    story = await demo.run()
    if not keep:
        await asyncio.to_thread(tidy, options.folder)
    _tell(story, demo, terminal)
    return ExitCode.ALL if story.holds else ExitCode.SOME_FAILED


def _tell(story: Story, demo: Demo, terminal: Terminal) -> None:
    assert story.status is not None, "the story is told at its end"
    if terminal.as_json:
        terminal.document(
            {
                "holds": story.holds,
                "checks": [{"claim": c.claim, "holds": c.holds, "detail": c.detail} for c in story.checks],
                "receipt": dict(story.receipt),
                "seconds": round(story.seconds, 2),
                "killed_at_rows": story.kills[0].rows if story.kills else None,
                "kills": [{"name": kill.name, "rows": kill.rows} for kill in story.kills],
                "strikes": story.strikes,
                "service_bytes_above_idle": story.service_memory,
                "worker_bytes_above_idle": story.worker_memory,
                "results": str(demo.results_path),
            }
        )
        return
    extra = {
        "peak memory": f"service {story.service_memory / MEBIBYTE:.0f} MiB, "
        f"worker {story.worker_memory / MEBIBYTE:.0f} MiB above idle",
    }
    for line in receipt_lines(story.status, story.receipt, results_at=str(demo.results_path), extra=extra):
        terminal.result(line)
    terminal.result("")
    for check in story.checks:
        terminal.result(
            f"  {'ok  ' if check.holds else 'FAIL'}  {check.claim}" + (f": {check.detail}" if check.detail else "")
        )
    terminal.result("")
    terminal.result(
        "every row is accounted for" if story.holds else "NOT every row is accounted for; the lines marked FAIL say why"
    )
