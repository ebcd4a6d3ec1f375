"""`orgbridge emulator snapshot-schema conform`: visits to any org that somebody can sign in to."""

from __future__ import annotations

import secrets
from collections import Counter
from pathlib import Path
from typing import Annotated

import aiohttp
import typer

from orgbridge.cli.conformance.cases import Mark, read_battery
from orgbridge.cli.conformance.runner import Runner, Verdict
from orgbridge.cli.context import JSONFlag, run
from orgbridge.cli.errors import ExitCode, UsageError
from orgbridge.cli.terminal import Terminal
from orgbridge.kit.clock import SystemClock

_BaseURL = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        help="The org's address. Without it SALESFORCE_TOKEN_URL says where; SALESFORCE_* also say who, and without "
        "them the published user of an emulated org is taken.",
    ),
]
_REQUEST_SECONDS = 120.0


def snapshot_schema(
    names: Annotated[list[str] | None, typer.Argument(help="API names of objects; none for all.")] = None,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.", file_okay=False)] = Path(
        "describes"
    ),
    base_url: _BaseURL = None,
    as_json: JSONFlag = False,
) -> None:
    """Copy an org's descriptions of its objects into files."""
    # Inside, as in `houses`: other commands must not wait for it.
    from orgbridge.wiring.visits import pull_describes

    terminal = Terminal(as_json=as_json)
    written = run(pull_describes(base_url, names or [], folder, terminal.note))
    if terminal.as_json:
        terminal.document({"files": [str(path) for path in written]})
    else:
        terminal.result(f"{len(written)} descriptions in {folder}")


def conform(
    base_url: _BaseURL = None,
    only: Annotated[str | None, typer.Option(help="Only cases whose group or name holds this text.")] = None,
    marks: Annotated[
        list[Mark] | None, typer.Option("--mark", help="Only cases with this mark; may be repeated.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="List every case, not only those that fail.")
    ] = False,
    as_json: JSONFlag = False,
) -> None:
    """Compare an org with what Salesforce is known to answer.

    The battery writes a few records and jobs and deletes them again. Exit code 1 when a case fails.
    """
    from orgbridge.wiring.visits import sign_in

    wanted = (only or "").lower()
    cases = [
        case
        for case in read_battery()
        if (not marks or case.mark in marks) and wanted in f"{case.group} {case.name}".lower()
    ]
    if not cases:
        raise UsageError("No case of the battery is meant by that.")
    terminal = Terminal(as_json=as_json)

    async def work() -> list[Verdict]:
        visit = await sign_in(base_url)
        words = {**visit.words, "token": visit.access_token, "run": f"ob{secrets.token_hex(4)}"}
        timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS, sock_connect=10.0)
        verdicts = []
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with terminal.rows_bar("cases", len(cases)) as bar:
                async for verdict in Runner(session, visit.instance_url, words, SystemClock()).run(cases):
                    verdicts.append(verdict)
                    bar.add(1)
        return verdicts

    verdicts = run(work())
    report(terminal, verdicts, verbose=verbose)
    if any(verdict.problem for verdict in verdicts):
        raise typer.Exit(ExitCode.SOME_FAILED)


def report(terminal: Terminal, verdicts: list[Verdict], *, verbose: bool) -> None:
    """Write what became of the cases: one line per group, then those that failed or were left out."""
    if terminal.as_json:
        terminal.document([_told(verdict) for verdict in verdicts])
        return
    groups: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        counts = groups.setdefault(verdict.case.group, Counter())
        counts[_word(verdict)] += 1
        counts["exchanges"] += verdict.good
        counts[verdict.case.mark.value] += 1
    columns = ("holds", "differs", "left out", "exchanges", *(mark.value for mark in Mark))
    rows: list[tuple[object, ...]] = [(group, *(counts[name] for name in columns)) for group, counts in groups.items()]
    rows.append(("all", *(sum(counts[name] for counts in groups.values()) for name in columns)))
    terminal.table(("group", *columns), rows)
    for verdict in verdicts:
        if verdict.holds and not verbose:
            continue
        why = verdict.problem or verdict.skipped or f"{verdict.good} exchanges"
        terminal.result(f"{_word(verdict):9}{verdict.case.group}: {verdict.case.name} [{verdict.case.mark}] {why}")
        if verdict.problem:
            terminal.result(f"         known from: {verdict.case.source}")


def _word(verdict: Verdict) -> str:
    if verdict.skipped is not None:
        return "left out"
    return "holds" if verdict.problem is None else "differs"


def _told(verdict: Verdict) -> dict[str, object]:
    case = verdict.case
    return {
        "group": case.group,
        "name": case.name,
        "mark": case.mark.value,
        "source": case.source,
        "verdict": _word(verdict),
        "exchanges": verdict.good,
        "problem": verdict.problem,
        "skipped": verdict.skipped,
    }
