"""Records, queries, collections, describes and limits: what is sent, and how replies are read."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import pytest

import orgbridge.client
from orgbridge.client import Salesforce, SaveResult, UpsertResult, errors
from tests.support.clocks import HandClock
from tests.support.salesforce_double import Answer, Drop, SalesforceDouble

BASE = "/services/data/v67.0"
ID = "001000000000001AAA"
ACCOUNT = f"{BASE}/sobjects/Account"


async def test_create_returns_the_id(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A create posts the fields as JSON and returns the id."""
    double.script("POST", ACCOUNT, Answer(status=201, json={"id": ID, "success": True, "errors": []}))
    assert await salesforce.records.create("Account", {"Name": "Ä", "Phone": None}) == ID
    assert json.loads(double.requests[0].body) == {"Name": "Ä", "Phone": None}
    assert double.requests[0].headers["Content-Type"] == "application/json"


async def test_field_errors_keep_all_that_salesforce_said(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A refused create keeps status, code, message, fields, path and every further fault."""
    faults = [
        {"message": "Required fields are missing: [Name]", "errorCode": "REQUIRED_FIELD_MISSING", "fields": ["Name"]},
        {"message": "second", "errorCode": "STRING_TOO_LONG", "fields": []},
    ]
    double.script("POST", ACCOUNT, Answer(status=400, json=faults))
    with pytest.raises(errors.InvalidRequest) as caught:
        await salesforce.records.create("Account", {})
    error = caught.value
    assert (error.status, error.error_code, error.fields) == (400, "REQUIRED_FIELD_MISSING", ("Name",))
    assert (error.method, error.path, len(error.faults)) == ("POST", ACCOUNT, 2)
    assert error.details[0] == {
        "code": "REQUIRED_FIELD_MISSING",
        "message": "Required fields are missing: [Name]",
        "fields": ["Name"],
    }


async def test_create_without_success_is_malformed(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A reply to a create that has no id is not taken for a success."""
    double.script("POST", ACCOUNT, Answer(status=201, json={"id": None, "success": False, "errors": []}))
    with pytest.raises(errors.MalformedReply):
        await salesforce.records.create("Account", {"Name": "a"})


async def test_retrieve_by_external_id_encodes_the_value_once(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A key with a slash, a space and an umlaut stays one segment of the path."""
    double.script("GET", f"{ACCOUNT}/Ext__c/a/b ä%", Answer(json={"Id": ID}))
    await salesforce.records.retrieve("Account", "a/b ä%", ["Id", "Name"], "Ext__c")
    assert double.requests[0].target == f"{ACCOUNT}/Ext__c/a%2Fb%20%C3%A4%25?fields=Id%2CName"


async def test_ambiguous_key_lists_the_records(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A 300 is an error that lists the URLs of the records."""
    double.script("GET", f"{ACCOUNT}/Ext__c/1", Answer(status=300, json=[f"{ACCOUNT}/{ID}", f"{ACCOUNT}/other"]))
    with pytest.raises(errors.AmbiguousKey, match=ID):
        await salesforce.records.retrieve("Account", "1", external_id_field="Ext__c")


@pytest.mark.parametrize(
    ("status", "body", "created"),
    [
        (201, {"id": ID, "success": True, "errors": [], "created": True}, True),
        (200, {"id": ID, "success": True, "errors": [], "created": False}, False),
        (201, {"id": ID, "success": True, "errors": []}, True),
    ],
    ids=["created", "updated", "created up to v45"],
)
async def test_upsert_tells_whether_it_created(
    salesforce: Salesforce, double: SalesforceDouble, status: int, body: dict[str, object], created: bool
) -> None:
    """An upsert returns the id and whether the record is new, in old and new versions."""
    double.script("PATCH", f"{ACCOUNT}/Ext__c/1", Answer(status=status, json=body))
    result = await salesforce.records.upsert("Account", "Ext__c", "1", {"Name": "a"})
    assert result == UpsertResult(id=ID, created=created)


async def test_upsert_without_a_body_asks_for_the_id(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """The bodiless update of old versions is completed by asking for the id."""
    double.script("PATCH", f"{ACCOUNT}/Ext__c/1", Answer(status=204))
    double.script("GET", f"{ACCOUNT}/Ext__c/1", Answer(json={"Id": ID}))
    assert (await salesforce.records.upsert("Account", "Ext__c", "1", {})).id == ID


async def test_lost_upsert_is_repeated_and_says_so(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """An upsert whose reply was lost is repeated; the result says that `created` may be about the lost try."""
    done = Answer(json={"id": ID, "success": True, "errors": [], "created": False})
    double.script("PATCH", f"{ACCOUNT}/Ext__c/1", Drop(), done)
    result = await salesforce.records.upsert("Account", "Ext__c", "1", {})
    assert result == UpsertResult(id=ID, created=False, repeated=True)


async def test_upsert_that_lost_a_race_finds_the_record(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A duplicate of the key itself means that another upsert was faster, and is tried once more."""
    text = f"duplicate value found: Ext__c duplicates value on record with id: {ID}"
    raced = Answer(status=400, json=[{"message": text, "errorCode": "DUPLICATE_VALUE", "fields": []}])
    double.script("PATCH", f"{ACCOUNT}/Ext__c/1", raced, Answer(json={"id": ID, "success": True, "created": False}))
    assert (await salesforce.records.upsert("Account", "Ext__c", "1", {})).created is False
    double.script("PATCH", f"{ACCOUNT}/Other__c/1", raced)
    with pytest.raises(errors.DuplicateValue):
        await salesforce.records.upsert("Account", "Other__c", "1", {})


async def test_delete_of_a_deleted_record_is_missing(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A delete that finds nothing fails, unless a lost try of the same call may have deleted the record."""
    gone = Answer(status=404, json=[{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}])
    double.script("DELETE", f"{ACCOUNT}/{ID}", Drop(), gone)
    await salesforce.records.delete("Account", ID)
    with pytest.raises(errors.RecordDeleted):
        await salesforce.records.delete("Account", ID)


async def test_query_pages_keep_their_order(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """All records of all pages come in Salesforce's order, the SOQL encoded once."""
    soql = "SELECT Id FROM Account WHERE Name LIKE 'Ä+B%'"
    following = f"{BASE}/query/0r8000000000001AAA-2"
    first = {"totalSize": 3, "done": False, "nextRecordsUrl": following, "records": [{"Id": "1"}, {"Id": "2"}]}
    double.script("GET", f"{BASE}/query", Answer(json=first))
    double.script("GET", following, Answer(json={"totalSize": 3, "done": True, "records": [{"Id": "3"}]}))
    assert [record["Id"] async for record in salesforce.query.records(soql)] == ["1", "2", "3"]
    assert parse_qs(urlsplit(double.requests[0].target).query) == {"q": [soql]}


async def test_query_all_and_batch_size(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """The recycle bin is asked for at `queryAll`, and a wish for the page size goes into its header."""
    double.script("GET", f"{BASE}/queryAll", Answer(json={"totalSize": 17, "done": True, "records": []}))
    page = await salesforce.query.page("SELECT COUNT() FROM Account", include_deleted=True, batch_size=200)
    assert (page.total_size, page.records) == (17, [])
    assert double.requests[0].headers["Sforce-Query-Options"] == "batchSize=200"


async def test_query_that_goes_round_is_an_error(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A next page that was read already ends the reading."""
    following = f"{BASE}/query/0r8000000000001AAA-2"
    page = Answer(json={"totalSize": 3, "done": False, "nextRecordsUrl": following, "records": []})
    double.script("GET", f"{BASE}/query", page)
    double.script("GET", following, page)
    with pytest.raises(errors.MalformedReply, match="already"):
        [record async for record in salesforce.query.records("SELECT Id FROM Account")]


@pytest.mark.parametrize(
    "reply", [{"records": []}, {"done": True, "records": {}}, {"done": False, "records": []}, []], ids=repr
)
async def test_query_reply_without_sense_is_malformed(
    salesforce: Salesforce, double: SalesforceDouble, reply: object
) -> None:
    """A query reply that does not say whether it is done, or where it goes on, is an error."""
    double.script("GET", f"{BASE}/query", Answer(json=reply))
    with pytest.raises(errors.MalformedReply):
        await salesforce.query.page("SELECT Id FROM Account")


async def test_query_too_long_for_a_url_is_told_before_sending(
    salesforce: Salesforce, double: SalesforceDouble
) -> None:
    """A SOQL text beyond 16 KiB of URL is refused here, with the way out named."""
    soql = "SELECT " + ", ".join(f"Field_{n}__c" for n in range(1500)) + " FROM Account"
    with pytest.raises(errors.QueryTooLong, match="bulk query") as caught:
        await salesforce.query.page(soql)
    assert caught.value.uri_bytes > 16_384
    assert double.requests == []


async def test_malformed_query_is_typed(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """`MALFORMED_QUERY` is a `MalformedQuery` with Salesforce's own words."""
    text = "\nSELECT FROM Account\n       ^\nERROR at Row:1:Column:8\nunexpected token: 'FROM'"
    double.script("GET", f"{BASE}/query", Answer(status=400, json=[{"message": text, "errorCode": "MALFORMED_QUERY"}]))
    with pytest.raises(errors.MalformedQuery) as caught:
        await salesforce.query.page("SELECT FROM Account")
    assert caught.value.sf_message == text


async def test_collections_give_outcomes_in_order(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """Created and refused records come back as values in the order of the records."""
    path = f"{BASE}/composite/sobjects"
    fault = {
        "statusCode": "REQUIRED_FIELD_MISSING",
        "message": "Required fields are missing: [Name]",
        "fields": ["Name"],
    }
    double.script(
        "POST", path, Answer(json=[{"id": ID, "success": True, "errors": []}, {"success": False, "errors": [fault]}])
    )
    results = await salesforce.collections.create("Account", [{"Name": "a"}, {}], all_or_none=True)
    assert results[0] == SaveResult(id=ID, success=True)
    assert (results[1].id, results[1].errors[0].error_code) == (None, "REQUIRED_FIELD_MISSING")
    assert json.loads(double.requests[0].body) == {
        "allOrNone": True,
        "records": [{"attributes": {"type": "Account"}, "Name": "a"}, {"attributes": {"type": "Account"}}],
    }


async def test_collections_update_upsert_delete(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """Update, upsert and delete go to their paths with their flags."""
    path = f"{BASE}/composite/sobjects"
    saved = {"id": ID, "success": True, "errors": []}
    double.script("PATCH", path, Answer(json=[saved]))
    double.script("PATCH", f"{path}/Account/Ext__c", Answer(json=[{**saved, "created": True}]))
    double.script("DELETE", path, Answer(json=[saved, saved]))
    collections = salesforce.collections
    assert (await collections.update("Account", [{"Id": ID}]))[0].success
    assert (await collections.upsert("Account", "Ext__c", [{"Ext__c": "1"}]))[0].created is True
    assert len(await collections.delete([ID, ID])) == 2
    assert double.requests[-1].target == f"{path}?ids={ID}%2C{ID}&allOrNone=false"


@pytest.mark.parametrize("count", [0, 201])
async def test_collections_take_1_to_200(salesforce: Salesforce, double: SalesforceDouble, count: int) -> None:
    """No records or too many are refused before anything is sent."""
    with pytest.raises(ValueError, match="200"):
        await salesforce.collections.create("Account", [{"Name": "a"}] * count)
    assert double.requests == []


async def test_missing_outcomes_are_an_error(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A reply with fewer outcomes than records is never paired up."""
    double.script("POST", f"{BASE}/composite/sobjects", Answer(json=[{"id": ID, "success": True, "errors": []}]))
    with pytest.raises(errors.MalformedReply, match="1 outcomes for 2"):
        await salesforce.collections.create("Account", [{"Name": "a"}, {"Name": "b"}])


async def test_describe_is_kept_and_checked(salesforce: Salesforce, double: SalesforceDouble, clock: HandClock) -> None:
    """A description is fetched once, then not asked for, then checked with a condition that costs a 304."""
    value = {"name": "Account", "fields": []}
    headers = {"ETag": '"baf7f695"', "Last-Modified": "Fri, 14 Aug 2020 20:53:02 GMT"}
    double.script("GET", f"{ACCOUNT}/describe", Answer(json=value, headers=headers), Answer(status=304))
    replies = await asyncio.gather(*(salesforce.describe.sobject("Account") for _ in range(5)))
    assert replies == [value] * 5
    assert len(double.requests) == 1
    clock.move(61)
    assert await salesforce.describe.sobject("Account") == value
    assert double.requests[1].headers["If-None-Match"] == '"baf7f695"'
    assert double.requests[1].headers["If-Modified-Since"] == "Fri, 14 Aug 2020 20:53:02 GMT"


async def test_changed_describe_replaces_the_old_one(
    salesforce: Salesforce, double: SalesforceDouble, clock: HandClock
) -> None:
    """A description that changed is taken over."""
    double.script("GET", f"{BASE}/sobjects", Answer(json={"sobjects": []}), Answer(json={"sobjects": [{"name": "A"}]}))
    assert await salesforce.describe.global_() == {"sobjects": []}
    clock.move(61)
    assert await salesforce.describe.global_() == {"sobjects": [{"name": "A"}]}


async def test_unknown_object_is_missing(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """An object that the org does not have is `NotFound`."""
    with pytest.raises(errors.NotFound):
        await salesforce.describe.sobject("Nothing__c")


async def test_request_sends_what_it_is_given(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """The open door sends any method, path, parameters, headers and body."""
    double.script("POST", f"{BASE}/composite", Answer(json={"compositeResponse": []}))
    double.script("PUT", "/services/apexrest/x", Answer(body=b"ok"))
    reply = await salesforce.request("post", "composite", params={"a": "b c"}, json={"x": 1}, headers={"X-A": "1"})
    assert reply.json() == {"compositeResponse": []}
    assert (await salesforce.request("PUT", "/services/apexrest/x", body=b"raw")).body == b"ok"
    first, second = double.requests
    assert (first.target, first.headers["X-A"], first.body) == (f"{BASE}/composite?a=b%20c", "1", b'{"x":1}')
    assert second.body == b"raw"
    with pytest.raises(ValueError, match="one of"):
        await salesforce.request("POST", "composite", json={}, body=b"")


def test_public_names() -> None:
    """What the client offers to the outside is this list and nothing else."""
    assert sorted(orgbridge.client.__all__) == sorted(
        {
            "CallCount",
            "Chunks",
            "ClientCredentials",
            "Commerce",
            "Credentials",
            "DescribeCache",
            "Gate",
            "IngestJobRequest",
            "IngestResult",
            "JWTCredentials",
            "JobInfo",
            "JobPage",
            "LimitInfo",
            "PasswordCredentials",
            "Patience",
            "QueryPage",
            "QueryWay",
            "RawPage",
            "RefreshCredentials",
            "Reply",
            "ResultPages",
            "ResultsPage",
            "RetryPolicy",
            "Salesforce",
            "SalesforceFault",
            "SaveResult",
            "Secret",
            "SignInGuard",
            "Store",
            "StoreContext",
            "Subreply",
            "Timeouts",
            "Token",
            "TokenConfig",
            "TokenManager",
            "TransportConfig",
            "UpsertResult",
            "count_calls",
            "errors",
        }
    )
    assert all(hasattr(orgbridge.client, name) for name in orgbridge.client.__all__)


async def test_several_queries_go_in_one_call_and_fail_one_by_one(
    salesforce: Salesforce, double: SalesforceDouble
) -> None:
    """Each query has its page or its own error, in order; more than five are refused before anything is sent."""
    good = {"totalSize": 1, "done": True, "records": [{"Id": ID}]}
    bad = [{"errorCode": "INVALID_FIELD", "message": "No such column"}]
    answers = [
        {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": f"query{number}"}
        for number, (body, status) in enumerate([(good, 200), (bad, 400), ("", 414)])
    ]
    double.script("POST", f"{BASE}/composite", Answer(json={"compositeResponse": answers}))
    first, second, third = await salesforce.query.raw_pages(["SELECT Id FROM A", "SELECT X FROM A", "SELECT Y FROM A"])
    assert json.loads(first.records) == [{"Id": ID}]  # type: ignore[union-attr] # a page, as scripted
    assert isinstance(second, errors.InvalidRequest)
    assert isinstance(third, errors.QueryTooLong)
    sent = json.loads(double.requests[0].body)["compositeRequest"]
    assert [one["method"] for one in sent] == ["GET"] * 3
    assert sent[1]["url"] == f"{BASE}/query?q=SELECT%20X%20FROM%20A"
    for wrong in ([], ["SELECT Id FROM A"] * 6):
        with pytest.raises(ValueError, match="1 to 5"):
            await salesforce.query.raw_pages(wrong)
    assert len(double.requests) == 1
