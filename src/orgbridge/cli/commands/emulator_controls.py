"""`orgbridge emulator snapshot restore branch reset seed clock faults requests`: the controls of a running org."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from orgbridge.cli.commands.emulator_objects import ask, pairs
from orgbridge.cli.context import JSONFlag
from orgbridge.cli.controls import DEFAULT_URL
from orgbridge.cli.errors import UsageError
from orgbridge.cli.terminal import Terminal
from orgbridge.kit import json

_URL = Annotated[str, typer.Option("--url", help="Address of the running emulated org.")]
_SPAN = re.compile(r"(-?\d+(?:\.\d+)?)([smhdw]?)\Z")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def snapshot(
    name: Annotated[
        str | None, typer.Argument(help="What to call it; without a name the snapshots are listed.")
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Delete the snapshot.")] = False,
    url: _URL = DEFAULT_URL,
    as_json: JSONFlag = False,
) -> None:
    """Keep the org as it is now, to be restored at will."""
    terminal = Terminal(as_json=as_json)
    if name is None:
        found = ask(url, "GET", "snapshots")
        _listing(terminal, found, "snapshots")
    elif drop:
        ask(url, "DELETE", f"snapshots/{name}")
        terminal.note(f"snapshot {name} is gone")
    else:
        _say(terminal, ask(url, "POST", "snapshots", {"name": name}), f"snapshot {name} is kept")


def restore(name: Annotated[str, typer.Argument(help="A snapshot.")], url: _URL = DEFAULT_URL) -> None:
    """Make the org what it was at a snapshot; sessions go on."""
    ask(url, "POST", "restore", {"name": name})
    Terminal().note(f"the org is what it was at {name}")


def branch(
    name: Annotated[str | None, typer.Argument(help="Branch to go to; without a name they are listed.")] = None,
    url: _URL = DEFAULT_URL,
    as_json: JSONFlag = False,
) -> None:
    """Go to another branch of the org, which begins as a copy when it is new."""
    terminal = Terminal(as_json=as_json)
    if name is None:
        found = ask(url, "GET", "branches")
        _listing(terminal, found, "branches", mark=str(found["branch"]))
        return
    found = ask(url, "POST", "branches", {"name": name})
    _say(terminal, found, f"the org is on branch {name}" + (", made from what it was" if found["made"] else ""))


def reset(url: _URL = DEFAULT_URL) -> None:
    """Make the org what it was when it was new: rows, clock, faults and request log."""
    ask(url, "POST", "reset", {})
    Terminal().note("the org is new")


def seed(
    accounts: Annotated[int, typer.Option(min=0, help="Companies; the other numbers follow from it.")] = 100,
    number: Annotated[int, typer.Option(help="Chooses the values; another number for more rows in one org.")] = 1,
    contacts: Annotated[int | None, typer.Option(min=0, help="Persons.")] = None,
    opportunities: Annotated[int | None, typer.Option(min=0, help="Deals.")] = None,
    cases: Annotated[int | None, typer.Option(min=0, help="Requests for service.")] = None,
    products: Annotated[int | None, typer.Option(min=0, help="Products, each in two price books.")] = None,
    orders: Annotated[int | None, typer.Option(min=0, help="Orders of one to four items.")] = None,
    assets: Annotated[int | None, typer.Option(min=0, help="Machines.")] = None,
    url: _URL = DEFAULT_URL,
    as_json: JSONFlag = False,
) -> None:
    """Fill the org with related rows, the same ones for the same number."""
    given = {
        "number": number,
        "accounts": accounts,
        "contacts": contacts,
        "opportunities": opportunities,
        "cases": cases,
        "products": products,
        "orders": orders,
        "assets": assets,
    }
    found = ask(url, "POST", "seed", {name: value for name, value in given.items() if value is not None})
    terminal = Terminal(as_json=as_json)
    if terminal.as_json:
        terminal.document(found)
    else:
        terminal.table(("object", "rows"), sorted(found["made"].items()))


def clock(
    set_to: Annotated[str | None, typer.Option("--set", help="An instant such as 2026-01-31T12:00:00Z.")] = None,
    advance: Annotated[str | None, typer.Option(help="A span such as 90s, 5m, 2h, 3d or 1w; may be negative.")] = None,
    freeze: Annotated[bool | None, typer.Option("--freeze/--run", help="Stop the clock, or let it go on.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Go back to this machine's time first.")] = False,
    url: _URL = DEFAULT_URL,
    as_json: JSONFlag = False,
) -> None:
    """Show or move the org's clock; date literals, sessions and system fields follow."""
    body: dict[str, json.JSON] = {"restart": True} if restart else {}
    if set_to is not None:
        body["set"] = set_to
    if advance is not None:
        body["advance_seconds"] = _seconds(advance)
    if freeze is not None:
        body["frozen"] = freeze
    found = ask(url, "POST", "clock", body) if body else ask(url, "GET", "clock")
    terminal = Terminal(as_json=as_json)
    if terminal.as_json:
        terminal.document(found)
    else:
        terminal.result(f"{found['now']}  {found['ahead_seconds']:+g} s{'  frozen' if found['frozen'] else ''}")


def faults(
    kind: Annotated[str | None, typer.Argument(help="What to order; without it, what is in force is listed.")] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", help="KEY=VALUE of the order, e.g. path=/query, rate=0.2, times=5, seed=1."),
    ] = None,
    durable: Annotated[bool, typer.Option("--durable", help="Keep the order over restarts of the org.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Call all orders off first.")] = False,
    url: _URL = DEFAULT_URL,
    as_json: JSONFlag = False,
) -> None:
    """Order trouble, look at it, or call it off."""
    terminal = Terminal(as_json=as_json)
    if clear:
        ask(url, "DELETE", "faults")
    if kind is not None:
        order = {"kind": kind, **pairs(options or []), **({"durable": True} if durable else {})}
        _say(terminal, ask(url, "POST", "faults", order), f"{kind} is ordered")
        return
    if options or durable:
        raise UsageError("Name the kind of fault that the options are for.")
    found = ask(url, "GET", "faults")
    if terminal.as_json:
        terminal.document(found)
    elif found["faults"]:
        rows = [(one["id"], json.dumps(one["order"]).decode(), one["seen"], one["hits"]) for one in found["faults"]]
        terminal.table(("id", "order", "chances", "strikes"), rows)
    else:
        terminal.note(f"nothing is ordered; there are {', '.join(found['kinds'])}")


def requests(
    method: Annotated[str | None, typer.Option(help="Only this HTTP method.")] = None,
    path: Annotated[str | None, typer.Option(help="Regular expression searched for in the path.")] = None,
    status: Annotated[int | None, typer.Option(help="Only replies with this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the last ones.")] = 50,
    clear: Annotated[bool, typer.Option("--clear", help="Forget them instead.")] = False,
    url: _URL = DEFAULT_URL,
    as_json: JSONFlag = False,
) -> None:
    """Show what was asked of the org lately."""
    terminal = Terminal(as_json=as_json)
    if clear:
        ask(url, "DELETE", "requests")
        return
    given = {"method": method, "path": path, "status": status, "limit": limit}
    found = ask(url, "GET", "requests", params={k: str(v) for k, v in given.items() if v is not None})
    if terminal.as_json:
        terminal.document(found)
        return
    rows = [
        (one["number"], one["method"], one["path"], one["status"] or "-", one["milliseconds"], one["fault"] or "")
        for one in found["requests"]
    ]
    terminal.table(("number", "method", "path", "status", "ms", "fault"), rows)


def _say(terminal: Terminal, document: dict[str, Any], text: str) -> None:
    if terminal.as_json:
        terminal.document(document)
    else:
        terminal.note(text)


def _listing(terminal: Terminal, found: dict[str, Any], key: str, mark: str | None = None) -> None:
    if terminal.as_json:
        terminal.document(found)
        return
    rows = [(f"{one['name']} *" if one["name"] == mark else one["name"], one["bytes"]) for one in found[key]]
    terminal.table(("name", "bytes"), rows)


def _seconds(span: str) -> float:
    found = _SPAN.match(span.strip())
    if found is None:
        raise UsageError(f"{span!r} is no span of time; write 90s, 5m, 2h, 3d or 1w.")
    return float(found.group(1)) * _SECONDS[found.group(2)]
