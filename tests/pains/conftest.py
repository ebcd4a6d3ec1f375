"""One running house, its org's controls and a few words for all tests of this folder."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from orgbridge.wiring.hosting import OrgControl
from tests.support.local_house import LocalHouse, start_house, stop_house

_tags = itertools.count()


@dataclass(frozen=True, slots=True)
class Pains:
    """A running house and what these tests do with it."""

    house: LocalHouse
    #: Its org.
    org: OrgControl

    def tag(self) -> str:
        """Return a word that no other test uses for its rows."""
        return f"P{next(_tags)}x"

    def submit(self, content: bytes, operation: str = "insert", **params: Any) -> dict[str, Any]:
        """Hand in a load of accounts and return the service's answer."""
        asked = {"object_name": "Account", "operation_type": operation, "filename": "in.csv", **params}
        with self.house.client() as client:
            reply = client.put("/bulk/dml-file-upload", params=asked, content=content)
        assert reply.status_code == 202, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    def load(self, content: bytes, operation: str = "insert", **params: Any) -> dict[str, Any]:
        """Load accounts, and return the receipt of the ended load with its `job_id`."""
        job_id = self.submit(content, operation, **params)["job_id"]
        status = self.house.wait(job_id)
        assert status["state"] == "JobComplete", status
        with self.house.client() as client:
            receipt: dict[str, Any] = client.get(f"/bulk/job/{job_id}/receipt").json()
        assert receipt["balanced"], receipt["mismatches"]
        return {**receipt, "job_id": job_id}

    def results(self, job_id: str, kind: str = "all") -> bytes:
        """Return a results file."""
        with self.house.client() as client:
            return client.get(f"/bulk/job/{job_id}/results/{kind}").content

    def rows(self, job_id: str, delimiter: str = ",") -> list[dict[str, str]]:
        """Return the rows of a results file."""
        text = self.results(job_id).decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))

    def query(self, soql: str) -> list[dict[str, Any]]:
        """Return every record of a query, streamed."""
        with self.house.client() as client:
            reply = client.post("/query", json={"q": soql}, headers={"Accept": "application/x-ndjson"})
        assert reply.status_code == 200, reply.text
        return [json.loads(line) for line in reply.text.splitlines()]


@pytest.fixture(scope="session")
def pains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pains]:
    """Give the house to every test of this folder."""
    house = start_house(tmp_path_factory.mktemp("pains"))
    org_url = json.loads((house.folder / "cli.json").read_text())["org_url"]
    yield Pains(house, OrgControl(url=org_url))
    stop_house(house)
