"""Carts of buyers end to end: the service over the emulated org with the commerce seed; flaws of the seed service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from orgbridge.services.audit import AuditTrail
from orgbridge.services.commerce.cart_mirror import CartMirror, MirrorSweep
from orgbridge.store.audit_records import AuditFilter
from orgbridge.wiring.hosting import OrgHost
from tests.integration.test_api_contract import check_problem
from tests.support.commerce_world import CommerceWorld, Person, commerce_world

pytestmark = pytest.mark.asyncio(loop_scope="module")
KIEL, BREMEN, LYON = "ACC-110", "ACC-120", "ACC-210"


@pytest.fixture(scope="module")
def host() -> Iterator[OrgHost]:
    """Give a host of orgs."""
    with OrgHost() as host:
        yield host


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommerceWorld]:
    """Give a world whose carts each test begins anew."""
    async with commerce_world(
        host, tmp_path_factory.mktemp("carts"), over_socket=True, orgbridge_cart_seconds=4.0
    ) as world:
        yield world


class Buyer:
    """One person with the cart of one account."""

    def __init__(self, world: CommerceWorld, name: str, account: str) -> None:
        self.world = world
        self.name = name
        self.account_id = world.accounts[account]

    async def ask(self, method: str, path: str = "", **more: Any) -> httpx2.Response:
        """Make a call below `/carts/me`."""
        params = {"account_id": self.account_id, **more.pop("params", {})}
        return await self.world.ask(self.name, method, f"/carts/me{path}", params=params, **more)

    async def add(self, sku: str, quantity: float | str = 1, **more: Any) -> httpx2.Response:
        """Put a product into the cart."""
        product = self.world.soql(f"SELECT Id FROM Product2 WHERE StockKeepingUnit = '{sku}'")[0]["Id"]
        headers = more.pop("headers", {})
        return await self.ask(
            "POST", "/products", json={"productId": product, "quantity": quantity, **more}, headers=headers
        )

    async def batch(self, text: str, **params: Any) -> dict[str, Any]:
        """Send a CSV and return the reply."""
        reply = await self.ask(
            "POST", "/products/batch", content=text.encode(), headers={"Content-Type": "text/csv"}, params=params
        )
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def quantities(self) -> dict[str, str]:
        """Return what the cart holds, by SKU."""
        reply = await self.ask("GET", "/products")
        assert reply.status_code == 200, reply.text
        lines = [one["cartItem"] for one in reply.json()["cartItems"]]
        return {line["productDetails"]["sku"]: line["quantity"] for line in lines if line["type"] == "Product"}


@pytest_asyncio.fixture(loop_scope="module")
async def kiel(world: CommerceWorld) -> AsyncIterator[Buyer]:
    """Give the buyer of the works in Kiel, without a cart and without trouble in the org."""
    world.org.control.clear_faults()
    buyer = Buyer(world, "kiel", KIEL)
    assert (await buyer.ask("DELETE")).status_code in (204, 404)
    world.org.control.clear_requests()
    yield buyer
    world.org.control.clear_faults()


# Reading and filling


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


# What Salesforce computes, and what gets lost


async def test_totals_settle_behind_one_call(kiel: Buyer) -> None:
    """While the cart is computed Salesforce answers 202 and 422; the caller is answered once, with prices."""
    kiel.world.org.control.fault("commerce", trouble="recalculating", times=2)
    line = (await kiel.add("MP-0003", 2)).json()
    assert (line["pricing_pending"], line["cartItemId"] is not None) == (False, True)
    assert float(line["totalPrice"]) > 0


async def test_prices_that_do_not_come_are_pending_and_never_zero(
    host: OrgHost, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A calculation without end is answered 202 with Retry-After, `pricing_pending` and null amounts."""
    folder = tmp_path_factory.mktemp("pending")
    async with commerce_world(host, folder, orgbridge_cart_seconds=0.3) as world:
        kiel = Buyer(world, "kiel", KIEL)
        world.org.control.fault("commerce", trouble="endless", times=100)
        added = await kiel.add("MP-0003", 2)
        assert (added.status_code, added.headers["Retry-After"]) == (202, "2"), added.text
        cart = await kiel.ask("GET")
        assert (cart.status_code, cart.json()["pricing_pending"]) == (202, True)
        told = {**added.json(), **cart.json()}
        amounts = [value for key, value in told.items() if "Amount" in key or "Price" in key or key == "totalTax"]
        assert len(amounts) > 8
        assert amounts == [None] * len(amounts)


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_lost_reply_to_an_addition_adds_once(kiel: Buyer, cut: str) -> None:
    """Whether the call or only its reply was lost, the product is in the cart once, and the caller is told so."""
    await kiel.add("MP-0004", 1)
    kiel.world.org.control.fault(method="POST", path="/cart-items$", cut=cut)
    line = await kiel.add("MP-0004", 2)
    assert line.status_code == 200, line.text
    assert await kiel.quantities() == {"MP-0004": "3"}


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_lost_reply_to_a_quick_order_adds_each_line_once(kiel: Buyer, cut: str) -> None:
    """The lines of a batch whose reply was lost are looked for before any is sent again."""
    kiel.world.org.control.fault(method="POST", path="/cart-items/batch$", cut=cut)
    done = await kiel.batch("MP-0004,2\nMP-0005,1\n")
    assert [one["outcome"] for one in done["results"]] == ["added", "added"], done
    assert await kiel.quantities() == {"MP-0004": "2", "MP-0005": "1"}


async def test_what_nobody_can_tell_is_told_as_that(kiel: Buyer) -> None:
    """When the reply is lost and the cart cannot be looked at, the caller learns that the outcome is unknown."""
    await kiel.add("MP-0004", 1)
    kiel.world.org.control.fault(method="POST", path="/cart-items$", cut="after")
    blind: dict[str, Any] = {
        "method": "GET",
        "path": "/carts/0a6[^/]*/cart-items",
        "status": 403,
        "errorCode": "INSUFFICIENT_ACCESS",
    }
    kiel.world.org.control.fault(**blind, times=50)
    check_problem(await kiel.add("MP-0004", 2), 502, "salesforce.outcome_unknown")


async def test_the_same_key_adds_once(kiel: Buyer) -> None:
    """A call repeated under its Idempotency-Key is answered from what is kept."""
    key = {"Idempotency-Key": "add-one-seal-kit-0001"}
    first = await kiel.add("MP-0006", 2, headers=key)
    again = await kiel.add("MP-0006", 2, headers=key)
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert await kiel.quantities() == {"MP-0006": "2"}


# The error contract


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 403, "errorCode": "INSUFFICIENT_ACCESS"}, 403, "commerce.not_entitled"),
        ({"status": 404, "errorCode": "WEBSTORE_NOT_FOUND"}, 404, "commerce.not_found"),
        ({"status": 409, "errorCode": "CHECKOUT_CONFLICT"}, 409, "commerce.checkout_conflict"),
        ({"status": 400, "errorCode": "MAX_LIMIT_EXCEEDED"}, 422, "commerce.cart_limit"),
        ({"status": 400, "errorCode": "INVALID_API_INPUT"}, 400, "commerce.refused"),
        ({"status": 403, "errorCode": "REQUEST_LIMIT_EXCEEDED"}, 503, "commerce.upstream_busy"),
        ({"status": 503, "errorCode": "SERVER_UNAVAILABLE", "retry_after": "60"}, 503, "commerce.upstream_busy"),
        ({"status": 401, "errorCode": "INVALID_SESSION_ID"}, 502, "commerce.upstream_auth"),
    ],
)
async def test_flaw_14_salesforces_refusals_are_told_by_the_contract(
    kiel: Buyer, fault: dict[str, Any], status: int, code: str
) -> None:
    """Each refusal has our status and code, Salesforce's words beside it, and never passes for the caller's own 401."""
    await kiel.add("MP-0001")
    kiel.world.org.control.fault(path="/cart-items", method="GET", times=50, message="as a test wants it", **fault)
    reply = await kiel.ask("GET")
    problem = check_problem(reply, status, code)
    assert problem["upstream"][0]["errorCode"] == fault["errorCode"]
    assert problem["request_id"]
    assert ("Retry-After" in reply.headers) == (status == 503)


async def test_a_conflict_is_read_and_repeated(kiel: Buyer) -> None:
    """A change that met another one is made again after looking, and succeeds."""
    line = (await kiel.add("MP-0001")).json()
    kiel.world.org.control.fault(method="PATCH", path="/cart-items/", status=409, errorCode="CHECKOUT_CONFLICT")
    kiel.world.org.control.clear_requests()
    assert (await kiel.ask("PUT", f"/products/{line['cartItemId']}", json={"quantity": 2})).status_code == 204
    made = [one["method"] for one in kiel.world.org.control.requests(path="/carts/")]
    assert made.index("PATCH") < len(made) - 1 - made[::-1].index("PATCH")
    assert await kiel.quantities() == {"MP-0001": "2"}


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


# Quick orders


async def test_every_line_of_a_quick_order_is_accounted_for(kiel: Buyer) -> None:
    """Good, merged, unknown, foreign, off-rule and senseless lines are each told; the good ones are in the cart."""
    text = "SKU;Qty;Note\nMP-0001;2;shelf\nMP-0001;3;\nMP-9999;1;\nMP-1900;1;\nMP-0010;7;\nMP-0002;x;\n"
    done = await kiel.batch(text)
    outcomes = [one["outcome"] for one in done["results"]]
    assert outcomes[:3] == ["added", "merged", "unknown"]
    assert outcomes[3] in ("unknown", "not_entitled")
    assert outcomes[4:] == ["below_minimum", "invalid"]
    assert (done["lines"], done["succeeded"], done["failed"]) == (6, 2, 4)
    assert done["results"][1]["merged_into"] == 1
    assert await kiel.quantities() == {"MP-0001": "5"}
    lines = (await kiel.ask("GET", "/products")).json()["cartItems"]
    assert lines[0]["cartItem"]["note"] == "shelf"


async def test_json_lines_may_name_products_by_id(kiel: Buyer) -> None:
    """By id or SKU, number or text, lines are the same; one that names no product is told, and the others go in."""
    product = kiel.world.soql("SELECT Id FROM Product2 WHERE StockKeepingUnit = 'MP-0007'")[0]["Id"]
    lines = [{"productId": product[:15], "quantity": 3}, {"sku": "MP-0008", "quantity": "2.0"}, {"quantity": 1}]
    reply = await kiel.ask("POST", "/products/batch", json={"lines": lines})
    assert reply.status_code == 200, reply.text
    results = reply.json()["results"]
    assert [one["outcome"] for one in results] == ["added", "added", "invalid"], results
    check_problem(await kiel.ask("POST", "/products/batch", json={"lines": []}), 422, "request.invalid")
    check_problem(await kiel.ask("POST", "/products/batch", content=b"\xff\xfe"), 422, "request.invalid")


async def test_a_dry_run_sends_nothing(kiel: Buyer) -> None:
    """Checked and told, and no cart is begun for it."""
    done = await kiel.batch("MP-0001,2\nMP-0010,7\n", dry_run="true")
    assert [one["outcome"] for one in done["results"]] == ["added", "below_minimum"]
    assert done["cart"]["cartId"] is None
    assert (await kiel.ask("GET")).json()["cartId"] is None


async def test_a_refusal_in_the_middle_of_a_quick_order_does_not_hide_what_got_in(kiel: Buyer) -> None:
    """The first hundred are in the cart, the others are told as refused or not sent."""
    kiel.world.org.control.fault(
        method="POST", path="/cart-items/batch$", status=400, errorCode="MAX_LIMIT_EXCEEDED", skip=1, times=1
    )
    done = await kiel.batch("".join(f"MP-{number:04d},1\n" for number in range(300, 420)))
    assert (done["succeeded"], done["failed"]) == (100, 20)
    assert {one["outcome"] for one in done["results"][100:]} == {"refused"}
    assert done["results"][100]["upstream_code"] == "MAX_LIMIT_EXCEEDED"
    assert len(await kiel.quantities()) == 100


# Machines, coupons, transfers


async def test_a_line_is_for_a_machine_of_the_account(world: CommerceWorld, kiel: Buyer) -> None:
    """An Asset of the account stays with its line; one of another account is not there, and one line is for one."""
    asset = "SELECT Id FROM Asset WHERE Account.External_Id__c = '{}' LIMIT 1"
    mine, theirs = (world.soql(asset.format(key))[0]["Id"] for key in (KIEL, LYON))
    line = (await kiel.add("MP-0001", 1, machine_id=mine, note="left drum")).json()
    assert (line["machine_id"], line["note"]) == (mine, "left drum")
    listed = (await kiel.ask("GET", "/products")).json()["cartItems"][0]["cartItem"]
    assert (listed["machine_id"], listed["note"]) == (mine, "left drum")
    check_problem(await kiel.add("MP-0002", 1, machine_id=theirs), 404, "cart.machine_unknown")
    check_problem(await kiel.add("MP-0001", 1), 409, "cart.other_machine")


async def test_coupons_come_and_go(kiel: Buyer) -> None:
    """A coupon lowers the total, cannot be put on twice, and is taken off by its code."""
    await kiel.add("MP-0001", 10)
    whole = float((await kiel.ask("GET")).json()["grandTotalAmount"])
    put = await kiel.ask("POST", "/coupons", json={"couponCode": "SAVE10"})
    assert put.status_code == 200, put.text
    assert [one["couponCode"] for one in put.json()["cartCoupons"]] == ["SAVE10"]
    assert float((await kiel.ask("GET")).json()["grandTotalAmount"]) < whole
    assert (await kiel.ask("POST", "/coupons", json={"couponCode": "SAVE10"})).status_code in (400, 409)
    assert (await kiel.ask("POST", "/coupons", json={"couponCode": "NOSUCH"})).status_code in (400, 404)
    assert (await kiel.ask("DELETE", "/coupons/save10")).status_code == 204
    assert float((await kiel.ask("GET")).json()["grandTotalAmount"]) == whole
    check_problem(await kiel.ask("DELETE", "/coupons/SAVE10"), 404, "cart.line_not_found")


@pytest.mark.parametrize(("merging", "expected"), [("add", "5"), ("larger", "3"), ("keep", "2")])
async def test_a_guests_cart_is_merged(kiel: Buyer, merging: str, expected: str) -> None:
    """What was in the cart before signing in is added up, or the larger counts, or what is there stays."""
    line = (await kiel.add("MP-0001", 2)).json()
    lines = [{"sku": "MP-0001", "quantity": 3}, {"sku": "MP-0002", "quantity": 1}]
    merged = await kiel.ask("POST", "/merge", json={"lines": lines, "merging": merging})
    assert merged.status_code == 200, merged.text
    assert merged.json()["cart"]["cartId"] == line["cartId"]
    assert await kiel.quantities() == {"MP-0001": expected, "MP-0002": "1"}


async def test_a_cart_is_copied(kiel: Buyer) -> None:
    """The copy is a further cart with the same lines; the first one stays the current one."""
    first = (await kiel.add("MP-0001", 2)).json()["cartId"]
    await kiel.add("MP-0002", 1)
    copied = await kiel.ask("POST", "/clone", json={"name": "Every month"})
    assert copied.status_code == 200, copied.text
    body = copied.json()
    assert [one["outcome"] for one in body["results"]] == ["added", "added"]
    assert body["cart"]["cartId"] != first
    assert (body["cart"]["isSecondary"], body["cart"]["name"]) == (True, "Every month")
    assert (await kiel.ask("GET")).json()["cartId"] == first


async def test_an_order_is_ordered_again(world: CommerceWorld, kiel: Buyer) -> None:
    """The products of an order of the account come into the cart; another account's order is not there."""
    find = "SELECT Id FROM Order WHERE Account.External_Id__c = '{}' LIMIT 1"
    mine, theirs = (world.soql(find.format(key))[0]["Id"] for key in (KIEL, LYON))
    again = await kiel.ask("POST", "/reorder", json={"order_id": mine})
    assert again.status_code == 200, again.text
    body = again.json()
    assert body["lines"] == body["succeeded"] + body["failed"] > 0
    assert len(await kiel.quantities()) >= 1
    check_problem(await kiel.ask("POST", "/reorder", json={"order_id": theirs}), 404, "cart.order_not_found")


async def test_accounts_to_buy_for_are_those_that_both_sides_allow(world: CommerceWorld, kiel: Buyer) -> None:
    """The switch lists the buyer's own account, and none that is not granted here."""
    reply = await world.ask("kiel", "GET", "/carts/accounts")
    assert reply.status_code == 200, reply.text
    found = reply.json()["accounts"]
    assert kiel.account_id in [one["account_id"] for one in found]
    assert all(one["organization_id"] == world.organizations["Nordmühle"] for one in found)


# Policies


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


# The mirror


async def test_flaw_09_the_mirror_says_what_salesforce_says(world: CommerceWorld, kiel: Buyer) -> None:
    """Added twice, the mirror has Salesforce's own quantity under the line's id, and forgets a deleted cart."""
    await kiel.add("MP-0001", 2)
    cart_id = (await kiel.add("MP-0001", 3)).json()["cartId"]
    mirror = _mirror(world)
    known = await mirror.known(cart_id)
    assert known is not None
    assert [(line.sku, str(line.quantity.normalize())) for line in known.lines] == [("MP-0001", "5")]
    assert known.lines[0].item_id.startswith("0a9")
    await kiel.ask("DELETE")
    assert await mirror.known(cart_id) is None


async def test_the_sweep_mends_what_changed_behind_our_back(world: CommerceWorld, kiel: Buyer) -> None:
    """A quantity changed at Salesforce, and a cart deleted there, are found by the sweep."""
    line = (await kiel.add("MP-0001", 2)).json()
    bremen = Buyer(world, "bremen", BREMEN)
    gone = (await bremen.add("MP-0002", 1)).json()["cartId"]
    await asyncio.to_thread(world.change, "PATCH", f"/sobjects/CartItem/{line['cartItemId']}", {"Quantity": 9})
    await asyncio.to_thread(world.change, "DELETE", f"/sobjects/WebCart/{gone}")
    service = world.services.carts
    sweep = MirrorSweep(
        _database(world), service._orgs, world.services.carts._desks._clock, older_than=timedelta(seconds=-5)
    )
    assert await sweep.run() >= 2
    mirror = _mirror(world)
    known = await mirror.known(line["cartId"])
    assert known is not None
    assert [int(one.quantity) for one in known.lines] == [9]
    assert await mirror.known(gone) is None


async def test_what_is_kept_of_a_user_is_forgotten(world: CommerceWorld, kiel: Buyer) -> None:
    """The mirror of a user's carts goes when it is asked to, and Salesforce's cart stays."""
    cart_id = (await kiel.add("MP-0001", 2)).json()["cartId"]
    caller = await world.caller("kiel")
    assert await _mirror(world).forget(caller.user_id) >= 1
    assert await _mirror(world).known(cart_id) is None
    assert await kiel.quantities() == {"MP-0001": "2"}


def _mirror(world: CommerceWorld) -> CartMirror:
    return world.services.carts._desks.mirror


def _database(world: CommerceWorld) -> Any:
    return _mirror(world)._database
