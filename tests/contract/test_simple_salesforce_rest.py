"""simple-salesforce over REST: describes, queries in all forms, search, tooling, limits, and `restful`."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id, format_soql

from tests.support.emulator_server import EmulatorServer
from tests.support.rerouting import emulator_session

KEY = "External_Id__c"


def make(simple: Salesforce, name: str, count: int) -> list[str]:
    """Create accounts `{name} 000` and so on by collections, and return their ids."""
    ids: list[str] = []
    for start in range(0, count, 200):
        rows = [{"attributes": {"type": "Account"}, "Name": f"{name} {n:03}"} for n in range(start, start + 200)]
        made = simple.restful("composite/sobjects", method="POST", json={"records": rows[: count - start]})
        ids += [row["id"] for row in made]
    return ids


def test_describe_names_every_object_and_its_addresses(simple: Salesforce) -> None:
    """The global describe leads to the describe of one object."""
    told = simple.describe()
    assert told["maxBatchSize"] == 200
    item = next(one for one in told["sobjects"] if one["name"] == "Account")
    assert item["keyPrefix"] == "001"
    path = item["urls"]["describe"].split("/v62.0/")[1]
    assert simple.restful(path)["fields"] == simple.Account.describe()["fields"]
    assert simple.is_sandbox() is False


def test_metadata_shows_recent_rows_and_describe_takes_headers(simple: Salesforce) -> None:
    """A row that was just made is among the recent ones, and `If-Modified-Since` reaches the org."""
    record_id = simple.Account.create({"Name": "Seen"})["id"]
    info = simple.Account.metadata()
    assert info["objectDescribe"]["name"] == "Account"
    assert record_id in [item["Id"] for item in info["recentItems"]]
    with pytest.raises(Exception, match="304"):
        simple.Account.describe(headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})


def test_a_layout_belongs_to_a_record_type(simple: Salesforce) -> None:
    """`describe_layout` of the master record type shows fields, of an unknown one nothing."""
    layout = simple.Account.describe_layout("012000000000000AAA")
    rows = layout["detailLayoutSections"][0]["layoutRows"]
    shown = {part["value"] for row in rows for item in row["layoutItems"] for part in item["layoutComponents"]}
    assert shown >= {"Name", "BillingCity"}
    with pytest.raises(SalesforceResourceNotFound):
        simple.Account.describe_layout("012000000000001AAA")


def test_queries_come_in_pages_in_every_form(simple: Salesforce) -> None:
    """`query_more` by address and by id, `query_all` and its iterator bring each row once."""
    ids = make(simple, "Paged", 450)
    soql = "SELECT Id FROM Account WHERE Name LIKE 'Paged %' ORDER BY Name"
    small = {"headers": {"Sforce-Query-Options": "batchSize=200"}}
    first = simple.query(soql, **small)
    assert (first["totalSize"], len(first["records"]), first["done"]) == (450, 200, False)
    second = simple.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    third = simple.query_more(second["nextRecordsUrl"].rpartition("/")[2])
    assert third["done"] is True
    pages = [row["Id"] for page in (first, second, third) for row in page["records"]]
    assert pages == ids
    assert [row["Id"] for row in simple.query_all(soql, **small)["records"]] == ids
    assert [row["Id"] for row in simple.query_all_iter(soql, **small)] == ids


def test_deleted_rows_are_found_when_they_are_asked_for(simple: Salesforce) -> None:
    """`include_deleted` finds deleted rows in each form of query, over pages as well."""
    ids = make(simple, "Binned", 201)
    for start in (0, 200):
        simple.restful("composite/sobjects", {"ids": ",".join(ids[start : start + 200])}, method="DELETE")
    soql = "SELECT Id, IsDeleted FROM Account WHERE Name LIKE 'Binned %' ORDER BY Name"
    assert simple.query(soql)["totalSize"] == 0
    first = simple.query(soql, include_deleted=True, headers={"Sforce-Query-Options": "batchSize=200"})
    more = simple.query_more(first["nextRecordsUrl"].rpartition("/")[2], include_deleted=True)
    assert [row["Id"] for row in first["records"] + more["records"]] == ids
    assert {row["IsDeleted"] for row in simple.query_all_iter(soql, include_deleted=True)} == {True}
    assert simple.query_all(soql, include_deleted=True)["totalSize"] == 201


def test_values_written_by_the_formatter_find_their_rows(simple: Salesforce) -> None:
    """Quotes, backslashes, lines, wildcards, dates, lists, null and booleans survive the way into SOQL."""
    odd = 'O\'Neil \\ "50%_"\nSüd'
    made = simple.Account.create({"Name": "Formatted", "Description": odd, "Site": odd.replace("\n", " ")})
    soql = "SELECT Id FROM Account WHERE Site = {} AND Name IN {} AND ParentId = {} AND IsDeleted = {}"
    found = simple.query(format_soql(soql, odd.replace("\n", " "), ["Formatted", "x"], None, False))
    assert [row["Id"] for row in found["records"]] == [made["id"]]
    soql = "SELECT Id FROM Account WHERE Site LIKE '%{:like}%' AND CreatedDate > {} AND NumberOfEmployees = {}"
    simple.Account.update(made["id"], {"NumberOfEmployees": 7})
    day = datetime(2020, 1, 1, tzinfo=UTC)
    assert simple.query(format_soql(soql, "50%_", day, 7))["totalSize"] == 1
    assert simple.query(format_soql(soql, "5%_", day, 7))["totalSize"] == 0
    soql = "SELECT Id FROM Opportunity WHERE CloseDate = {} ORDER BY {:literal}"
    assert simple.query(format_soql(soql, date(2031, 2, 3), "Name"))["totalSize"] == 0


def test_external_ids_written_by_the_formatter_name_one_row(simple: Salesforce) -> None:
    """A key with a slash, a blank, a plus and a percent sign makes one row, which is read by it and by `get`."""
    key = "a/b c+d%20"
    path = format_external_id(KEY, key)
    assert simple.Account.upsert(path, {"Name": "Odd key"}) == 201
    assert simple.Account.upsert(path, {"Name": "Odd key 2"}) == 200
    assert simple.Account.get(path)["Name"] == "Odd key 2"
    assert simple.query(format_soql(f"SELECT COUNT() FROM Account WHERE {KEY} = {{}}", key))["totalSize"] == 1


def test_searches_find_rows_by_words(simple: Salesforce) -> None:
    """A whole SOSL search returns the fields it names; a quick search finds the same row."""
    made = simple.Contact.create({"LastName": "Quetzalcoatl", "FirstName": "Ana"})
    found = simple.search("FIND {Quetzalcoatl} IN NAME FIELDS RETURNING Contact(Id, FirstName)")
    rows = found["searchRecords"]
    assert [(row["attributes"]["type"], row["Id"], row["FirstName"]) for row in rows] == [
        ("Contact", made["id"], "Ana")
    ]
    assert [row["Id"] for row in simple.quick_search("Quetzalcoatl")["searchRecords"]] == [made["id"]]
    assert simple.quick_search("Nobodyhasthisname")["searchRecords"] == []
    with pytest.raises(SalesforceMalformedRequest, match="MALFORMED_SEARCH"):
        simple.search("FIND")


def test_limits_and_usage_count_calls(simple: Salesforce) -> None:
    """Each call takes one off the day's calls, and both places where the client learns of it agree."""
    before = simple.limits()["DailyApiRequests"]
    simple.query("SELECT Id FROM Account LIMIT 1")
    after = simple.limits()["DailyApiRequests"]
    assert before["Remaining"] - after["Remaining"] >= 2
    assert simple.api_usage["api-usage"].total == after["Max"]
    accounts = simple.Account
    accounts.metadata()
    assert accounts.api_usage["api-usage"].used >= simple.api_usage["api-usage"].used


def test_tooling_tells_of_objects_and_fields(simple: Salesforce) -> None:
    """`toolingexecute` queries definitions and describes them; without data it sends no body."""
    soql = "SELECT QualifiedApiName, DataType FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Account'"
    found = simple.toolingexecute("query/", params={"q": soql})
    assert KEY in [row["QualifiedApiName"] for row in found["records"]]
    names = [one["name"] for one in simple.toolingexecute("sobjects/")["sobjects"]]
    assert {"EntityDefinition", "FieldDefinition"} <= set(names)
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_TYPE"):
        simple.toolingexecute("query/", params={"q": "SELECT Id FROM ApexClass"})


def test_restful_reaches_the_rest_of_the_api(simple: Salesforce) -> None:
    """Any address, method, parameter and body gets through; an empty reply is None."""
    made = simple.restful("sobjects/Account", method="POST", json={"Name": "Restful"})
    assert simple.restful(f"sobjects/Account/{made['id']}", {"fields": "Name"})["Name"] == "Restful"
    assert simple.restful(f"sobjects/Account/{made['id']}", method="PATCH", json={"Site": "x"}) is None
    counted = simple.restful("limits/recordCount", {"sObjects": "Account"})["sObjects"]
    assert counted[0]["name"] == "Account"
    tree = {"records": [{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "Tree"}]}
    assert simple.restful("composite/tree/Account", method="POST", json=tree)["hasErrors"] is False
    with pytest.raises(SalesforceResourceNotFound, match="NOT_FOUND"):
        simple.restful("no/such/place")


def test_a_password_that_was_set_is_the_one_to_sign_in_with(emulator: EmulatorServer, simple: Salesforce) -> None:
    """`set_password` changes what SOAP login accepts; a password that is too short is refused."""
    profile = simple.query("SELECT Id FROM Profile WHERE Name = 'System Administrator'")["records"][0]["Id"]
    row = {
        "Username": "simple.new@local.org",
        "LastName": "New",
        "Email": "new@local.org",
        "Alias": "new",
        "TimeZoneSidKey": "GMT",
        "LocaleSidKey": "en_US",
        "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US",
        "ProfileId": profile,
    }
    user_id = simple.User.create(row)["id"]
    assert simple.set_password(user_id, "Geheim12345") is None
    with emulator_session(emulator.url) as session:
        person = {"username": row["Username"], "password": "Geheim12345", "security_token": ""}
        sf = Salesforce(session=session, version="62.0", **person)
        assert sf.oauth2("userinfo")["user_id"] == user_id
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_NEW_PASSWORD"):
        simple.set_password(user_id, "x")


def test_calls_beyond_the_limit_are_refused_as_such(emulator: EmulatorServer, simple: Salesforce) -> None:
    """A spent day is a 403 with its code, and the next call works again."""
    emulator.fault(kind="request_limit", times=1)
    with pytest.raises(SalesforceRefusedRequest, match="REQUEST_LIMIT_EXCEEDED"):
        simple.query("SELECT Id FROM Account LIMIT 1")
    assert simple.query("SELECT Id FROM Account LIMIT 1")["done"] is True
