"""Place Order: /commerce/sale and /commerce/sale/order, for whoever may write orders.

Source: facts/commerce/orders.md section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response

from orgbridge.emulator.commerce import sales
from orgbridge.emulator.commerce.sales import Record, Sale
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import need_version
from orgbridge.emulator.http.routing import Handler, Route
from orgbridge.kit.json import JSON

_T = TypeVar("_T")
_SINCE = 30
#: Parameters that are no filters.
_NO_FILTERS = ("_httpmethod",)


async def _selling(call: Call, work: Callable[[Sale], _T]) -> _T:
    def run() -> _T:
        with call.parts.storage.write() as connection:
            sale = Sale(org=call.parts.org, connection=connection, user_id=call.user_id, base=call.data_path)
            return work(sale)

    return await call.thread(run)


def _create(top: str) -> Handler:
    async def create(call: Call) -> Response:
        """Answer POST: one record with all below it, or nothing."""
        need_version(call, _SINCE)
        body = await call.json_object()

        def work(sale: Sale) -> dict[str, JSON]:
            record = sales.read(sale.org, body, top)
            sales.place(sale, record)
            return sales.placed(sale, record)

        return call.json(await _selling(call, work), call.parts.commerce.policy.sale_status)

    return create


def _show(top: str) -> Handler:
    async def show(call: Call) -> Response:
        """Answer GET: ids, of what passes the filters."""
        need_version(call, _SINCE)
        given = call.request.query_params.multi_items()
        filters = [(name, sales.read_filter(text)) for name, text in given if name.lower() not in _NO_FILTERS]
        whole = call.parts.commerce.policy.sale_fields

        def work(sale: Sale) -> dict[str, JSON]:
            record: Record = sales.load(sale, top, call.args["id"], filters)
            shown = sales.placed(sale, record)
            return sales.with_fields(sale, record, shown) if whole else shown

        return call.json(await _selling(call, work))

    return show


def _extend(top: str) -> Handler:
    async def extend(call: Call) -> Response:
        """Answer PATCH: records are added below the one that is there."""
        need_version(call, _SINCE)
        body = await call.json_object()

        def work(sale: Sale) -> dict[str, JSON]:
            record = sales.read(sale.org, body, top)
            sales.add_to(sale, record, call.args["id"])
            return sales.placed(sale, record, whole=False)

        return call.json(await _selling(call, work))

    return extend


_SALE = "/services/data/{version}/commerce/sale"
ROUTES = (
    Route(pattern=_SALE, handlers={"POST": _create("Contract")}),
    Route(pattern=f"{_SALE}/order", handlers={"POST": _create("Order")}),
    Route(pattern=f"{_SALE}/order/{{id}}", handlers={"GET": _show("Order"), "PATCH": _extend("Order")}),
    Route(pattern=f"{_SALE}/{{id}}", handlers={"GET": _show("Contract"), "PATCH": _extend("Contract")}),
)
