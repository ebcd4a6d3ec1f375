"""Documents of machines over the API: rights, ETags, pages, batches, the audit; on SQLite and on Cosmos DB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.support.cosmos_server import cosmos_server
from tests.support.local_house import LocalHouse, start_house, stop_house

_PASSWORD = "correct horse battery"
_ASSET = "02i000000000001AAA"
_SCOPES = ["machines:read", "machines:write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running house with two organizations, a machine of an Asset in each plant, and a way to make callers."""

    house: LocalHouse
    #: Ids by name: org_a, org_b, plant_a1, plant_a2, machine_a1, machine_a2, machine_b1.
    ids: Mapping[str, str]

    def path(self, organization: str, machine: str, rest: str = "") -> str:
        """Return the address of a machine's documents; a name that is no name of ours stands for itself."""
        org, unit = (self.ids.get(name, name) for name in (organization, machine))
        return f"/salesforce_machines/{org}/{unit}/documents{rest}"

    def fresh(self, letter: str) -> str:
        """Return the address of the documents of a new machine without an Asset, in the first plant."""
        org, plant = self.ids[f"org_{letter}"], self.ids[f"plant_{letter}1"]
        with self.house.client() as admin:
            name = f"Machine {uuid4().hex[:8]}"
            return self.path(org, _post(admin, f"/organizations/{org}/plants/{plant}/machines", name=name))

    def caller(self, name: str, scopes: list[str] = _SCOPES, **grants: Any) -> httpx2.Client:
        """Return a client of a new user who is granted places by their names."""
        with self.house.client() as admin:
            made = admin.post("/users", json={"username": name, "password": _PASSWORD, "scopes": scopes})
            assert made.status_code == 201, made.text
            named = {
                kind: granted if granted == "*" else [self.ids[one] for one in granted]
                for kind, granted in {"organizations": [], "plants": [], "machines": [], **grants}.items()
            }
            address = f"/users/{made.json()['id']}/grants"
            before = admin.get(address)
            done = admin.put(address, json=named, headers={"If-Match": before.headers.get("ETag", "*")})
            assert done.status_code == 200, done.text
        form = {"grant_type": "password", "username": name, "password": _PASSWORD}
        token = httpx2.post(f"{self.house.url}/token", data=form, timeout=30)
        assert token.status_code == 200, token.text
        return self.house.client(token.json()["access_token"])


def _post(admin: httpx2.Client, path: str, **values: Any) -> str:
    made = admin.post(path, json=values)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def _site(house: LocalHouse) -> Site:
    ids: dict[str, str] = {}
    with house.client() as admin:
        for letter in "ab":
            org = ids[f"org_{letter}"] = _post(admin, "/organizations", name=f"Organization {letter}")
            for number in (1, 2):
                plants = f"/organizations/{org}/plants"
                plant = ids[f"plant_{letter}{number}"] = _post(admin, plants, name=f"Plant {number}")
                more = {"asset_id": _ASSET} if (letter, number) == ("a", 1) else {}
                machine = _post(admin, f"{plants}/{plant}/machines", name=f"Machine {number}", **more)
                ids[f"machine_{letter}{number}"] = machine
    return Site(house=house, ids=ids)


@pytest.fixture(scope="module", params=["sqlite", "cosmos"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a running house that keeps documents in its database, then one that keeps them in Cosmos DB."""
    folder = tmp_path_factory.mktemp("house")
    if request.param == "sqlite":
        house = start_house(folder)
        yield _site(house)
        stop_house(house)
        return
    with cosmos_server(folder) as server:
        house = start_house(folder, server.settings())
        assert httpx2.get(f"{house.url}/health", timeout=30).json()["documents"] == "cosmos"
        yield _site(house)
        assert server.turn()["requests"] > 0, "the documents went elsewhere"
        stop_house(house)


def test_a_document_goes_its_whole_way(site: Site) -> None:
    """Made, listed, read, replaced under its ETag, refused under the old one, deleted, gone."""
    path = site.fresh("a")
    with site.house.client() as client:
        made = client.post(path, json={"kind": "note", "body": {"text": "Belt changed, Müller"}, "id": "first"})
        assert made.status_code == 201, made.text
        assert made.headers["Location"].endswith(f"{path}/first")
        assert made.headers["ETag"] == f'"{made.json()["etag"]}"'
        assert made.json()["machine_id"] == path.split("/")[3]
        assert client.get(path).json()["documents"] == [made.json()]
        again = client.post(path, json={"kind": "note", "body": {}, "id": "first"})
        assert (again.status_code, again.json()["code"]) == (409, "document.exists")
        change = {"kind": "note", "body": {"text": "Belt changed twice"}, "recorded_at": "2026-01-01T00:00:00Z"}
        assert client.put(f"{path}/first", json=change).status_code == 428
        done = client.put(f"{path}/first", json=change, headers={"If-Match": made.headers["ETag"]})
        assert (done.status_code, done.json()["created_at"]) == (200, made.json()["created_at"])
        stale = client.put(f"{path}/first", json=change, headers={"If-Match": made.headers["ETag"]})
        assert (stale.status_code, stale.json()["code"]) == (412, "document.stale")
        assert stale.json()["errors"][0]["etag"] == done.json()["etag"]
        assert client.delete(f"{path}/first", headers={"If-Match": made.headers["ETag"]}).status_code == 412
        seen = client.get(f"{path}/first")
        assert (seen.json(), seen.headers["ETag"]) == (done.json(), done.headers["ETag"])
        assert client.delete(f"{path}/first", headers={"If-Match": seen.headers["ETag"]}).status_code == 204
        gone = client.get(f"{path}/first")
        assert (gone.status_code, gone.json()["code"]) == (404, "document.not_found")


def test_both_names_of_a_machine_lead_to_its_documents(site: Site) -> None:
    """Its own id, and its Asset's of 15 or 18 characters, are one machine."""
    with site.house.client() as client:
        made = client.post(site.path("org_a", _ASSET), json={"kind": "kpi", "body": {"oee": 0.81}})
        assert (made.status_code, made.json().get("machine_id")) == (201, _ASSET)
        for name in ("machine_a1", _ASSET[:15]):
            assert client.get(site.path("org_a", name, f"/{made.json()['id']}")).json() == made.json()


def test_a_batch_tells_of_each_and_pages_lead_through_all(site: Site) -> None:
    """Good ones are written and a bad one is not; sealed cursors lead through the window, for their caller only."""
    path = site.fresh("a")
    readings = [
        {
            "id": f"r{number}",
            "kind": "telemetry",
            "recorded_at": f"2026-02-01T00:00:{number:02}Z",
            "body": {"n": number},
        }
        for number in range(10)
    ]
    readings.append({"id": "big", "kind": "telemetry", "body": {"n": 9_007_199_254_740_993}})
    with site.house.client() as client:
        reply = client.post(f"{path}/batch", json={"documents": readings})
        assert reply.status_code == 200, reply.text
        told = reply.json()
        assert (told["success"], told["written"], told["not_written"], told["unknown"]) == (False, 10, 1, 0)
        assert (told["results"][-1]["outcome"], told["results"][-1]["code"]) == ("refused", "document.invalid")
        assert (
            client.post(f"{path}/batch", json={"documents": readings[:3]}).json()["results"][0]["outcome"] == "updated"
        )
        params = {"kind": "telemetry", "since": "2026-02-01T00:00:02Z", "until": "2026-02-01T00:00:09Z", "limit": 3}
        found, cursor = [], ""
        while cursor is not None:
            page = client.get(path, params={**params, **({"cursor": cursor} if cursor else {})}).json()
            found += [one["id"] for one in page["documents"]]
            last, cursor = cursor, page["next_cursor"]
        assert found == ["r8", "r7", "r6", "r5", "r4", "r3", "r2"]
        oldest = client.get(path, params={**params, "order": "oldest"}).json()["documents"]
        assert [one["id"] for one in oldest] == ["r2", "r3", "r4"]
        wrong = client.get(path, params={**params, "kind": "kpi", "cursor": last})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "page.cursor_invalid")
        assert client.get(site.path("org_a", "machine_a1"), params={**params, "cursor": last}).status_code == 400
        backwards = client.get(path, params={"since": "2026-02-02T00:00:00Z", "until": "2026-02-01T00:00:00Z"})
        assert backwards.status_code == 400
    with site.caller("pages", organizations=["org_a"]) as other:
        assert other.get(path, params={**params, "cursor": last}).status_code == 400
        assert len(other.get(path, params=params).json()["documents"]) == 3


def test_grants_decide_whose_documents_are_seen(site: Site) -> None:
    """Organization, plant or machine: each grant shows what lies in it; what else there is stays untold."""
    document = {"kind": "note", "body": {}}
    with site.caller("by-organization", organizations=["org_a"]) as client:
        for machine in ("machine_a1", "machine_a2"):
            assert client.post(site.path("org_a", machine), json=document).status_code == 201
        assert client.get(site.path("org_b", "machine_b1")).json()["code"] == "account.not_granted"
        assert client.get(site.path("org_b", "machine_none")).status_code == 403
        assert client.get(site.path("org_a", "machine_b1")).status_code == 404
        assert client.get(site.path("org_a", "machine_none")).json()["code"] == "machine.not_found"
        assert client.get(site.path("org_none", "machine_a1")).json()["code"] == "account.organization_not_found"
    with site.caller("by-plant", plants=["plant_a2"]) as client:
        assert client.get(site.path("org_a", "machine_a2")).status_code == 200
        assert client.get(site.path("org_a", "machine_a1")).json()["code"] == "machine.not_found"
        assert client.get(site.path("org_b", "machine_b1")).status_code == 403
    with site.caller("by-machine", machines=["machine_a1"]) as client:
        assert client.get(site.path("org_a", _ASSET)).status_code == 200
        assert client.get(site.path("org_a", "machine_a2")).status_code == 404
    with site.caller("by-stars", organizations=["org_b"], plants="*", machines="*") as client:
        assert client.get(site.path("org_b", "machine_b2")).status_code == 200
        assert client.get(site.path("org_a", "machine_a1")).status_code == 403
    with site.caller("by-nothing") as client:
        assert client.get(site.path("org_a", "machine_a1")).status_code == 403


def test_scopes_part_reading_from_writing(site: Site) -> None:
    """machines:read lists and reads; without machines:write nothing is added, replaced or deleted."""
    path = site.path("org_a", "machine_a1")
    with site.caller("reader", ["machines:read"], organizations=["org_a"]) as client:
        assert client.get(path).status_code == 200
        for refused in (
            client.post(path, json={"kind": "note", "body": {}}),
            client.post(f"{path}/batch", json={"documents": [{"kind": "note", "body": {}}]}),
            client.put(f"{path}/x", json={"kind": "note", "body": {}}, headers={"If-Match": "*"}),
            client.delete(f"{path}/x", headers={"If-Match": "*"}),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "identity.scope_missing")


def test_bad_requests_are_told_and_change_nothing(site: Site) -> None:
    """Wrong shapes are 422, what cannot be kept is 400 or 413, and the list stays empty."""
    path = site.fresh("b")
    good = {"kind": "note", "body": {}}
    cases: list[tuple[dict[str, Any], int]] = [
        ({"kind": "a b", "body": {}}, 422),
        ({"kind": "note"}, 422),
        ({"kind": "note", "body": []}, 422),
        ({**good, "id": "a/b"}, 422),
        ({**good, "ttl_seconds": 0}, 422),
        ({**good, "other": 1}, 422),
        ({**good, "ttl_seconds": 5, "expires_at": "2030-01-01T00:00:00Z"}, 400),
        ({**good, "expires_at": "2020-01-01T00:00:00Z"}, 400),
        ({**good, "recorded_at": "0001-01-01T00:00:00+14:00"}, 400),
        ({"kind": "note", "body": {"text": "a\x00"}}, 400),
        ({"kind": "note", "body": {"text": "x" * 2_000_000}}, 413),
    ]
    with site.house.client() as client:
        for body, status in cases:
            reply = client.post(path, json=body)
            assert reply.status_code == status, (body.keys(), reply.text[:300])
        assert client.post(f"{path}/batch", json={"documents": []}).status_code == 422
        assert client.get(f"{path}/a b").status_code == 422
        assert client.get(path, params={"since": "0001-01-01T00:00:00+14:00"}).status_code == 400
        assert client.get(path).json() == {"documents": [], "next_cursor": None}


def test_what_was_done_to_documents_is_in_the_audit(site: Site) -> None:
    """Who added which document of which machine is written down, and never what it says."""
    path = site.path("org_a", "machine_a1")
    with site.caller("audited", organizations=["org_a"]) as client:
        made = client.post(path, json={"kind": "note", "body": {"text": "an unspeakable thing"}}).json()
        client.delete(f"{path}/{made['id']}", headers={"If-Match": "*"})
        assert client.get(site.path("org_b", "machine_b1")).status_code == 403
    with site.house.client() as admin:
        entries = admin.get("/audit", params={"actor": "audited"}).json()["entries"]
    told = [(entry["action"], entry["outcome"]) for entry in entries if entry["action"].startswith("machine_documents")]
    assert told == [
        ("machine_documents.document_page", "refused"),
        ("machine_documents.document_delete", "succeeded"),
        ("machine_documents.document_add", "succeeded"),
    ]
    added = next(entry for entry in entries if entry["action"] == "machine_documents.document_add")
    assert {made["id"], site.ids["org_a"]} <= set(added["ids"])
    assert "unspeakable" not in str(entries)


def test_a_repeated_request_under_one_key_adds_one_document(site: Site) -> None:
    """The same Idempotency-Key twice gives the same reply, and one document."""
    path = site.fresh("b")
    with site.house.client() as client:
        body, key = {"kind": "note", "body": {"n": 1}}, {"Idempotency-Key": "note-1"}
        first, second = (client.post(path, json=body, headers=key) for _ in range(2))
        assert (first.status_code, second.json()) == (201, first.json())
        assert [one["id"] for one in client.get(path).json()["documents"]] == [first.json()["id"]]


def test_health_names_the_store_and_its_state(site: Site) -> None:
    """The probe says which store it is and that it works; what it is made of, to administrators."""
    kind = httpx2.get(f"{site.house.url}/health", timeout=30).json()["documents"]
    with site.house.client() as client:
        check = client.get(f"{site.house.url}/health/ready").json()["checks"]["documents"]
    assert check == {"status": "ok", "detail": {"kind": kind}}
