"""Loads whose input lies in S3 or Azure Blob, by the API and by the command, in a whole house."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import obstore
import pytest

from orgbridge.store.errors import SourceChanged
from orgbridge.store.files import LocalFiles, open_objects
from orgbridge.store.files.sources import Sources
from tests.integration.test_api_contract import check_problem
from tests.support.forks import run
from tests.support.local_house import LocalHouse, start_house, stop_house
from tests.support.object_servers import ObjectServer, azure_server, s3_server

_PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """Give an S3 server."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """Give an Azure Blob server."""
    with azure_server(tmp_path_factory.mktemp("azure")) as server:
        yield server


@pytest.fixture(params=["s3", "azure"], scope="module")
def storage(request: pytest.FixtureRequest) -> ObjectServer:
    """Give each kind of storage in turn."""
    server: ObjectServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="module")
def house(storage: ObjectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHouse]:
    """Give a house whose own files lie in the storage too, and that takes inputs from below `in` only."""
    settings = {**storage.settings(storage.url()), "ORGBRIDGE_IMPORT_URLS": f"{storage.root}/in"}
    running = start_house(tmp_path_factory.mktemp("house"), settings)
    yield running
    stop_house(running)


def _put(storage: ObjectServer, key: str, content: bytes) -> str:
    obstore.put(open_objects(storage.root, storage.access), key, content)
    return f"{storage.root}/{key}"


def _ask(house: LocalHouse, address: str, token: str | None = None, **more: Any) -> httpx2.Response:
    body = {"object_name": "Account", "operation_type": "insert", "file_path": address, **more}
    with house.client(token) as client:
        return client.post("/bulk/local-file-process", json=body)


def _count(house: LocalHouse, number: str) -> int:
    with house.client() as client:
        reply = client.get("/query", params={"q": f"SELECT COUNT() FROM Account WHERE AccountNumber = '{number}'"})
    return int(reply.json()["totalSize"])


@pytest.mark.parametrize(
    ("name", "content", "detected"),
    [
        ("Kunden 2026/plain.csv", "AccountNumber;Name\r\n%s;Müller €\r\n%s;B\r\n", ("csv", "cp1252", ";")),
        ("date=2026-11-22/packed.csv.gz", "AccountNumber,Name\n%s,A\n%s,B\n", ("csv", "utf-8", ",")),
        (
            "rows.ndjson",
            '{"AccountNumber": "%s", "Name": "A"}\n{"AccountNumber": "%s", "Name": "B"}\n',
            ("ndjson", None, None),
        ),
    ],
)
def test_an_object_is_loaded_like_an_upload(
    house: LocalHouse, storage: ObjectServer, name: str, content: str, detected: tuple[str, str | None, str | None]
) -> None:
    """Format, packing, encoding and delimiter are found in name and bytes; the reply has the object's own hash."""
    number = f"obj-{len(name)}"
    data = (content % (number, number)).encode("cp1252")
    data = gzip.compress(data) if name.endswith(".gz") else data
    reply = _ask(house, _put(storage, f"in/{name}", data))
    assert reply.status_code == 202, reply.text
    status = house.wait(reply.json()["job_id"])
    assert (status["state"], status["records_processed"], status["records_failed"]) == ("JobComplete", 2, 0)
    kept = reply.json()["input"]
    assert (kept["bytes"], kept["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert kept["format"].lower() == detected[0]
    if detected[1] is not None:
        assert (kept["encoding"], kept["delimiter"]) == detected[1:]
    assert _count(house, number) == 2


def test_an_object_is_looked_at_and_answered_at_once_too(house: LocalHouse, storage: ObjectServer) -> None:
    """A dry run sends nothing; `use_bulk_api` false gives one result per record."""
    address = _put(storage, "in/small.csv", b"AccountNumber,Name\nsmall,A\nsmall,\n")
    report = _ask(house, address, dry_run=True)
    assert (report.status_code, report.json()["rows"]) == (200, 2), report.text
    assert _count(house, "small") == 0
    reply = _ask(house, address, use_bulk_api=False)
    assert [result["success"] for result in reply.json()["results"]] == [True, False]
    assert _count(house, "small") == 1


@pytest.mark.parametrize("more", [{}, {"dry_run": True}, {"use_bulk_api": False}])
def test_what_may_not_or_cannot_be_read_is_refused(
    house: LocalHouse, storage: ObjectServer, more: dict[str, Any]
) -> None:
    """An object outside of the prefix is refused like one that is not there; a missing one inside is missing."""
    _put(storage, "inner/a.csv", b"Name\nA\n")
    for outside in ("inner/a.csv", "in/../inner/a.csv", "in/%2e%2e/inner/a.csv", "nothing.csv", "in", ""):
        refused = check_problem(_ask(house, f"{storage.root}/{outside}", **more), 403, "file.source_refused")
        assert "inner" not in refused["detail"]
    refused = check_problem(_ask(house, "s3://elsewhere-entirely/in/a.csv", **more), 403, "file.source_refused")
    assert "ORGBRIDGE_IMPORT_URLS" in refused["detail"]
    check_problem(_ask(house, f"{storage.root}/in/none.csv", **more), 404, "file.source_missing")


def test_bad_objects_leave_nothing(house: LocalHouse, storage: ObjectServer) -> None:
    """An object is judged like an upload, and what is refused leaves no file behind."""
    root = open_objects(storage.root, storage.access)

    def kept() -> set[str]:
        found = {str(item["path"]) for page in obstore.list(root) for item in page}
        return {path for path in found if not path.startswith("in/")}

    before = kept()
    check_problem(_ask(house, _put(storage, "in/empty.csv", b"")), 400, "input.empty")
    check_problem(_ask(house, _put(storage, "in/odd.csv", b"Name,Nmae__c\nA,B\n")), 400, "load.columns_refused")
    assert kept() == before


def test_storage_is_asked_only_for_callers_who_may_load(house: LocalHouse, storage: ObjectServer) -> None:
    """Without bulk:write, or with a role that may not load the object, nobody learns which objects there are."""
    missing = f"{storage.root}/in/none.csv"
    policy = {"objects": {"Contact": {"operations": ["read", "create"], "loads": ["insert"]}}}
    with house.client() as client:
        role = {"name": f"contacts-{storage.root[:2]}", "scopes": ["bulk:write", "records:write"], "policy": policy}
        assert client.post("/roles", json=role).status_code == 201
        for user in (
            {"username": f"reader-{storage.root[:2]}", "password": _PASSWORD, "scopes": ["bulk:read"]},
            {"username": f"loader-{storage.root[:2]}", "password": _PASSWORD, "roles": [role["name"]]},
        ):
            assert client.post("/users", json=user).status_code == 201

    def token(name: str) -> str:
        form = {"grant_type": "password", "username": f"{name}-{storage.root[:2]}", "password": _PASSWORD}
        return str(httpx2.post(f"{house.url}/token", data=form).json()["access_token"])

    check_problem(_ask(house, missing, token("reader")), 403, "identity.scope_missing")
    loader = token("loader")
    for more in ({}, {"dry_run": True}):
        check_problem(_ask(house, missing, loader, **more), 400, "request.invalid")
        check_problem(_ask(house, missing, loader, object_name="Contact", **more), 404, "file.source_missing")
    address = _put(storage, "in/contacts.csv", b"LastName\nObject\n")
    reply = _ask(house, address, loader, object_name="Contact")
    assert reply.status_code == 202, reply.text
    assert house.wait(reply.json()["job_id"])["records_failed"] == 0


async def test_an_object_that_is_replaced_while_it_is_read_is_not_kept(storage: ObjectServer, tmp_path: Path) -> None:
    """Half of one object and half of another never become an input."""
    address = _put(storage, "in/large.csv", b"a" * 9_000_000)
    sources = Sources(allowed=(f"{storage.root}/in",), access=storage.access)

    async def replaced_half_way() -> AsyncIterator[bytes]:
        first = True
        async for block in sources.read(address):
            if first:
                _put(storage, "in/large.csv", b"b" * 9_000_000)
                first = False
            yield block

    files = LocalFiles(tmp_path / "files")
    with pytest.raises(SourceChanged):
        await files.write("loads/l1/input", replaced_half_way())
    assert not await files.exists("loads/l1/input")
    stored = await files.write("loads/l1/input", sources.read(address))
    assert (stored.bytes, stored.sha256) == (9_000_000, hashlib.sha256(b"b" * 9_000_000).hexdigest())


def _command(house: LocalHouse, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(
        ["-m", "orgbridge.cli", *arguments, "--json"],
        folder=house.folder,
        environment={
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "ORGBRIDGE_URL": house.url,
            "ORGBRIDGE_TOKEN": house.token,
        },
        timeout=90,
    )


def test_the_commands_take_addresses(house: LocalHouse, storage: ObjectServer) -> None:
    """`load` and `preflight` have the service fetch the object; a refusal exits 2 and names the setting."""
    address = _put(storage, "in/command.csv", b"AccountNumber,Name\ncmd,A\ncmd,B\n")
    looked = _command(house, "preflight", address, "--object", "Account")
    assert (looked.returncode, json.loads(looked.stdout)["rows"]) == (0, 2), looked.stderr
    done = _command(house, "load", address, "--object", "Account")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["receipt"]["rows"]["succeeded"] == 2
    assert _count(house, "cmd") == 2
    refused = _command(house, "load", f"{storage.root}/out/a.csv", "--object", "Account")
    assert refused.returncode == 2
    assert "ORGBRIDGE_IMPORT_URLS" in refused.stderr
