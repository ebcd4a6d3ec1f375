"""Undo where stamps cannot tell: changes made in the second in which the load wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orgbridge.wiring.hosting import OrgControl
from tests.integration.test_sequels import _csv, _load, _query, _results
from tests.support.local_house import LocalHouse, house

__all__ = ["house"]


def _undone(house: LocalHouse, job_id: str) -> list[str]:
    with house.client() as client:
        made = client.post(f"/bulk/job/{job_id}/undo")
        assert made.status_code == 202, made.text
        assert house.wait(made.json()["job_id"])["ended"]
        return [row["ob__error_code"] for row in _results(client, made.json()["job_id"])]


@pytest.mark.parametrize("operation", ["insert", "update"])
def test_pain_38_a_change_in_the_second_of_the_load_itself_is_not_undone(house: LocalHouse, operation: str) -> None:
    """With the org's clock standing still every stamp is the same; the value tells, and the record is left alone."""
    org = OrgControl(url=json.loads((house.folder / "cli.json").read_text())["org_url"])
    rows = [{"Name": f"Still {operation} {n}", "Site": "first", "AnnualRevenue": "1000"} for n in range(4)]
    first = _load(house, _csv(*rows), "insert")
    with house.client() as client:
        ids = [row["sf__Id"] for row in _results(client, first["job_id"])]
        org.clock(frozen=True)
        try:
            if operation == "insert":
                first = _load(house, _csv(*rows), "insert")
                ids = [row["sf__Id"] for row in _results(client, first["job_id"])]
            else:
                again = [{"Id": one, "Site": "second", "AnnualRevenue": "2000.5"} for one in ids]
                first = _load(house, _csv(*again), "update", before_images="true")
            body: dict[str, Any] = {"object_name": "Account", "record_id": ids[2], "data": {"Site": "by hand"}}
            assert client.patch("/records/update", json=body).status_code == 200
            stamps = _query(client, f"SELECT SystemModstamp FROM Account WHERE Name LIKE 'Still {operation} %'")
            assert operation == "insert" or len({one["SystemModstamp"] for one in stamps}) == 1
            assert _undone(house, first["job_id"]) == ["", "", "undo.value_differs", ""]
        finally:
            org.clock(restart=True)
        found = _query(client, f"SELECT Id, Site FROM Account WHERE Id IN ('{ids[2]}', '{ids[0]}')")
    left = {one["Id"]: one["Site"] for one in found}
    assert left[ids[2]] == "by hand"
    assert left.get(ids[0]) == (None if operation == "insert" else "first")
