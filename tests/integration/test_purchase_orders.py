"""Purchase orders on both databases: rights, races, rules, time, and orders made once. No Salesforce."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from orgbridge.services.commerce.errors import NotGranted, OrganizationUnknown
from orgbridge.services.commerce.purchase_errors import (
    AmountBeyondLimit,
    NoApprover,
    NotAnApprover,
    NotTheRequester,
    OrderChanged,
    OrderUnderWay,
    OwnPurchaseOrder,
    PurchaseOrderMoved,
    PurchaseOrderNotFound,
    PurchaseOrderStale,
)
from orgbridge.services.commerce.purchase_ordering import LEASE
from orgbridge.services.commerce.purchase_orders import PurchaseDraft, PurchaseView
from orgbridge.services.commerce.purchase_ports import Placed, PlacementRefused
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.scopes import Caller
from orgbridge.store.errors import NameTaken, RevisionStale
from orgbridge.store.identity_records import Place
from orgbridge.store.mail_records import MailKind, MailState
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseState, PurchaseStep
from tests.support.purchase_bench import LINES, PurchaseBench, purchase_bench

_DAY = 86_400.0
_APPROVE, _REJECT = PurchaseStep.APPROVE, PurchaseStep.REJECT


class Placer:
    """Orders as it is told: refuses, breaks off, or places; it knows what it placed by the marker."""

    def __init__(self) -> None:
        self.refusal: list[dict[str, Any]] | None = None
        self.break_off: BaseException | None = None
        self.placed: dict[str, Placed] = {}
        self.calls = 0
        self.gate: asyncio.Event | None = None

    async def place(self, caller: Caller, purchase: PurchaseOrderRecord) -> Placed:
        """Order once for each marker."""
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.refusal is not None:
            raise PlacementRefused(self.refusal)
        made = self.placed.setdefault(purchase.uuid, Placed(order_ids=(f"801{len(self.placed):015d}",)))
        if self.break_off is not None:
            raise self.break_off
        return made


@pytest.fixture
def placer() -> Placer:
    """Give a placer."""
    return Placer()


@pytest.fixture
async def bench(store_url: str, placer: Placer) -> AsyncIterator[PurchaseBench]:
    """Give a bench over each database in turn."""
    async with purchase_bench(store_url, placer=placer) as made:
        yield made


async def test_an_order_goes_its_whole_way(bench: PurchaseBench, placer: Placer) -> None:
    """Draft, pending, approved, ordered: each step is in the history with who took it, and the amounts are exact."""
    ada, ben = await bench.caller("ada"), await bench.caller("ben")
    draft = await bench.draft(number="4711", note="for March", urgent=True)
    assert (draft.state, draft.version, str(draft.total)) == (PurchaseState.DRAFT, 1, "250.50")
    pending = await bench.orders.submit(ada, draft.id, comment="please")
    approved = await bench.decisions.decide(ben, draft.uuid, _APPROVE, comment="fine", expected=pending.version)
    ordered = await bench.ordering.order(ada, draft.id)
    assert (ordered.state, ordered.version, ordered.order_ids) == (
        PurchaseState.ORDERED, 5, placer.placed[draft.uuid].order_ids,
    )  # fmt: skip
    assert (approved.decided_by, approved.decided_name) == (ben.user_id, "ben")
    detail = await bench.orders.detail(ben, draft.id)
    assert [(one.step, one.actor_name, one.comment) for one in detail.steps] == [
        (None, "ada", ""),
        (PurchaseStep.SUBMIT, "ada", "please"),
        (PurchaseStep.APPROVE, "ben", "fine"),
        (PurchaseStep.ORDER, "ada", ""),
        (PurchaseStep.PLACE, "ada", ""),
    ]
    assert [one.version for one in detail.steps] == [1, 2, 3, 4, 5]
    assert detail.order.lines == draft.lines
    # Asked again, it is the same order and nothing is placed.
    assert (await bench.ordering.order(ada, draft.id)).order_ids == ordered.order_ids
    assert placer.calls == 1


async def test_of_two_approvers_at_once_one_decides(bench: PurchaseBench) -> None:
    """Ten tries at one moment, approvals and rejections: one wins, nine are told of the conflict, history has one."""
    for _ in range(3):
        order = await bench.pending()
        callers = [await bench.caller(name) for name in ("ben", "cora")] * 5
        steps = [_APPROVE, _APPROVE, _REJECT, _REJECT, _APPROVE] * 2
        done = await asyncio.gather(
            *(bench.decisions.decide(who, order.id, step) for who, step in zip(callers, steps, strict=True)),
            return_exceptions=True,
        )
        winners = [one for one in done if isinstance(one, PurchaseOrderRecord)]
        assert len(winners) == 1
        assert sum(isinstance(one, PurchaseOrderMoved) for one in done) == 9
        detail = await bench.orders.detail(callers[0], order.id)
        assert [one.state for one in detail.steps][2:] == [winners[0].state]
        assert sum(one.kind in (MailKind.APPROVED, MailKind.REJECTED) for one in detail.mails) == 1


async def test_nobody_decides_their_own(bench: PurchaseBench) -> None:
    """Ada is an approver of the organization and still needs another one; alone, she cannot even submit."""
    order = await bench.pending()
    with pytest.raises(OwnPurchaseOrder):
        await bench.decisions.decide(await bench.caller("ada"), order.id, _APPROVE)
    await bench.rule(approvers=["ada"])
    draft = await bench.draft()
    with pytest.raises(NoApprover):
        await bench.orders.submit(await bench.caller("ada"), draft.id)
    assert (await bench.orders.get(await bench.caller("ada"), draft.id)).version == 1


async def test_limits_bind_by_role_and_rules_count_as_they_are_now(bench: PurchaseBench) -> None:
    """An approver without a limit high enough is refused; one taken off the list afterwards is no approver."""
    await bench.rule(limits={"*": {"EUR": "250.00"}})
    draft = await bench.draft()
    with pytest.raises(NoApprover):
        await bench.orders.submit(await bench.caller("ada"), draft.id)
    await bench.rule(limits={"*": {"EUR": "250.50"}})
    order = await bench.orders.submit(await bench.caller("ada"), draft.id)
    await bench.rule(limits={"*": {"EUR": "100.00"}})
    with pytest.raises(AmountBeyondLimit):
        await bench.decisions.decide(await bench.caller("ben"), order.id, _APPROVE)
    await bench.rule(approvers=["cora"])
    with pytest.raises(NotAnApprover):
        await bench.decisions.decide(await bench.caller("ben"), order.id, _APPROVE)
    assert (await bench.decisions.decide(await bench.caller("cora"), order.id, _APPROVE)).decided_name == "cora"


async def test_small_amounts_are_approved_by_the_rule(bench: PurchaseBench) -> None:
    """Nobody is asked, the history says so, and the audit has an entry of it."""
    await bench.rule(approvers=[], free_up_to={"EUR": "250.50"})
    order = await bench.pending()
    assert (order.state, order.version, order.decided_by) == (PurchaseState.APPROVED, 3, "")
    detail = await bench.orders.detail(await bench.caller("ada"), order.id)
    assert (detail.steps[-1].via, detail.mails) == ("rule", [])
    assert [one.action for one in await bench.audit()] == ["purchase_orders.approve"]


async def test_another_organization_is_told_that_there_is_none(bench: PurchaseBench) -> None:
    """Flaws 3 and 20: no id lets anybody see, decide, comment, order or cancel what is not their organization's."""
    order, dan = await bench.pending(), await bench.caller("dan")
    await bench.rule("South", approvers=["dan"])
    for key in (order.id, order.uuid):
        for call in (
            bench.orders.get(dan, key),
            bench.orders.detail(dan, key),
            bench.orders.comment(dan, key, "hello"),
            bench.orders.submit(dan, key),
            bench.orders.cancel(dan, key),
            bench.decisions.decide(dan, key, _APPROVE),
            bench.ordering.order(dan, key),
        ):
            with pytest.raises(PurchaseOrderNotFound):
                await call
    for view in PurchaseView:
        assert (await bench.orders.page(dan, view)).items == []
    with pytest.raises(NotGranted):
        await bench.orders.page(dan, PurchaseView.ORGANIZATION, org_id=bench.organizations["North"])
    with pytest.raises(OrganizationUnknown):
        await bench.orders.page(dan, PurchaseView.ORGANIZATION, org_id="org_nowhere")
    # A grant taken away counts at once: no token holds it.
    async with bench.database.unit() as unit:
        await unit.roles.grant(bench.users["ben"], Place.ORGANIZATION, ())
    with pytest.raises(PurchaseOrderNotFound):
        await bench.decisions.decide(await bench.caller("ben"), order.id, _APPROVE)


async def test_flaw_21_colleagues_see_each_others_orders(bench: PurchaseBench) -> None:
    """Three views: one's own, those to decide about, all of the organization; filtered, and every page read once."""
    made = [await bench.pending() for _ in range(5)]
    theirs = await bench.pending("ben")
    ben = await bench.caller("ben")
    assert [one.id for one in (await bench.orders.page(ben, PurchaseView.MINE)).items] == [theirs.id]
    waiting = (await bench.orders.page(ben, PurchaseView.TO_APPROVE)).items
    assert {one.id for one in waiting} == {one.id for one in made}
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await bench.orders.page(ben, PurchaseView.ORGANIZATION, cursor=cursor, limit=2)
        seen += [one.id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted((one.id for one in (*made, theirs)), reverse=True)
    await bench.decisions.decide(ben, made[0].id, _REJECT)
    rejected = await bench.orders.page(ben, PurchaseView.ORGANIZATION, states=[PurchaseState.REJECTED])
    assert [one.id for one in rejected.items] == [made[0].id]
    numbered = await bench.orders.page(ben, PurchaseView.ORGANIZATION, number=made[1].number)
    assert [one.id for one in numbered.items] == [made[1].id]
    assert (await bench.orders.page(ben, PurchaseView.ORGANIZATION, until=made[0].created_at)).items == []


async def test_bulk_decides_each_for_itself(bench: PurchaseBench) -> None:
    """Own, unknown, decided and foreign ones are refused one by one; the others go through, each audited."""
    good, own = [await bench.pending() for _ in range(2)], await bench.pending("ben")
    decided = await bench.pending()
    ben = await bench.caller("ben")
    await bench.decisions.decide(await bench.caller("cora"), decided.id, _REJECT)
    keys = [good[0].id, own.id, "po_nowhere", decided.id, good[1].id, good[0].id]
    done = await bench.decisions.decide_many(ben, keys, _APPROVE, comment="all fine")
    assert [(one.key, one.error.code if one.error else None) for one in done] == [
        (good[0].id, None),
        (own.id, "purchase_orders.own"),
        ("po_nowhere", "purchase_orders.not_found"),
        (decided.id, "purchase_orders.conflict"),
        (good[1].id, None),
    ]
    entries = [(one.action, one.outcome) for one in await bench.audit()]
    assert entries.count(("purchase_orders.approve", "succeeded")) == 2
    assert entries.count(("purchase_orders.approve", "refused")) == 2


async def test_a_step_on_an_old_version_changes_nothing(bench: PurchaseBench) -> None:
    """Whoever says which version they have seen is told when it is another one."""
    order = await bench.pending()
    with pytest.raises(PurchaseOrderStale):
        await bench.decisions.decide(await bench.caller("ben"), order.id, _APPROVE, expected=order.version - 1)
    assert (await bench.orders.get(await bench.caller("ben"), order.id)).version == order.version


async def test_a_number_is_in_use_once_and_free_again_at_the_end(bench: PurchaseBench) -> None:
    """Two live orders of an organization never bear one number; another organization may; a cancelled one frees it."""
    first = await bench.draft(number="4711")
    with pytest.raises(NameTaken):
        await bench.draft(number="4711")
    await bench.draft("dan", number="4711")
    await bench.orders.cancel(await bench.caller("ada"), first.id)
    assert (await bench.draft(number=" 4711 ")).number == "4711"


@pytest.mark.parametrize(
    "line",
    [
        {"quantity": "1", "unit_price": "1"},
        {"sku": "A", "quantity": "0", "unit_price": "1"},
        {"sku": "A", "quantity": "-1", "unit_price": "1"},
        {"sku": "A", "quantity": "1"},
        {"sku": "A", "quantity": "1", "unit_price": "NaN"},
        {"product_id": "nonsense", "quantity": "1", "unit_price": "1"},
    ],
)
async def test_lines_that_cannot_be_are_refused(bench: PurchaseBench, line: dict[str, Any]) -> None:
    """No product, no quantity, no price: nothing is written."""
    with pytest.raises(InvalidRequest):
        await bench.orders.create(await bench.caller("ada"), PurchaseDraft(lines=[*LINES, line], currency="EUR"))
    assert (await bench.orders.page(await bench.caller("ada"), PurchaseView.MINE)).items == []


async def test_time_ends_what_waits(bench: PurchaseBench) -> None:
    """Pending and approved orders expire once, drafts do not; reminders come before; each expiry is audited."""
    draft, pending, approved = await bench.draft(), await bench.pending(), await bench.pending()
    await bench.decisions.decide(await bench.caller("ben"), approved.id, _APPROVE)
    assert await bench.upkeep.expire() == 0
    bench.clock.move(3 * _DAY + 1)
    assert await bench.upkeep.remind() == 1
    assert await bench.upkeep.remind() == 0
    bench.clock.move(8 * _DAY)
    # Two workers at once: one of them does it.
    assert sum(await asyncio.gather(*(bench.upkeep.expire() for _ in range(4)))) == 2
    ada = await bench.caller("ada")
    states = [(await bench.orders.get(ada, one.id)).state for one in (draft, pending, approved)]
    assert states == [PurchaseState.DRAFT, PurchaseState.EXPIRED, PurchaseState.EXPIRED]
    kinds = sorted(one.kind for one in (await bench.orders.detail(ada, pending.id)).mails)
    assert kinds == sorted([MailKind.REQUEST] * 2 + [MailKind.REMINDER] * 2 + [MailKind.EXPIRED])
    assert [one.action for one in await bench.audit()].count("purchase_orders.expire") == 2
    with pytest.raises(PurchaseOrderMoved):
        await bench.decisions.decide(await bench.caller("ben"), pending.id, _APPROVE)


async def test_without_a_mail_server_mails_say_that_they_were_not_sent(bench: PurchaseBench) -> None:
    """They are written down as not sent, with what to set."""
    order = await bench.pending()
    detail = await bench.orders.detail(await bench.caller("ada"), order.id)
    assert {one.state for one in detail.mails} == {MailState.OFF}
    assert all("ORGBRIDGE_SMTP_HOST" in (one.last_error or "") for one in detail.mails)


async def test_what_changed_since_the_approval_is_told_and_the_approval_stands(
    bench: PurchaseBench, placer: Placer
) -> None:
    """Nothing is ordered, the findings are told, and the same order can be placed later."""
    order = await bench.pending()
    await bench.decisions.decide(await bench.caller("ben"), order.id, _APPROVE)
    placer.refusal = [{"line": 0, "sku": "MP-0001", "code": "price_changed", "message": "110.00 is 120.00 now"}]
    with pytest.raises(OrderChanged) as caught:
        await bench.ordering.order(await bench.caller("ada"), order.id)
    assert caught.value.details == placer.refusal
    found = await bench.orders.get(await bench.caller("ada"), order.id)
    assert (found.state, found.order_ids) == (PurchaseState.APPROVED, ())
    placer.refusal = None
    assert (await bench.ordering.order(await bench.caller("ben"), order.id)).state is PurchaseState.ORDERED


@pytest.mark.parametrize("trouble", [ConnectionError("lost"), asyncio.CancelledError()], ids=["lost", "killed"])
async def test_an_order_whose_reply_was_lost_is_found_again(
    bench: PurchaseBench, placer: Placer, trouble: BaseException
) -> None:
    """The order was made, the answer was not heard: the second call finds it by its marker and makes no other."""
    order = await bench.pending()
    await bench.decisions.decide(await bench.caller("ben"), order.id, _APPROVE)
    placer.break_off = trouble
    with pytest.raises(type(trouble)):
        await bench.ordering.order(await bench.caller("ada"), order.id)
    found = await bench.orders.get(await bench.caller("ada"), order.id)
    assert found.state is PurchaseState.ORDERING
    with pytest.raises(PurchaseOrderMoved):
        await bench.orders.cancel(await bench.caller("ada"), order.id)
    placer.break_off = None
    ordered = await bench.ordering.order(await bench.caller("ada"), order.id)
    assert ordered.order_ids == placer.placed[order.uuid].order_ids
    assert (len(placer.placed), placer.calls) == (1, 2)


async def test_two_who_order_at_once_place_once(bench: PurchaseBench, placer: Placer) -> None:
    """While one is at it the others are told to wait, and nobody else asks the placer."""
    order = await bench.pending()
    ada, ben = await bench.caller("ada"), await bench.caller("ben")
    await bench.decisions.decide(ben, order.id, _APPROVE)
    placer.gate = asyncio.Event()
    first = asyncio.create_task(bench.ordering.order(ada, order.id))
    while not placer.calls:
        await asyncio.wait({first}, timeout=0.01)
    for _ in range(3):
        with pytest.raises((OrderUnderWay, PurchaseOrderMoved)):
            await bench.ordering.order(ben, order.id)
    placer.gate.set()
    assert (await first).state is PurchaseState.ORDERED
    assert placer.calls == 1


async def test_the_lease_is_renewed_while_an_order_is_placed(bench: PurchaseBench, placer: Placer) -> None:
    """A placement that takes longer than its lease stays with the process that is at it."""
    order = await bench.pending()
    ada, ben = await bench.caller("ada"), await bench.caller("ben")
    await bench.decisions.decide(ben, order.id, _APPROVE)
    placer.gate = asyncio.Event()
    first = asyncio.create_task(bench.ordering.order(ada, order.id))
    while not placer.calls:
        await asyncio.wait({first}, timeout=0.01)
    begun = (await bench.orders.get(ada, order.id)).ordering_until
    assert begun is not None
    # Sleeping moves the hands of this clock: the renewals themselves let the time pass.
    while bench.clock.now() < begun + LEASE:
        await asyncio.wait({first}, timeout=0.01)
    found = await bench.orders.get(ada, order.id)
    assert found.ordering_until is not None
    assert found.ordering_until > begun + LEASE / 2
    placer.gate.set()
    assert ((await first).state, placer.calls) == (PurchaseState.ORDERED, 1)


async def test_whoever_lost_the_lease_writes_nothing(bench: PurchaseBench, placer: Placer) -> None:
    """A process that slept beyond its lease and is then refused does not take the order back from its successor."""
    order = await bench.pending()
    ada = await bench.caller("ada")
    await bench.decisions.decide(await bench.caller("ben"), order.id, _APPROVE)
    placer.break_off = ConnectionError("lost")
    with pytest.raises(ConnectionError):
        await bench.ordering.order(ada, order.id)
    stale = await bench.orders.get(ada, order.id)
    now = bench.clock.now()
    async with bench.database.unit() as unit:
        assert await unit.purchase_orders.take_over(order.id, now, now + LEASE, stale.version)
    with pytest.raises(PurchaseOrderMoved):
        await bench.ordering._release(ada, stale)
    assert (await bench.orders.get(ada, order.id)).state is PurchaseState.ORDERING


async def test_only_requester_and_approvers_order(bench: PurchaseBench) -> None:
    """A colleague sees it and may not order, cancel or submit it."""
    await bench.person("eve", "North")
    draft = await bench.draft()
    eve = await bench.caller("eve")
    for call in (
        bench.orders.submit(eve, draft.id),
        bench.orders.cancel(eve, draft.id),
        bench.ordering.order(eve, draft.id),
    ):
        with pytest.raises(NotTheRequester):
            await call
    assert (await bench.orders.comment(eve, draft.id, " <b>why?</b> ")).text == "<b>why?</b>"


async def test_rules_are_written_by_who_has_seen_them(bench: PurchaseBench) -> None:
    """An old revision is refused, unknown approvers too, and an organization without rules begins with ours."""
    south = bench.organizations["South"]
    assert (await bench.rules.get(south)).approvers == ()
    with pytest.raises(RevisionStale):
        await bench.rules.put(bench.organizations["North"], {"approvers": []}, expected="old")
    written = await bench.rules.put(south, {"approvers": ["dan", bench.users["dan"]]}, expected="")
    assert written.approvers == (bench.users["dan"],)
    with pytest.raises(RevisionStale):
        await bench.rules.put(south, {"approvers": []}, expected="")
    with pytest.raises(InvalidRequest, match="nobody"):
        await bench.rules.put(south, {"approvers": ["nobody"]}, expected=written.revision)
    with pytest.raises(OrganizationUnknown):
        await bench.rules.put("org_nowhere", {"approvers": []}, expected=None)
