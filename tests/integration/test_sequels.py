"""Retry, undo, delta and the error catalogue, from HTTP to the emulated org and back."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.local_house import LocalHouse, house

__all__ = ["house"]
_tags = itertools.count()


def _csv(*rows: dict[str, str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _load(house: LocalHouse, content: bytes, operation: str, **params: Any) -> dict[str, Any]:
    """Load accounts and return the ended status."""
    asked = {"object_name": "Account", "operation_type": operation, "filename": "accounts.csv", **params}
    with house.client() as client:
        reply = client.put("/bulk/dml-file-upload", params=asked, content=content)
    assert reply.status_code == 202, reply.text
    return house.wait(reply.json()["job_id"])


def _receipt(client: httpx2.Client, job_id: str) -> dict[str, Any]:
    receipt: dict[str, Any] = client.get(f"/bulk/job/{job_id}/receipt").json()
    assert receipt["balanced"], receipt["mismatches"]
    return receipt


def _results(client: httpx2.Client, job_id: str) -> list[dict[str, str]]:
    reply = client.get(f"/bulk/job/{job_id}/results/all")
    return list(csv.DictReader(io.StringIO(reply.text, newline="")))


def _query(client: httpx2.Client, soql: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = client.post("/query", json={"q": soql}).json()["records"]
    return records


def _tag() -> str:
    return f"T{next(_tags)}x"


def _change_later(client: httpx2.Client, record_id: str, *, than: str) -> None:
    """Change a record until the change is two seconds later than another record: stamps have whole seconds."""
    stamps: dict[str, dt.datetime] = {}
    while not stamps or stamps[record_id] - stamps[than] < dt.timedelta(seconds=2):
        body = {"object_name": "Account", "record_id": record_id, "data": {"Site": "mine"}}
        changed = client.patch("/records/update", json=body)
        assert changed.status_code == 200, changed.text
        found = _query(client, f"SELECT Id, SystemModstamp FROM Account WHERE Id IN ('{record_id}', '{than}')")
        stamps = {row["Id"]: dt.datetime.fromisoformat(row["SystemModstamp"]) for row in found}


def test_pain_15_failed_rows_are_loaded_again_by_one_call(house: LocalHouse) -> None:
    """The retry holds exactly the failed rows, both jobs know each other, and nobody can retry twice."""
    tag = _tag()
    rows = [{"Name": "" if number % 3 == 0 else f"{tag}{number}", "Site": f'a "{number}"\nb'} for number in range(9)]
    first = _load(house, _csv(*rows), "insert")
    assert (first["records_processed"], first["records_failed"]) == (9, 3)
    with house.client() as client:
        made = client.post(f"/bulk/job/{first['job_id']}/retry")
        assert made.status_code == 202, made.text
        again = house.wait(made.json()["job_id"])
        receipt = _receipt(client, again["job_id"])
        assert receipt["rows"]["read"] == receipt["rows"]["failed"] == 3
        assert receipt["links"] == {"retry_of": first["job_id"]}
        assert [row["Site"] for row in _results(client, again["job_id"])] == [rows[n]["Site"] for n in (0, 3, 6)]
        status = client.get(f"/bulk/job/{first['job_id']}/status").json()
        assert status["job_info_details"]["links"] == {"retried_by": again["job_id"]}
        twice = client.post(f"/bulk/job/{first['job_id']}/retry")
        assert (twice.status_code, twice.json()["code"]) == (409, "load.sequel_exists")
        none = client.post(f"/bulk/job/{again['job_id']}/retry", params={"rows": "unprocessed"})
        assert (none.status_code, none.json()["code"]) == (409, "load.nothing_to_do")


def test_pain_38_an_insert_is_undone_and_records_changed_since_stay(house: LocalHouse) -> None:
    """Undo deletes what the load made; what somebody changed or deleted since is refused and listed."""
    tag = _tag()
    first = _load(house, _csv(*({"Name": f"{tag}{number}", "Site": "x"} for number in range(6))), "insert")
    with house.client() as client:
        ids = [row["sf__Id"] for row in _results(client, first["job_id"])]
        _change_later(client, ids[1], than=ids[0])
        assert client.delete(f"/records/Account/{ids[4]}").status_code == 200
        made = client.post(f"/bulk/job/{first['job_id']}/undo")
        assert made.status_code == 202, made.text
        undo = house.wait(made.json()["job_id"])
        receipt = _receipt(client, undo["job_id"])
        assert receipt["links"] == {"undo_of": first["job_id"]}
        assert {name: receipt["rows"][name] for name in ("read", "sent", "succeeded", "unprocessed")} == {
            "read": 6, "sent": 4, "succeeded": 4, "unprocessed": 2,
        }  # fmt: skip
        codes = [row["ob__error_code"] for row in _results(client, undo["job_id"])]
        assert codes == ["", "undo.changed_since", "", "", "undo.record_gone", ""]
        assert [row["Id"] for row in _query(client, f"SELECT Id FROM Account WHERE Name LIKE '{tag}%'")] == [ids[1]]
        twice = client.post(f"/bulk/job/{first['job_id']}/undo")
        assert (twice.status_code, twice.json()["code"]) == (409, "load.sequel_exists")


def test_pain_38_an_upsert_is_undone_both_ways(house: LocalHouse) -> None:
    """Created records are deleted; updated ones have their former values again, blanks too."""
    tag = _tag()
    before = [
        {"External_Id__c": f"{tag}{n}", "Name": f"{tag} old {n}", "Site": "" if n else 'says "old"\nline'}
        for n in range(3)
    ]
    _load(house, _csv(*before), "upsert", external_id_field="External_Id__c")
    after = [{"External_Id__c": f"{tag}{n}", "Name": f"{tag} new {n}", "Site": "new"} for n in range(5)]
    second = _load(house, _csv(*after), "upsert", external_id_field="External_Id__c")
    with house.client() as client:
        made = client.post(f"/bulk/job/{second['job_id']}/undo").json()
        assert made["rows_without_before_image"] == 0
        assert len(made["job_ids"]) == 2
        for job_id in made["job_ids"]:
            assert house.wait(job_id)["state"] == "JobComplete"
            _receipt(client, job_id)
        fields = "External_Id__c, Name, Site"
        records = _query(client, f"SELECT {fields} FROM Account WHERE Name LIKE '{tag}%' ORDER BY External_Id__c")
        assert [{name: record[name] or "" for name in before[0]} for record in records] == before


def test_pain_38_what_cannot_be_undone_says_so(house: LocalHouse) -> None:
    """A delete is refused with the way that there is; an update without before-images with how to have them."""
    tag = _tag()
    first = _load(house, _csv({"Name": f"{tag}1"}), "insert")
    with house.client() as client:
        record_id = _results(client, first["job_id"])[0]["sf__Id"]
        bare = _load(house, _csv({"Id": record_id, "Name": f"{tag}2"}), "update", before_images="false")
        refused = client.post(f"/bulk/job/{bare['job_id']}/undo").json()
        assert refused["code"] == "load.cannot_undo"
        assert "before_images=true" in refused["detail"]
        deleted = _load(house, _csv({"Id": record_id}), "delete")
        refused = client.post(f"/bulk/job/{deleted['job_id']}/undo").json()
        assert "recycle bin" in refused["detail"]


def test_a_delta_sends_only_rows_that_changed(house: LocalHouse) -> None:
    """Unchanged rows are skipped and accounted for; failed ones go again; a record missing in the org is noticed."""
    tag = _tag()
    options = {"external_id_field": "External_Id__c", "delta": "true", "delta_source": tag}
    rows = [{"External_Id__c": f"{tag}{n}", "Name": f"{tag} {n}", "Site": "a"} for n in range(10)]
    rows[9]["Name"] = ""
    first = _load(house, _csv(*rows), "upsert", **options)
    rows[3]["Site"] = "b"
    second = _load(house, _csv(*rows), "upsert", **options)
    with house.client() as client:
        assert _receipt(client, first["job_id"])["rows"]["skipped"] == 0
        receipt = _receipt(client, second["job_id"])
        figures = {"read": 10, "sent": 2, "refused": 0, "skipped": 8, "not_sent": 0}
        figures |= {"succeeded": 1, "failed": 1, "unprocessed": 0, "ambiguous": 0}
        assert receipt["rows"] == figures
        statuses = [row["ob__status"] for row in _results(client, second["job_id"])]
        assert statuses == ["skipped"] * 3 + ["succeeded"] + ["skipped"] * 5 + ["failed"]
        assert second["progress"]["skipped"] == 8
        third = _load(house, _csv(*rows[:9]), "upsert", **options)
        assert _receipt(client, third["job_id"])["rows"]["skipped"] == 9
        record = _query(client, f"SELECT Id FROM Account WHERE External_Id__c = '{tag}5'")[0]["Id"]
        assert client.delete(f"/records/Account/{record}").status_code == 200
        fourth = _load(house, _csv(*rows[:9]), "upsert", delta_verify="true", **options)
        receipt = _receipt(client, fourth["job_id"])
        assert (receipt["rows"]["sent"], receipt["rows"]["skipped"]) == (9, 0)
        assert "1 of 9 rows" in receipt["parts"][0]["warnings"][0]
        refused = client.put(
            "/bulk/dml-file-upload",
            params={"object_name": "Account", "operation_type": "insert", "delta": "true"},
            content=b"Name\na\n",
        )
        assert refused.status_code == 400


def test_a_delta_compares_what_a_mapping_sends(house: LocalHouse) -> None:
    """Rows are unchanged when what is sent is; another constant sends them all, and a refused row is never skipped."""
    tag = _tag()

    def load(rows: list[dict[str, str]], site: str) -> dict[str, Any]:
        mapping = {"columns": {"Code": "External_Id__c", "Firm": "Name"}, "constants": {"Site": site}}
        mapping["nulls"] = {"Firm": "error"}
        options = {"external_id_field": "External_Id__c", "delta": "true", "delta_source": tag}
        ended = _load(house, _csv(*rows), "upsert", mapping=json.dumps(mapping), **options)
        with house.client() as client:
            figures: dict[str, Any] = _receipt(client, ended["job_id"])["rows"]
        return figures | {"job_id": ended["job_id"]}

    def figures(found: dict[str, Any]) -> tuple[int, ...]:
        return tuple(found[name] for name in ("sent", "refused", "skipped", "not_sent", "succeeded", "failed"))

    rows = [{"Firm": f"{tag} {n}", "Code": f"{tag}{n}"} for n in range(8)]
    rows[7]["Firm"] = ""
    assert figures(load(rows, "a")) == (7, 1, 0, 0, 7, 1)
    rows[2]["Firm"] = f"{tag} new"
    again = load(rows, "a")
    assert figures(again) == (1, 1, 6, 0, 1, 1)
    with house.client() as client:
        found = _results(client, again["job_id"])
        assert [row["ob__status"] for row in found] == [
            *["skipped"] * 2, "succeeded", *["skipped"] * 4, "failed",
        ]  # fmt: skip
        assert (found[7]["ob__error_code"], found[7]["ob__error_fields"]) == ("BLANK_VALUE", "Name")
        assert [row["Code"] for row in found] == [row["Code"] for row in rows]
    assert figures(load(rows, "b")) == (7, 1, 0, 0, 7, 1)
    with house.client() as client:
        sites = _query(client, f"SELECT Site FROM Account WHERE External_Id__c LIKE '{tag}%'")
    assert {record["Site"] for record in sites} == {"b"}


def test_a_mapped_update_is_undone_and_its_refused_rows_are_retried_as_they_were_sent(house: LocalHouse) -> None:
    """Before-images are of the fields that were sent; a retry of a mapped load is mapped again."""
    tag = _tag()
    made = _load(house, _csv(*({"Name": f"{tag}{n}", "NumberOfEmployees": str(n)} for n in range(4))), "insert")
    with house.client() as client:
        ids = [row["sf__Id"] for row in _results(client, made["job_id"])]
        rows = [{"Key": found, "Staff": "1.000" if n else "many"} for n, found in enumerate(ids)]
        mapping = json.dumps({"columns": {"Key": "Id", "Staff": "NumberOfEmployees"}, "constants": {"Site": "new"}})
        load = _load(house, _csv(*rows), "update", mapping=mapping, decimal_mark=",")
        receipt = _receipt(client, load["job_id"])
        assert [receipt["rows"][name] for name in ("sent", "refused", "succeeded", "failed")] == [3, 1, 3, 1]
        assert receipt["errors"][0]["code"] == "BAD_NUMBER"
        assert "decimal_mark" in receipt["errors"][0]["remedy"]
        soql = f"SELECT Name, NumberOfEmployees, Site FROM Account WHERE Name LIKE '{tag}%' ORDER BY Name"
        changed = [(record["NumberOfEmployees"], record["Site"]) for record in _query(client, soql)]
        assert changed == [(0, None), *[(1000, "new")] * 3]
        retry = client.post(f"/bulk/job/{load['job_id']}/retry")
        assert retry.status_code == 202, retry.text
        again = _receipt(client, house.wait(retry.json()["job_id"])["job_id"])
        assert [again["rows"][name] for name in ("read", "sent", "refused")] == [1, 0, 1]
        undone = client.post(f"/bulk/job/{load['job_id']}/undo")
        assert undone.status_code == 202, undone.text
        back = undone.json()
        house.wait(back["job_id"])
        restored = [(record["NumberOfEmployees"], record["Site"]) for record in _query(client, soql)]
        assert restored == [(n, None) for n in range(4)]


@pytest.mark.parametrize(
    ("code", "retry"), [("UNABLE_TO_LOCK_ROW", "safe"), ("required_field_missing", "never"), ("NO_RESULT", "unknown")]
)
def test_pain_15_every_code_is_explained(house: LocalHouse, code: str, retry: str) -> None:
    """Cause, remedy and whether to try again come by one call, whatever the letter case."""
    with house.client() as client:
        entry = client.get(f"/errors/{code}").json()
        assert entry["code"] == code.upper()
        assert entry["cause"]
        assert entry["remedy"]
        assert entry["retry"] == retry
        assert client.get("/errors/NO_SUCH_CODE").status_code == 404
        assert len(client.get("/errors").json()["errors"]) >= 60


def test_results_and_failed_rows_lie_where_other_programs_look(house: LocalHouse) -> None:
    """Both files carry the input's name, made safe, and the load's id; the failed rows can be loaded as they are."""
    tag = _tag()
    content = _csv({"Name": f"{tag}1", "Site": "a"}, {"Name": "", "Site": "b"})
    load = _load(house, content, "insert", filename="../..\\evil name;rm.csv")
    with house.client() as client:
        receipt = _receipt(client, load["job_id"])
        whole = client.get(f"/bulk/job/{load['job_id']}/results/all").content
    results, failed = receipt["published"]
    assert results == f"evil-name-rm-{load['job_id']}-results.csv"
    assert (house.folder / "output" / results).read_bytes() == whole
    assert Path(house.folder / "failed" / failed).read_bytes() == b"Name,Site\n,b\n"
