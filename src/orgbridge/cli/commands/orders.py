"""`orgbridge orders`: orders of carts whose outcome could not be told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal

app = typer.Typer(name="orders", help="Orders of carts: show, look, settle.", no_args_is_help=True)

_Checkout = Annotated[str, typer.Argument(help="Id of a checkout: chk_…")]


class Outcome(StrEnum):
    """What somebody found in Salesforce."""

    PLACED = "placed"
    NOT_PLACED = "not-placed"


@app.command()
def show(checkout: _Checkout, data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Show where an order stands and what was done."""
    run(_tell(lambda service: service.checkout(checkout), Terminal(as_json=as_json), data))


@app.command()
def look(checkout: _Checkout, data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Have Salesforce asked once more for an order whose outcome is unknown; nothing is sent again."""
    run(_tell(lambda service: service.look_for_order(checkout), Terminal(as_json=as_json), data))


@app.command()
def settle(
    checkout: _Checkout,
    outcome: Annotated[Outcome, typer.Option("--as", help="What you found in Salesforce.")],
    order: Annotated[str | None, typer.Option(help="Id of the order that is there (801…).")] = None,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Decide whether an order is there that nobody else can tell of; not-placed frees the cart. For administrators."""
    said = outcome.value.replace("-", "_")
    run(_tell(lambda service: service.settle_order(checkout, said, order), Terminal(as_json=as_json), data))


async def _tell(ask: Callable[[Service], Awaitable[dict[str, Any]]], terminal: Terminal, folder: Path | None) -> None:
    async with Service(service_address(folder)) as service:
        told = await ask(service)
    if terminal.as_json:
        terminal.document(told)
        return
    order = f"  order {told['order_id']}" if told["order_id"] else ""
    terminal.result(f"{told['id']}  {told['status']}  cart {told['cart_id']}{order}")
    if told["error"] is not None:
        terminal.note(str(told["error"]["message"]))
    for step in told["steps"]:
        terminal.result(f"  {step['at']}  {step['event']}")
