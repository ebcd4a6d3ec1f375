"""Every load option with every way in: each pair runs a small load whose rows are all accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import obstore
import pytest

from orgbridge.store.files import open_objects
from tests.support.local_house import LocalHouse, start_house, stop_house
from tests.support.object_servers import ObjectServer, azure_server, s3_server

_ROWS = 5
_KEY = {"external_id_field": "External_Id__c"}
#: By name: the options, as JSON has them.
_OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "mapping": {"mapping": {"columns": {"Company": "Name"}}},
    "null_policy": {"null_policy": {"Phone": "clear", "*": "ignore"}},
    "canary": {"canary": 2, "max_failure_ratio": 0.5},
    "row_retry": {"row_retry": 1},
    "serial": {"serial": True},
    "group_by": {"group_by": "Site", "part_rows": 2},
    "before_images": {"before_images": True},
    "delta": {"delta": True, "delta_verify": True},
    "delta and group_by": {"delta": True, "group_by": "Site", "part_rows": 2},
    "part_rows": {"part_rows": 2},
    "strict": {"strict": True},
    "preflight": {"preflight": True},
    "decimal_mark": {"decimal_mark": ","},
    "dry_run": {"dry_run": True},
}
_WAYS = ("local path", "payload", "multipart", "raw body", "object")


@pytest.fixture(params=["s3", "az"], scope="module")
def storage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """Give each kind of storage in turn."""
    serve = s3_server if request.param == "s3" else azure_server
    with serve(tmp_path_factory.mktemp(str(request.param))) as server:
        yield server


@pytest.fixture(scope="module")
def house(storage: ObjectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHouse]:
    """Give a house that takes inputs from its folder and from the storage."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "input").mkdir()
    settings = {
        **storage.settings(storage.url()),
        "ORGBRIDGE_IMPORT_URLS": f"{storage.root}/in",
        "DATA_PATH_INPUT": str(folder / "input"),
        "ORGBRIDGE_RATE_LIMIT_BULK": "off",
    }
    running = start_house(folder, settings)
    yield running
    stop_house(running)


def _rows(tag: str, option: str) -> list[dict[str, str]]:
    name = "Company" if option == "mapping" else "Name"
    revenue = "1000,5" if option == "decimal_mark" else "1000.5"
    return [
        {name: f"{tag} {n}", "External_Id__c": f"{tag}-{n}", "Phone": "" if n else "1", "Site": f"s{n % 2}",
         "AnnualRevenue": revenue}
        for n in range(_ROWS)
    ]  # fmt: skip


def _csv(rows: list[dict[str, str]]) -> bytes:
    lines = [";".join(rows[0]), *(";".join(row.values()) for row in rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def _submit(house: LocalHouse, storage: ObjectServer, way: str, option: str, tag: str) -> dict[str, Any]:
    """Hand a load in and return the answer."""
    given = dict(_OPTIONS[option])
    if given.get("delta"):
        given["delta_source"] = tag
    rows, asked = _rows(tag, option), {"object_name": "Account", "operation_type": "upsert", **_KEY}
    content, name = _csv(rows), f"{tag}.csv"
    texts = {key: json.dumps(value) if isinstance(value, dict | bool) else str(value) for key, value in given.items()}
    if isinstance(given.get("null_policy"), dict):
        texts["null_policy"] = ",".join(f"{key}:{value}" for key, value in given["null_policy"].items())
    with house.client() as client:
        match way:
            case "local path":
                (house.folder.parent / "input" / name).write_bytes(content)
                reply = client.post("/bulk/local-file-process", json={**asked, "file_path": name, **given})
            case "object":
                obstore.put(open_objects(storage.root, storage.access), f"in/{name}", content)
                where = f"{storage.root}/in/{name}"
                reply = client.post("/bulk/local-file-process", json={**asked, "file_path": where, **given})
            case "payload":
                body = {"object_name": "Account", "operation": "upsert", **_KEY, "records": rows, **given}
                reply = client.post("/bulk/dml-direct-payload", json=body)
            case "multipart":
                files = {"file": (name, content, "text/csv")}
                reply = client.post("/bulk/dml-file-upload", data={**asked, **texts}, files=files)
            case _:
                params = {**asked, "filename": name, **texts}
                reply = client.put("/bulk/dml-file-upload", params=params, content=content)
    assert reply.status_code == (200 if option == "dry_run" else 202), (way, option, reply.text)
    answer: dict[str, Any] = reply.json()
    return answer


@pytest.mark.parametrize(
    ("storage", "way"),
    # The ways in but one do not differ by storage.
    [*(("s3", way) for way in _WAYS), ("az", "object")],
    indirect=["storage"],
)
def test_every_option_goes_with_every_way_in(house: LocalHouse, storage: ObjectServer, way: str) -> None:
    """Each option is taken from each input, does what it says, and the row equation holds."""
    scheme = urlsplit(storage.root).scheme
    tags = {option: f"{scheme}{_WAYS.index(way)}o{place}" for place, option in enumerate(_OPTIONS)}
    answers = {option: _submit(house, storage, way, option, tags[option]) for option in _OPTIONS}
    wrong = {}
    with house.client() as client:
        for option, answer in answers.items():
            if option == "dry_run":
                continue
            status = house.wait(answer["job_id"])
            receipt = client.get(f"/bulk/job/{answer['job_id']}/receipt").json()
            rows = receipt.get("rows") or {}
            seen = (status["state"], receipt.get("balanced"), rows.get("read"), rows.get("succeeded"))
            if seen != ("JobComplete", True, _ROWS, _ROWS):
                wrong[option] = (seen, status["error_message"])
        assert wrong == {}
        for option, tag in tags.items():
            soql = f"SELECT Name, Phone, AnnualRevenue FROM Account WHERE External_Id__c LIKE '{tag}-%'"
            found = client.post("/query", json={"q": soql}).json()["records"]
            assert len(found) == (0 if option == "dry_run" else _ROWS), option
            assert all(record["AnnualRevenue"] == 1000.5 for record in found), option


def test_delta_and_group_by_skip_what_did_not_change_and_keep_parents_together(
    house: LocalHouse, storage: ObjectServer
) -> None:
    """Grouped parts find their rows' baselines by line: only what changed is sent, in the input's order."""
    tag = f"dg{urlsplit(storage.root).scheme}"
    params = {
        "object_name": "Account", "operation_type": "upsert", **_KEY, "filename": "dg.csv", "delta": "true",
        "delta_source": tag, "group_by": "Site", "part_rows": 3,
    }  # fmt: skip

    def run(changed: set[int]) -> tuple[dict[str, int], list[str]]:
        lines = ["Name,External_Id__c,Site"]
        lines += [f"{tag} {n} {'new' if n in changed else 'old'},{tag}-{n},s{n % 4}" for n in range(20)]
        with house.client() as client:
            reply = client.put("/bulk/dml-file-upload", params=params, content="\n".join(lines).encode() + b"\n")
            assert reply.status_code == 202, reply.text
            job_id = reply.json()["job_id"]
            status = house.wait(job_id)
            assert status["state"] == "JobComplete", status
            receipt = client.get(f"/bulk/job/{job_id}/receipt").json()
            assert receipt["balanced"], receipt["mismatches"]
            results = client.get(f"/bulk/job/{job_id}/results/all").text.splitlines()
        rows = receipt["rows"]
        return {name: rows[name] for name in ("read", "sent", "succeeded", "skipped")}, results

    everything, _ = run(set())
    assert everything == {"read": 20, "sent": 20, "succeeded": 20, "skipped": 0}
    nothing, _ = run(set())
    assert nothing == {"read": 20, "sent": 0, "succeeded": 0, "skipped": 20}
    some, results = run({3, 7, 12})
    assert some == {"read": 20, "sent": 3, "succeeded": 3, "skipped": 17}
    assert [line.split(",")[0] for line in results[1:]] == [str(n) for n in range(2, 22)]
    assert [n for n, line in enumerate(results[1:]) if ",succeeded," in line] == [3, 7, 12]
    with house.client() as client:
        soql = f"SELECT Name FROM Account WHERE External_Id__c LIKE '{tag}-%'"
        names = {record["Name"] for record in client.post("/query", json={"q": soql}).json()["records"]}
    assert {name for name in names if name.endswith("new")} == {f"{tag} {n} new" for n in (3, 7, 12)}
