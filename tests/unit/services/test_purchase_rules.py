"""Who may decide about how much; amounts; what mails and lists make of them. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.services.commerce.mail_texts import write_mail
from orgbridge.services.commerce.purchase_errors import AmountBeyondLimit, NotAnApprover, OwnPurchaseOrder
from orgbridge.services.commerce.purchase_portraits import purchase_item
from orgbridge.services.commerce.purchase_rules import amount, check_decider, is_free, limit_of, money
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.scopes import Caller
from orgbridge.store.mail_records import MailKind
from orgbridge.store.purchase_order_records import PurchaseLine, PurchaseOrderRecord, PurchaseRulesRecord

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_LINE = PurchaseLine(
    product_id="", sku="MP-1", name="Seal", quantity=Decimal("2"), unit_price=Decimal("10.5"), total=Decimal("21.0")
)
_ORDER = PurchaseOrderRecord(
    id="po_1",
    uuid="u",
    number="4711",
    organization_id="org_1",
    account_id="001000000000001AAA",
    requester_id="user_r",
    requester_name="ada",
    currency="EUR",
    total=Decimal("21.0"),
    lines=(_LINE,),
    created_at=_NOW,
    updated_at=_NOW,
)


def _rules(**limits: dict[str, str | None]) -> PurchaseRulesRecord:
    return PurchaseRulesRecord(organization_id="org_1", approvers=("user_a", "user_r"), limits=limits)


def _caller(user_id: str, *roles: str, organizations: frozenset[str] = frozenset({"org_1"})) -> Caller:
    return Caller(user_id=user_id, username=user_id, scopes=frozenset(), roles=roles, organizations=organizations)


@pytest.mark.parametrize(
    ("limits", "roles", "expected"),
    [
        ({}, ("junior",), None),
        ({"junior": {"EUR": "100"}}, ("junior",), Decimal(100)),
        ({"junior": {"EUR": "100"}, "senior": {"EUR": "500"}}, ("junior", "senior"), Decimal(500)),
        ({"junior": {"EUR": "100"}, "chief": {"EUR": None}}, ("junior", "chief"), None),
        ({"junior": {"EUR": "100"}}, ("other",), Decimal(0)),
        ({"junior": {"USD": "100"}}, ("junior",), Decimal(0)),
        ({"junior": {"EUR": "100"}, "*": {"EUR": "900"}}, ("junior",), Decimal(100)),
        ({"junior": {"EUR": "100"}, "*": {"EUR": "900"}}, ("other",), Decimal(900)),
        ({"*": {"EUR": "900"}}, (), Decimal(900)),
    ],
    ids=["none", "own", "highest", "unlimited", "not named", "other currency", "named beats *", "*", "no role"],
)
def test_a_limit_follows_from_the_roles(
    limits: dict[str, dict[str, str | None]], roles: tuple[str, ...], expected: Decimal | None
) -> None:
    """No limits bind nobody; where there are some, a role that is not named has the one of `*`, or nothing."""
    assert limit_of(_rules(**limits), roles, "EUR") == expected


def test_who_may_not_decide_is_told_why() -> None:
    """One's own, not named, not granted any more, beyond the limit; exactly the limit is allowed."""
    with pytest.raises(OwnPurchaseOrder):
        check_decider(_rules(), _ORDER, _caller("user_r"))
    with pytest.raises(NotAnApprover):
        check_decider(_rules(), _ORDER, _caller("user_x"))
    with pytest.raises(NotAnApprover):
        check_decider(_rules(), _ORDER, _caller("user_a", organizations=frozenset({"org_2"})))
    with pytest.raises(AmountBeyondLimit):
        check_decider(_rules(junior={"EUR": "20.99"}), _ORDER, _caller("user_a", "junior"))
    check_decider(_rules(junior={"EUR": "21"}), _ORDER, _caller("user_a", "junior"))


def test_small_amounts_need_nobody() -> None:
    """Up to and with the amount, in its currency alone."""
    rules = replace(_rules(), free_up_to={"EUR": "21.00"})
    assert is_free(rules, Decimal("21"), "EUR")
    assert not is_free(rules, Decimal("21.01"), "EUR")
    assert not is_free(rules, Decimal("1"), "USD")


@given(st.decimals(min_value=0, max_value=10**12, places=6))
def test_money_loses_nothing(value: Decimal) -> None:
    """What is shown is the amount itself, with two decimals at least and no exponent."""
    text = money(value)
    assert Decimal(text) == value
    assert len(text.partition(".")[2]) >= 2
    assert amount(text, "x") == value


@pytest.mark.parametrize("text", ["", "x", "-1", "NaN", "Infinity", "1e400", "0.0000001", "1e16", None])
def test_what_is_no_amount_is_refused(text: object) -> None:
    """Nothing else becomes money."""
    with pytest.raises(InvalidRequest):
        amount(text, "x")


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60))
def test_no_text_becomes_markup_in_a_mail(text: str) -> None:
    """Whatever a requester writes, the HTML has our tags and no others."""
    plain = write_mail(MailKind.REQUEST, _ORDER, organization="Org", comment="c", link="https://x/?token=t")
    order = replace(_ORDER, note="n", requester_name=f"<script>{text}", lines=(replace(_LINE, name=f"<b>{text}"),))
    written = write_mail(MailKind.REQUEST, order, organization=f"<i>{text}", comment="c", link="https://x/?token=t")
    for tag in ("<script", "<b>", "<i>"):
        assert tag not in written.html
    # One row more, for the note; else tag for tag the same.
    assert written.html.count("<") == plain.html.count("<") + 6


def test_a_mail_without_an_address_of_the_service_has_no_link() -> None:
    """It names the command instead, and the plain text says the same as the HTML."""
    written = write_mail(MailKind.REQUEST, _ORDER, organization="Org")
    assert "href" not in written.html
    assert "orgbridge purchase-orders approve po_1" in written.text
    assert "21.00 EUR" in written.text
    assert "21.00 EUR" in written.html


@pytest.mark.parametrize("kind", list(MailKind))
def test_only_requests_carry_links(kind: MailKind) -> None:
    """A mail that tells what happened decides nothing."""
    written = write_mail(kind, _ORDER, organization="Org", link="https://x/?token=t")
    assert ("token=t" in written.text) == (kind in (MailKind.REQUEST, MailKind.REMINDER))
    assert ("token=t" in written.html) == ("token=t" in written.text)


def test_a_list_keeps_the_keys_of_the_public_implementation() -> None:
    """Id, name, UUID, date, number, status, total and quantity are there under their old names."""
    item = purchase_item(_ORDER)
    wanted = ["id", "name", "order_quote_id", "created_date", "po_number", "status", "total", "quantity"]
    assert list(item)[:8] == wanted
    assert (item["total"], item["quantity"]) == ("21.00", "2")
