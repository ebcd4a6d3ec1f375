"""The caller's cart at Salesforce: totals, lines, quick orders, coupons, transfers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.replies import json_reply
from orgbridge.api.security import CartsReader, CartsWriter, services_of
from orgbridge.api.v1.schemas.carts import (
    Batch,
    BatchLine,
    BatchReply,
    BuyableAccounts,
    CartReply,
    Clone,
    CouponList,
    CouponNew,
    LineChange,
    LineNew,
    LineReply,
    LinesReply,
    Merge,
    Reorder,
)
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.kit.json import JSON, JSONDecodeError, loads
from orgbridge.services.commerce.cart_desks import Whose
from orgbridge.services.commerce.quick_orders import Merging, QuickLine, parse_csv

router = APIRouter(prefix="/carts", tags=["carts"], route_class=StrictRoute)
#: Seconds after which a pending total is worth asking for again.
_RETRY_AFTER = "2"
_SFID = r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$"
ItemId = Annotated[str, Path(pattern=_SFID, description="Id of the CartItem.", examples=["0a9Ob00000000T1IAI"])]
_PENDING: dict[int | str, dict[str, Any]] = {
    202: {"description": "Salesforce still computes: `pricing_pending` is true, amounts are null; see Retry-After"}
}
_ERRORS = problems(400, 404, 409, 502)


def whose(
    account_id: Annotated[
        str | None,
        Query(
            pattern=_SFID,
            description="The account of Salesforce that is bought for; by default that of your own Salesforce user, "
            "else the one that your organization is mapped to. One that you are not granted is 403.",
            examples=["001000000000001AAA"],
        ),
    ] = None,
    org_id: Annotated[
        str | None,
        Query(
            max_length=64,
            description="Your organization, when you are granted several.",
            examples=["org_01jd6z7w7kq2m4t8v0x3y5z7b9"],
        ),
    ] = None,
    webstore_id: Annotated[
        str | None,
        Query(
            pattern=_SFID,
            description="The webstore; by default WEBSTORE_ID, or the account's only one.",
            examples=["0ZE000000000001AAA"],
        ),
    ] = None,
) -> Whose:
    """Return which cart is meant."""
    return Whose(account_id=account_id, organization_id=org_id, webstore_id=webstore_id)


Cart = Annotated[Whose, Depends(whose)]


@router.get(
    "/accounts",
    name="accounts.list",
    response_model=BuyableAccounts,
    responses=problems(400, 404, 409, 502),
    summary="List accounts to buy for",
)
async def buyable_accounts(request: Request, caller: CartsReader, cart: Cart) -> Response:
    """Return the accounts that you may switch to, by `account_id`."""
    return json_reply({"accounts": await services_of(request).cart_transfers.accounts(caller, cart)})


@router.get("/me", name="read", response_model=CartReply, responses={**_ERRORS, **_PENDING}, summary="See the cart")
async def read_cart(request: Request, caller: CartsReader, cart: Cart) -> Response:
    """Return your cart with totals that count; all null when there is none.

    While Salesforce computes for longer than one call waits, the reply is 202 with `pricing_pending`.
    """
    return _told(await services_of(request).carts.cart(caller, cart))


@router.delete("/me", name="delete", status_code=204, responses=_ERRORS, summary="Delete the cart")
async def delete_cart(request: Request, caller: CartsWriter, cart: Cart) -> Response:
    """Delete your cart with all lines."""
    await services_of(request).carts.delete(caller, cart)
    return Response(status_code=204)


@router.get(
    "/me/products",
    name="items.list",
    response_model=LinesReply,
    responses={**_ERRORS, **_PENDING},
    summary="List the cart's lines",
)
async def read_lines(request: Request, caller: CartsReader, cart: Cart) -> Response:
    """Return all lines of your cart, however many there are."""
    return _told(await services_of(request).carts.lines(caller, cart))


@router.post(
    "/me/products",
    name="items.add",
    response_model=LineReply,
    responses={**_ERRORS, **_PENDING},
    summary="Put a product into the cart",
)
async def add_line(request: Request, body: LineNew, caller: CartsWriter, cart: Cart) -> Response:
    """Put a product into your cart; one that is in it already grows. The cart is begun when there is none.

    When Salesforce's answer is lost, the cart is looked at before anything is done again.
    """
    line = await services_of(request).carts.add(
        caller, cart, body.product_id, body.quantity, machine_id=body.machine_id, note=body.note
    )
    return _told(line)


@router.put(
    "/me/products/{cart_item_id}",
    name="items.change",
    status_code=204,
    responses=_ERRORS,
    summary="Set the quantity of a line",
)
async def change_line(
    request: Request, body: LineChange, caller: CartsWriter, cart: Cart, cart_item_id: ItemId
) -> Response:
    """Set the quantity of a line of your cart; prices and the product's quantity rule apply."""
    await services_of(request).carts.change(caller, cart, cart_item_id, body.quantity)
    return Response(status_code=204)


@router.delete(
    "/me/products/{cart_item_id}",
    name="items.remove",
    status_code=204,
    responses=_ERRORS,
    summary="Take a line out of the cart",
)
async def remove_line(request: Request, caller: CartsWriter, cart: Cart, cart_item_id: ItemId) -> Response:
    """Take a line out of your cart."""
    await services_of(request).carts.remove(caller, cart, cart_item_id)
    return Response(status_code=204)


@router.post(
    "/me/products/batch",
    name="items.batch",
    response_model=BatchReply,
    responses={**_ERRORS, **_PENDING, **problems(413)},
    summary="Put many products into the cart",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": Batch.model_json_schema(ref_template="#/components/schemas/{model}")},
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "sku,quantity,note\nMP-0001,2,spare shelf\nMP-0010,10\n",
                },
            },
        }
    },
)
async def add_lines(
    request: Request,
    caller: CartsWriter,
    cart: Cart,
    dry_run: Annotated[bool, Query(description="Check all lines and send none.")] = False,
) -> Response:
    """Put up to 1,000 lines into your cart, as JSON or as CSV of `sku,quantity[,note]`, and tell what became of each.

    All lines are checked before any is sent; what fails is told for its line, and the others are sent by the hundred.
    Lines of one product are merged. `200` says that every line is accounted for, not that every line is in the cart.
    """
    lines = await _lines(request)
    return _told(await services_of(request).cart_batches.add(caller, cart, lines, dry_run=dry_run))


@router.post(
    "/me/coupons",
    name="coupons.add",
    response_model=CouponList,
    responses=_ERRORS,
    summary="Put a coupon on the cart",
)
async def add_coupon(request: Request, body: CouponNew, caller: CartsWriter, cart: Cart) -> Response:
    """Put a coupon on your cart and return all coupons of it."""
    coupons = await services_of(request).carts.add_coupon(caller, cart, body.coupon_code)
    return json_reply({"cartCoupons": coupons})


@router.delete(
    "/me/coupons/{coupon}",
    name="coupons.remove",
    status_code=204,
    responses=_ERRORS,
    summary="Take a coupon off the cart",
)
async def remove_coupon(
    request: Request,
    caller: CartsWriter,
    cart: Cart,
    coupon: Annotated[str, Path(min_length=1, max_length=255, description="Its code or its id.", examples=["SAVE10"])],
) -> Response:
    """Take a coupon off your cart."""
    await services_of(request).carts.remove_coupon(caller, cart, coupon)
    return Response(status_code=204)


@router.post(
    "/me/merge",
    name="merge",
    response_model=BatchReply,
    responses={**_ERRORS, **_PENDING},
    summary="Take over a guest's cart",
)
async def merge_cart(request: Request, body: Merge, caller: CartsWriter, cart: Cart) -> Response:
    """Take over the cart that you had before signing in: one of the store, or lines that were kept elsewhere.

    `cart.cartId` is the cart that counts now; a cart that all was taken out of is deleted.
    """
    service, lines = services_of(request).cart_transfers, _numbered(body.lines)
    return _told(await service.merge(caller, cart, lines, Merging(body.merging), body.guest_cart_id))


@router.post(
    "/me/clone",
    name="clone",
    response_model=BatchReply,
    responses={**_ERRORS, **_PENDING},
    summary="Copy the cart into a further one",
)
async def clone_cart(request: Request, body: Clone, caller: CartsWriter, cart: Cart) -> Response:
    """Copy your cart into a further one, for the same account or another one that you may buy for."""
    service = services_of(request).cart_transfers
    return _told(await service.clone(caller, cart, body.name, body.target_account_id))


@router.post(
    "/me/reorder",
    name="reorder",
    response_model=BatchReply,
    responses={**_ERRORS, **_PENDING},
    summary="Put an order's products into the cart",
)
async def reorder(request: Request, body: Reorder, caller: CartsWriter, cart: Cart) -> Response:
    """Put the products of one of your account's orders into your cart, and tell which did not get in. Also needs
    the scope orders:read."""
    return _told(await services_of(request).cart_transfers.reorder(caller, cart, body.order_id))


def _told(body: dict[str, JSON]) -> Response:
    cart = body.get("cart")
    pending = (
        body["pricing_pending"] if "pricing_pending" in body else isinstance(cart, dict) and cart["pricing_pending"]
    )
    if pending:
        return json_reply(body, status=202, headers={"Retry-After": _RETRY_AFTER})
    return json_reply(body)


async def _lines(request: Request) -> list[QuickLine]:
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind in ("text/csv", "application/csv", "text/plain"):
        try:
            return parse_csv(body.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise _invalid("the file is not UTF-8", error.start) from error
    try:
        return _numbered(Batch.model_validate(loads(body)).lines)
    except JSONDecodeError as error:
        raise _invalid(f"not JSON: {error}", 0) from error
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        raise RequestValidationError(faults) from error


def _numbered(lines: list[BatchLine]) -> list[QuickLine]:
    return [
        QuickLine(
            number=number,
            sku=(line.sku or "").strip() or None,
            product_id=(line.product_id or "").strip() or None,
            quantity=line.quantity,
            note=(line.note or "").strip() or None,
            machine_id=(line.machine_id or "").strip() or None,
        )
        for number, line in enumerate(lines, start=1)
    ]


def _invalid(message: str, position: int) -> RequestValidationError:
    return RequestValidationError([{"type": "body_unreadable", "loc": ("body", position), "msg": message}])
