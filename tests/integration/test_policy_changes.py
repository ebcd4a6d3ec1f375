"""Policies over the emulated org: which records a caller with roles may write, and what they are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orgbridge.kit.clock import SystemClock
from orgbridge.orgs.connections import Orgs
from orgbridge.services.batches import BatchService
from orgbridge.services.composite import CompositeService
from orgbridge.services.policies.errors import (
    OperationRefused,
    RecordMissing,
    RowsRefused,
    UnknownName,
)
from orgbridge.services.policies.guard import Guard
from orgbridge.services.queries import QueryService, QueryText
from orgbridge.services.records import RecordService
from orgbridge.services.scopes import Scope
from orgbridge.wire.bulk import IngestOperation
from tests.support.callers import UNRESTRICTED, restricted
from tests.support.policy_org import BANKER, BANKS, CURSORS, org_url, orgs, rows

__all__ = ["org_url", "orgs", "rows"]


async def test_writes_stay_inside_of_the_rows(orgs: Orgs, rows: dict[str, str]) -> None:
    """A row is neither made outside, nor moved out, nor changed or deleted when it lies outside."""
    records = RecordService(orgs)
    refused = [
        (records.create("Account", {"Name": "x", "Industry": "Retail"}, caller=BANKER), RowsRefused),
        (records.create("Account", {"Name": "x"}, caller=BANKER), RowsRefused),
        (records.update("Account", rows["bank"], {"Industry": "Retail"}, caller=BANKER), RowsRefused),
        (records.update("Account", rows["bank"], {"Website": "x"}, caller=BANKER), RowsRefused),
        (records.update("Account", rows["bank"], {"Phone": "x"}, caller=BANKER), RowsRefused),
        (records.update("Account", rows["shop"], {"Name": "x"}, caller=BANKER), RecordMissing),
        (records.delete("Account", rows["shop"], caller=BANKER), RecordMissing),
        # An id of another object must not be deleted by the rules of this one.
        (records.delete("Contact", rows["shop"], caller=BANKER), RecordMissing),
        (records.create("Opportunity", {"Name": "x"}, caller=BANKER), UnknownName),
    ]
    for attempt, expected in refused:
        with pytest.raises(expected):
            await attempt
    done = await records.create("Account", {"Name": "New", "Industry": "Banking"}, caller=BANKER)
    await records.update("Account", str(done.record_id), {"Name": "Newer"}, caller=BANKER)
    await records.delete("Account", str(done.record_id), caller=BANKER)
    seen = await records.retrieve("Account", rows["shop"], caller=UNRESTRICTED)
    assert seen.data is not None
    assert seen.data["Name"] == "Shop"


async def test_an_upsert_is_checked_as_what_it_will_be(orgs: Orgs, rows: dict[str, str]) -> None:
    """By a new key it is a create, by a known one an update of a row that must be seen."""
    records = RecordService(orgs)
    key = f"K-{rows['shop']}"
    await records.update("Account", rows["shop"], {"External_Id__c": key}, caller=UNRESTRICTED)
    with pytest.raises(RecordMissing):
        await records.upsert("Account", "External_Id__c", key, {"Name": "x"}, caller=BANKER)
    new = f"K-{rows['bank']}"
    with pytest.raises(RowsRefused):
        await records.upsert("Account", "External_Id__c", new, {"Name": "x"}, caller=BANKER)
    made = await records.upsert("Account", "External_Id__c", new, {"Name": "x", "Industry": "Banking"}, caller=BANKER)
    again = await records.upsert("Account", "External_Id__c", new, {"Name": "y"}, caller=BANKER)
    assert (made.created, again.created, again.record_id) == (True, False, made.record_id)


async def test_a_batch_is_written_whole_or_not_at_all(orgs: Orgs, rows: dict[str, str]) -> None:
    """One record outside refuses the batch, and the refusal names its row."""
    batches = BatchService(orgs, SystemClock())
    changes = [{"Id": rows["bank"], "Name": "Bank 2"}, {"Id": rows["shop"], "Name": "Shop 2"}]
    with pytest.raises(RecordMissing) as refused:
        await batches.run("Account", "update", changes, caller=BANKER)
    assert [item["row"] for item in refused.value.details] == [2]
    with pytest.raises(RecordMissing):
        await batches.run("Contact", "delete", [{"Id": rows["shop"]}], caller=BANKER)
    done = await batches.run("Account", "update", changes[:1], caller=BANKER)
    assert done.succeeded == 1


async def test_two_changes_that_only_together_move_a_row_out_are_refused(orgs: Orgs, rows: dict[str, str]) -> None:
    """Each leaves the row inside of a condition with OR; in one batch, or one composite call, they are refused."""
    batches, composite = BatchService(orgs, SystemClock()), CompositeService(orgs, CURSORS)
    either = {"operations": ["query", "update"], "where": "(Industry = 'Banking' OR Rating = 'Hot')"}
    caller = restricted({"objects": {"Account": either}})
    await batches.run("Account", "update", [{"Id": rows["bank"], "Rating": "Hot"}], caller=caller)
    changes = [{"Id": rows["bank"], "Rating": "Cold"}, {"Id": rows["bank"][:15], "Industry": "Retail"}]
    with pytest.raises(RowsRefused, match="twice"):
        await batches.run("Account", "update", changes, caller=caller)
    url = f"sobjects/Account/{rows['bank']}"
    subrequests = [
        {"method": "PATCH", "url": url, "referenceId": f"r{number}", "body": body}
        for number, body in enumerate([{"Rating": "Cold"}, {"Industry": "Retail"}])
    ]
    with pytest.raises(RowsRefused, match="twice") as refused:
        await composite.send(subrequests, caller=caller)
    assert refused.value.details[-1]["location"] == "compositeRequest.1"
    seen = (await RecordService(orgs).retrieve("Account", rows["bank"], caller=UNRESTRICTED)).data or {}
    assert (seen["Industry"], seen["Rating"]) == ("Banking", "Hot")
    done = await composite.send(subrequests[:1], caller=caller)
    assert done[0].status == 204


async def test_a_record_is_deleted_by_its_external_id_where_it_may_be(orgs: Orgs, rows: dict[str, str]) -> None:
    """The row is looked up inside of the condition; outside of it, it is not there."""
    records = RecordService(orgs)
    for name in ("bank", "shop"):
        key = {"External_Id__c": f"D-{rows[name]}"}
        await records.update("Account", rows[name], key, caller=UNRESTRICTED)
    with pytest.raises(RecordMissing):
        await records.delete("Account", f"D-{rows['shop']}", external_id_field="External_Id__c", caller=BANKER)
    with pytest.raises(UnknownName):
        await records.delete("Account", "1", external_id_field="AnnualRevenue", caller=BANKER)
    reader = restricted({"objects": {"Account": {"operations": ["read"]}}})
    with pytest.raises(OperationRefused):
        await records.delete("Account", f"D-{rows['bank']}", external_id_field="External_Id__c", caller=reader)
    done = await records.delete("Account", f"D-{rows['bank']}", external_id_field="External_Id__c", caller=BANKER)
    assert done.record_id == rows["bank"]


async def test_a_role_lends_its_freedom_to_its_own_scopes_only(orgs: Orgs, rows: dict[str, str]) -> None:
    """Somebody who may load everything by one role still reads and writes single records as the other role says."""
    caller = replace(
        restricted(BANKS, None),
        role_scopes=(frozenset({Scope.RECORDS_READ, Scope.RECORDS_WRITE}), frozenset({Scope.BULK_WRITE})),
    )
    guard, records, queries = Guard(orgs), RecordService(orgs), QueryService(orgs, CURSORS)
    with pytest.raises(RecordMissing):
        await records.retrieve("Account", rows["shop"], caller=caller)
    with pytest.raises(RecordMissing):
        await records.update("Account", rows["shop"], {"Name": "x"}, caller=caller)
    found = await queries.page(QueryText(soql=f"SELECT Id FROM Account WHERE Id = '{rows['shop']}'"), caller=caller)
    assert found.total_size == 0
    assert "AnnualRevenue" not in {field["name"] for field in (await guard.describe(caller, "Account"))["fields"]}
    await guard.columns(caller, IngestOperation.DELETE, "Account", ["Id"])
    export = await guard.query(caller, "SELECT AnnualRevenue FROM Account", export=True)
    assert export.text == "SELECT AnnualRevenue FROM Account"
