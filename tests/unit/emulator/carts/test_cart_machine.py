"""Whatever buyers do with their carts, some things hold at every step."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from orgbridge.emulator.commerce.policy import CommercePolicy
from tests.unit.emulator.carts.shops import Shop, check_out, money, open_shop, place

_PRODUCTS = (1, 2, 3, 10, 20)
_FIELDS = (
    "Id, Status, IsSecondary, TotalProductAmount, TotalChargeAmount, TotalPromoAdjustmentAmount, TotalTaxAmount, "
    "GrandTotalAmount, TotalProductCount, (SELECT Id, Type, Quantity, SalesPrice, TotalPrice, TotalTaxAmount, "
    "TotalPromoAdjustmentAmount, TotalAmount FROM CartItems ORDER BY Id) "
)


def _machine(template: Path) -> type[RuleBasedStateMachine]:
    class Buying(RuleBasedStateMachine):
        """One buyer with the carts of one account."""

        def __init__(self) -> None:
            super().__init__()
            self._open = ExitStack()
            folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
            self.shop: Shop = self._open.enter_context(open_shop(template, folder, CommercePolicy()))
            self.closed: dict[str, dict[str, Any]] = {}
            self.orders = 0

        def teardown(self) -> None:
            self._open.close()

        def _carts(self) -> list[dict[str, Any]]:
            return self.shop.query(f"SELECT {_FIELDS} FROM WebCart")

        def _lines(self) -> Iterator[str]:
            for cart in self._carts():
                if cart["Status"] == "Active" and not cart["IsSecondary"] and cart["CartItems"]:
                    yield from (row["Id"] for row in cart["CartItems"]["records"] if row["Type"] == "Product")

        @rule(number=st.sampled_from(_PRODUCTS), quantity=st.integers(-1, 30))
        def add(self, number: int, quantity: int) -> None:
            body = {"productId": self.shop.product(number), "quantity": str(quantity), "type": "Product"}
            status = self.shop.call("POST", "WS/carts/active/cart-items", json=body).status_code
            assert status in (201, 400)
            assert status == 400 or quantity > 0

        @rule(data=st.data(), quantity=st.integers(0, 30))
        def change(self, data: st.DataObject, quantity: int) -> None:
            lines = list(self._lines())
            if lines:
                path = f"WS/carts/active/cart-items/{data.draw(st.sampled_from(lines))}"
                assert self.shop.call("PATCH", path, json={"quantity": quantity}).status_code in (200, 400)

        @rule(data=st.data())
        def remove(self, data: st.DataObject) -> None:
            lines = list(self._lines())
            if lines:
                path = f"WS/carts/active/cart-items/{data.draw(st.sampled_from(lines))}"
                assert self.shop.call("DELETE", path).status_code == 204

        @rule(code=st.sampled_from(("SAVE10", "SHIPFREE", "NOPE")))
        def coupon(self, code: str) -> None:
            self.shop.call("POST", "WS/carts/active/cart-coupons", json={"couponCode": code})

        @rule()
        def start_another(self) -> None:
            assert self.shop.call("POST", "WS/carts", json={}).status_code == 201

        @rule()
        def delete(self) -> None:
            assert self.shop.call("DELETE", "WS/carts/active").status_code in (204, 404)

        @precondition(lambda self: bool(list(self._lines())))
        @rule()
        def order(self) -> None:
            cart = self.shop.cart()["cartId"]
            place(self.shop, check_out(self.shop))
            self.orders += 1
            self.closed[cart] = next(row for row in self._carts() if row["Id"] == cart)

        @precondition(lambda self: bool(list(self._lines())))
        @rule()
        def check_out_and_think_again(self) -> None:
            checkout = check_out(self.shop)
            assert self.shop.call("DELETE", f"WS/checkouts/{checkout}").status_code == 204

        @invariant()
        def totals_are_sums_of_lines(self) -> None:
            for cart in self._carts():
                rows = cart["CartItems"]["records"] if cart["CartItems"] else []
                goods = [row for row in rows if row["Type"] == "Product"]

                def total(name: str, some: list[dict[str, Any]]) -> Decimal:
                    return sum((money(row[name] or 0) for row in some), Decimal(0))

                assert total("TotalPrice", goods) == money(cart["TotalProductAmount"])
                assert total("TotalPrice", rows) - total("TotalPrice", goods) == money(cart["TotalChargeAmount"])
                assert total("TotalPromoAdjustmentAmount", rows) == money(cart["TotalPromoAdjustmentAmount"])
                assert total("TotalTaxAmount", rows) == money(cart["TotalTaxAmount"])
                assert total("TotalAmount", rows) == money(cart["GrandTotalAmount"])
                assert total("Quantity", goods) == money(cart["TotalProductCount"])
                parts = ("TotalProductAmount", "TotalChargeAmount", "TotalPromoAdjustmentAmount", "TotalTaxAmount")
                assert money(cart["GrandTotalAmount"]) == sum((money(cart[name]) for name in parts), Decimal(0))
                for row in goods:
                    assert money(row["TotalPrice"]) == money(row["SalesPrice"]) * money(row["Quantity"])

        @invariant()
        def one_cart_is_primary(self) -> None:
            live = [cart for cart in self._carts() if cart["Status"] in ("Active", "Checkout", "Processing")]
            assert sum(not cart["IsSecondary"] for cart in live) <= 1

        @invariant()
        def closed_carts_stay_as_they_are(self) -> None:
            now = {cart["Id"]: cart for cart in self._carts()}
            assert all(now[key] == cart for key, cart in self.closed.items())

        @invariant()
        def every_closed_cart_is_one_order(self) -> None:
            soql = "SELECT Id FROM OrderSummary WHERE PoNumber = 'PO-7'"
            assert len(self.shop.query(soql)) == self.orders == len(self.closed)

    return Buying


@pytest.mark.usefixtures("tmp_path")
def test_carts_keep_their_promises(shop_template: Path) -> None:
    """Totals are sums, one cart is primary, closed carts never change and are one order each, after any calls."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        _machine(shop_template),
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
