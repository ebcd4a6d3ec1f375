"""Carts of buyers end to end, read and changed by whoever may; flaws of the seed service."""

from __future__ import annotations

from typing import Any

import pytest

from orgbridge.services.audit import AuditTrail
from orgbridge.store.audit_records import AuditFilter
from tests.integration.test_api_contract import check_problem
from tests.support.cart_buyers import BREMEN, KIEL, LYON, Buyer, kiel, world
from tests.support.commerce_world import CommerceWorld, Person

__all__ = ["kiel", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_cart_from_nothing_to_settled_prices(kiel: Buyer) -> None:
    """Without a cart all is null; the first product begins one, and both replies have the account's price in text."""
    empty = await kiel.ask("GET")
    assert (empty.status_code, empty.json()["cartId"], empty.json()["lineCount"]) == (200, None, 0)
    added = await kiel.add("MP-0001", 2)
    line = added.json()
    assert added.status_code == 200, added.text
    assert line["cartItemId"].startswith("0a9")
    cart = (await kiel.ask("GET")).json()
    assert (line["pricing_pending"], cart["pricing_pending"]) == (False, False)
    assert cart["cartId"] == line["cartId"]
    assert cart["accountId"] == kiel.account_id
    assert cart["totalProductAmount"] == line["totalPrice"] != "0"
    assert cart["totalProductCount"] == "2"


async def test_a_second_addition_grows_the_line_and_a_change_sets_it(kiel: Buyer) -> None:
    """POST adds up, PUT sets, DELETE takes out; the last two answer 204 without a body (flaw 16)."""
    await kiel.add("MP-0001", 2)
    line = (await kiel.add("MP-0001", "1.0")).json()
    assert line["quantity"] == "3"
    changed = await kiel.ask("PUT", f"/products/{line['cartItemId']}", json={"quantity": 5})
    assert (changed.status_code, changed.content) == (204, b"")
    assert await kiel.quantities() == {"MP-0001": "5"}
    gone = await kiel.ask("DELETE", f"/products/{line['cartItemId']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert await kiel.quantities() == {}
    check_problem(await kiel.ask("DELETE", f"/products/{line['cartItemId']}"), 404, "cart.line_not_found")


async def test_flaw_01_every_call_names_the_account(world: CommerceWorld, kiel: Buyer) -> None:
    """Whatever is asked of a cart, `effectiveAccountId=` goes with it, so that no other account's cart is read."""
    await kiel.add("MP-0001", 1)
    await kiel.ask("GET", "/products")
    made = [one for one in world.org.control.requests(path="/commerce/webstores/") if "/cart" in one["path"]]
    assert len(made) >= 4
    assert {one["query"].get("effectiveAccountId") for one in made} == {kiel.account_id}


async def test_flaw_02_no_line_is_lost_to_paging(kiel: Buyer) -> None:
    """A cart of 130 lines is read whole, and a quick order of 130 lines is sent in two calls."""
    done = await kiel.batch("sku,quantity\n" + "".join(f"MP-{number:04d},1\n" for number in range(100, 230)))
    assert (done["lines"], done["succeeded"], done["failed"]) == (130, 130, 0), done["results"][:3]
    assert len(await kiel.quantities()) == 130
    calls = kiel.world.org.control.requests(path="cart-items/batch")
    assert len(calls) == 2
    assert done["cart"]["lineCount"] == 130


async def test_flaw_03_nobody_reaches_another_account_or_cart(world: CommerceWorld, kiel: Buyer) -> None:
    """An account without a grant is 403, and a line of a colleague's cart is not there; it stays as it was."""
    foreign = Buyer(world, "kiel", LYON)
    check_problem(await foreign.ask("GET"), 403, "account.not_granted")
    check_problem(await foreign.add("MP-0001"), 403, "account.not_granted")
    bremen = Buyer(world, "bremen", BREMEN)
    theirs = (await bremen.add("MP-0002", 4)).json()["cartItemId"]
    await kiel.add("MP-0001")
    check_problem(await kiel.ask("PUT", f"/products/{theirs}", json={"quantity": 1}), 404, "cart.line_not_found")
    check_problem(await kiel.ask("DELETE", f"/products/{theirs}"), 404, "cart.line_not_found")
    assert (await bremen.quantities())["MP-0002"] == "4"
    await bremen.ask("DELETE")


async def test_an_account_that_salesforce_does_not_open_is_forbidden(world: CommerceWorld, kiel: Buyer) -> None:
    """Granted here is not enough: the buyer's own rights at Salesforce decide, and their words are told (flaw 14)."""
    other = Buyer(world, "kiel", BREMEN)
    problem = check_problem(await other.ask("GET"), 403, "commerce.not_entitled")
    assert problem["upstream"][0]["errorCode"] == "INSUFFICIENT_ACCESS"


async def test_flaw_08_quantity_rules_hold_for_every_way_of_changing(world: CommerceWorld, kiel: Buyer) -> None:
    """Below the minimum, off the step, and by PUT: refused before anything is sent, and never through `sobjects`."""
    problem = check_problem(await kiel.add("MP-0010", 7), 422, "cart.quantity")
    assert problem["errors"][0]["code"] == "below_minimum"
    line = (await kiel.add("MP-0010", 10)).json()
    assert line["productDetails"]["purchaseQuantityRule"] == {"minimum": "10", "maximum": None, "increment": "5"} or (
        line["productDetails"]["purchaseQuantityRule"]["minimum"] == "10"
    )
    assert (await kiel.add("MP-0010", 5)).json()["quantity"] == "15"
    wrong = await kiel.ask("PUT", f"/products/{line['cartItemId']}", json={"quantity": 12})
    assert check_problem(wrong, 422, "cart.quantity")["errors"][0]["code"] == "not_a_multiple"
    assert await kiel.quantities() == {"MP-0010": "15"}
    assert not world.org.control.requests(path="/sobjects/(CartItem|WebCart)/0a")


async def test_a_product_that_is_not_for_sale_is_not_added(kiel: Buyer) -> None:
    """An inactive product and one of another buyer group are refused as Salesforce refuses them."""
    for sku in ("MP-0011", "MP-1900"):
        reply = await kiel.add(sku)
        assert reply.status_code in (403, 404), reply.text
        assert reply.json()["code"] in ("commerce.not_entitled", "commerce.not_found")
        assert reply.json()["upstream"]
    assert await kiel.quantities() == {}


@pytest.mark.parametrize("body", [{"quantity": 0}, {"quantity": -1}, {"quantity": "x"}, {"quantity": 1, "more": 2}])
async def test_a_body_that_makes_no_sense_is_refused(kiel: Buyer, body: dict[str, Any]) -> None:
    """Nothing is sent to Salesforce for a quantity that is none or a key that nobody knows."""
    reply = await kiel.ask("POST", "/products", json={"productId": "01t000000000001AAA", **body})
    check_problem(reply, 422, "request.invalid")
    assert not kiel.world.org.control.requests(path="/commerce/")


async def test_somebody_who_is_nobody_at_salesforce_has_no_cart(world: CommerceWorld) -> None:
    """Nobody acts as the integration user: a user without a Salesforce user is refused, and nothing is sent."""
    world.org.control.clear_requests()
    await world.make_person("unbuying", Person(sf_username=None, organizations=("Nordmühle",)))
    check_problem(await Buyer(world, "unbuying", KIEL).ask("GET"), 403, "commerce.no_buyer")
    assert not world.org.control.requests(path="/commerce/")


async def test_scopes_are_needed(world: CommerceWorld) -> None:
    """Reading carts does not let fill them."""
    await world.make_person(
        "looker",
        Person(sf_username="buyer.kiel@nordmuehle.example", organizations=("Nordmühle",), scopes=("carts:read",)),
        roles=(),
    )
    looker = Buyer(world, "looker", KIEL)
    assert (await looker.ask("GET")).status_code == 200
    check_problem(await looker.ask("DELETE"), 403, "identity.scope_missing")


async def test_changes_are_audited_under_their_names(world: CommerceWorld, kiel: Buyer) -> None:
    """A product put in stands in the audit as `carts.items.add`, with the cart's and the line's ids."""
    line = (await kiel.add("MP-0001")).json()
    trail: AuditTrail = world.services.audit
    found = (await trail.page(AuditFilter(action="carts.items.add"), cursor=None, limit=1)).items[0]
    assert line["cartItemId"] in found.content
    assert line["cartId"] in found.content


async def test_a_policy_hides_prices_and_keeps_from_changing(world: CommerceWorld, kiel: Buyer) -> None:
    """A role that may not see amounts sees none of them, in the cart and in its lines; one without create adds none."""
    await kiel.add("MP-0001", 2)
    hidden = ["SalesPrice", "ListPrice", "TotalPrice", "TotalListPrice", "TotalAmount", "UnitAdjustedPrice"]
    policy = {
        "objects": {
            "WebCart": {"operations": ["read"], "hidden": ["GrandTotalAmount", "TotalProductAmount"]},
            "CartItem": {"operations": ["read"], "hidden": hidden},
        }
    }
    await world.services.roles.create("priceless", scopes=["carts:read", "carts:write"], policy=policy)
    await world.make_person(
        "priceless",
        Person(sf_username="buyer.kiel@nordmuehle.example", organizations=("Nordmühle",)),
        roles=("priceless",),
    )
    blind = Buyer(world, "priceless", KIEL)
    lines = await blind.ask("GET", "/products")
    assert lines.status_code == 200, lines.text
    line = lines.json()["cartItems"][0]["cartItem"]
    assert (line["quantity"], line["salesPrice"], line["totalPrice"]) == ("2", None, None)
    assert lines.json()["cartSummary"]["grandTotalAmount"] is None
    assert (await blind.add("MP-0002")).status_code == 403
    assert (await blind.ask("DELETE")).status_code == 403


async def test_accounts_to_buy_for_are_those_that_both_sides_allow(world: CommerceWorld, kiel: Buyer) -> None:
    """The switch lists the buyer's own account, and none that is not granted here."""
    reply = await world.ask("kiel", "GET", "/carts/accounts")
    assert reply.status_code == 200, reply.text
    found = reply.json()["accounts"]
    assert kiel.account_id in [one["account_id"] for one in found]
    assert all(one["organization_id"] == world.organizations["Nordmühle"] for one in found)
