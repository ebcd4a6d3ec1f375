"""`orgbridge audit`: who did what, read from the store and proven whole."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import JSONFlag, run
from orgbridge.cli.errors import ExitCode, UsageError
from orgbridge.cli.people import StoreOption, YesOption, confirm
from orgbridge.cli.terminal import Terminal

app = typer.Typer(name="audit", help="Who did what, in a chain that shows every change.", no_args_is_help=True)


@app.command()
def export(
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write, one JSON object per line.")],
    since: Annotated[datetime | None, typer.Option(help="Not before, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before, in UTC.")] = None,
    actor: Annotated[str | None, typer.Option(help="User id or sign-in name.")] = None,
    action: Annotated[str | None, typer.Option(help="All of it or its first part, e.g. records.")] = None,
    data: StoreOption = None,
) -> None:
    """Write entries to a file, oldest first, each with its number and hash; tell how many on standard output."""
    count = run(_export(output, data, since=since, until=until, actor=actor, action=action))
    Terminal().result(str(count))


async def _export(output: Path, data: Path | None, **wanted: Any) -> int:
    # Imported here so that `load` and `jobs`, run by the thousand in scripts, do not wait for the whole house.
    from orgbridge.services.audit import filter_of
    from orgbridge.wiring.administration import administration

    count = 0
    with output.open("w", encoding="ascii") as file:
        async with administration(data) as people:
            async for entry in people.audit.export(filter_of(**wanted)):
                file.write(json.dumps(entry, sort_keys=True) + "\n")
                count += 1
    return count


@app.command()
def verify(
    expect: Annotated[
        str | None, typer.Option(help="NUMBER:HASH of an entry, noted earlier: the chain must still hold it.")
    ] = None,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Read the whole chain and see that nothing was changed or taken out. Exit code 0: whole; 1: not."""
    terminal, found = Terminal(as_json=as_json), run(_verify(expect, data))
    if terminal.as_json:
        terminal.document(found)
    else:
        for line in [*found["faults"], *found["remarks"]]:
            terminal.note(line)
        terminal.result(f"{'whole' if found['whole'] else 'NOT WHOLE'} {found['last']}:{found['head']}")
    if not found["whole"]:
        raise typer.Exit(ExitCode.SOME_FAILED)


async def _verify(expect: str | None, data: Path | None) -> dict[str, Any]:
    # Imported here for the reason above.
    from orgbridge.services.audit_chain import head_of
    from orgbridge.wiring.administration import administration

    expected = None
    if expect is not None:
        number, _, digest = expect.partition(":")
        if not number.isdecimal() or not digest:
            raise UsageError("--expect takes NUMBER:HASH, as `audit verify` writes it.")
        expected = head_of(int(number), digest)
    async with administration(data) as people:
        found = await people.audit.verify(expected=expected)
    return {
        "whole": found.whole,
        "entries": found.entries,
        "first": found.first,
        "last": found.last,
        "head": found.head,
        "faults": found.faults,
        "remarks": found.remarks,
    }


@app.command()
def prune(
    days: Annotated[int, typer.Option(min=1, help="Take out what is older.")],
    yes: YesOption = False,
    data: StoreOption = None,
) -> None:
    """Take old entries out behind a signed checkpoint; what is left can still be verified."""
    confirm(f"Take out all entries older than {days} days, for ever?", yes)
    Terminal().result(str(run(_prune(days, data))))


async def _prune(days: int, data: Path | None) -> int:
    # Imported here for the reason above.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        return await people.audit.prune(timedelta(days=days))
