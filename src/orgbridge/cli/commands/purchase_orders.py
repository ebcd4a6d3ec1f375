"""`orgbridge purchase-orders`: what waits for a decision, the decision, and the order."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import DataOption, JSONFlag, run, service_address
from orgbridge.cli.errors import ExitCode, ServiceRefused
from orgbridge.cli.service import Service
from orgbridge.cli.terminal import Terminal
from orgbridge.kit.clock import Clock, SystemClock

app = typer.Typer(
    name="purchase-orders", help="Purchase orders: list, show, approve, reject, order.", no_args_is_help=True
)

_Order = Annotated[str, typer.Argument(help="Id, UUID or Salesforce id of a purchase order.")]
_Orders = Annotated[list[str], typer.Argument(help="Ids of purchase orders.")]
#: What is said of an order that is being made, and the seconds after which is asked again.
_UNDER_WAY, _PAUSE = "purchase_orders.ordering", 1.0
_Comment = Annotated[str, typer.Option("--comment", "-m", help="Said with the decision.")]


class View(StrEnum):
    """Whose purchase orders are listed."""

    MINE = "mine"
    TO_APPROVE = "to_approve"
    ORGANIZATION = "organization"


@app.command("list")
def list_orders(
    view: Annotated[View, typer.Option(help="One's own, those to decide about, or the organizations'.")] = View.MINE,
    status: Annotated[list[str] | None, typer.Option(help="Only in this state; may be given several times.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most lines.")] = 50,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """List purchase orders, newest first."""
    run(_list(view, status or [], limit, Terminal(as_json=as_json), data))


async def _list(view: View, status: list[str], limit: int, terminal: Terminal, folder: Path | None) -> None:
    params = [("view", view.value), ("limit", str(limit)), *(("status", one) for one in status)]
    async with Service(service_address(folder)) as service:
        orders = await service.purchase_orders(params)
    if terminal.as_json:
        terminal.document(orders)
        return
    for order in orders:
        terminal.result(_line(order))
    if not orders:
        terminal.note("no purchase orders")


@app.command()
def show(order: _Order, data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Show a purchase order with its lines, history and comments."""
    run(_show(order, Terminal(as_json=as_json), data))


async def _show(key: str, terminal: Terminal, folder: Path | None) -> None:
    async with Service(service_address(folder)) as service:
        order = await service.purchase_order(key)
    if terminal.as_json:
        terminal.document(order)
        return
    terminal.result(_line(order))
    for line in order["lines"]:
        what = " ".join(str(line[name]) for name in ("sku", "name") if line[name]) or str(line["product_id"])
        terminal.result(f"  {line['quantity']} x {what} at {line['unit_price']} = {line['total']}")
    for step in order["history"]:
        said = f": {step['comment']}" if step["comment"] else ""
        terminal.result(f"  {step['at']}  {step['step']} by {step['actor'] or step['via']}{said}")
    if order["ordering"]:
        under_way = order["ordering"]
        why = under_way["waiting"] or (under_way["error"] or {}).get("message", "")
        terminal.result(f"  {under_way['checkout_id']}  {under_way['state']}{f': {why}' if why else ''}")
        if under_way["state"] in ("unknown", "partial"):
            terminal.note(f"orgbridge orders look {under_way['checkout_id']}, or settle it as you found it")
    for comment in order["comments"]:
        terminal.result(f"  {comment['created_at']}  {comment['author']} says: {comment['text']}")


@app.command()
def approve(orders: _Orders, comment: _Comment = "", data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Approve purchase orders that somebody else asked for. Exit codes: 0 all, 1 some, 2 none."""
    raise typer.Exit(run(_decide("approve", orders, comment, Terminal(as_json=as_json), data)))


@app.command()
def reject(orders: _Orders, comment: _Comment = "", data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Reject purchase orders that somebody else asked for. Exit codes: 0 all, 1 some, 2 none."""
    raise typer.Exit(run(_decide("reject", orders, comment, Terminal(as_json=as_json), data)))


@app.command("order")
def order_approved(order: _Order, data: DataOption = None, as_json: JSONFlag = False) -> None:
    """Order what was approved, once, and wait until the order is there; interrupted, it is called again."""
    run(_order(order, Terminal(as_json=as_json), data, SystemClock()))


async def _order(key: str, terminal: Terminal, folder: Path | None, clock: Clock) -> None:
    async with Service(service_address(folder)) as service:
        while True:
            try:
                ordered = await service.order_purchase(key)
                break
            except ServiceRefused as refused:
                if refused.problem.get("code") != _UNDER_WAY:
                    raise
            await clock.sleep(_PAUSE)
    if terminal.as_json:
        terminal.document(ordered)
    else:
        terminal.result(f"{ordered['id']}  {ordered['status']}  {' '.join(ordered['order_ids'])}")


async def _decide(decision: str, keys: list[str], comment: str, terminal: Terminal, folder: Path | None) -> ExitCode:
    async with Service(service_address(folder)) as service:
        results = await service.decide_purchase_orders(decision, keys, comment)
    done = [one for one in results if one["success"]]
    if terminal.as_json:
        terminal.document({"results": results})
    else:
        for one in results:
            if one["success"]:
                terminal.result(f"{one['id']}  {one['status']}")
            else:
                terminal.note(f"{one['id']}  {one['error']['detail']}", style="bold red")
    if len(done) == len(results):
        return ExitCode.ALL
    return ExitCode.SOME_FAILED if done else ExitCode.NONE


def _line(order: dict[str, Any]) -> str:
    urgent = "  urgent" if order["urgent"] else ""
    total = f"{order['total']} {order['currency']}"
    return f"{order['id']}  {order['po_number']}  {order['status']}  {total}  {order['requester']}{urgent}"
