"""Accounts and machines over real sockets: service and org each on a port, and the commands that ask them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from orgbridge.cli.errors import ServiceRefused, UsageError
from orgbridge.cli.main import app
from orgbridge.wiring.hosting import OrgHost
from tests.integration.test_api_contract import check_problem
from tests.support.commerce_world import CommerceWorld, commerce_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(commerce_host: OrgHost, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommerceWorld]:
    """Give a world behind a port."""
    async with commerce_world(commerce_host, tmp_path_factory.mktemp("commerce"), over_socket=True) as world:
        yield world


async def test_accounts_and_machines_over_sockets(world: CommerceWorld) -> None:
    """What works in the process works over a port, with names that need encoding."""
    assert world.client.base_url.host == "127.0.0.1"
    switch = await world.ask("kiel", "GET", "/salesforce_account/")
    assert len(switch.json()["accounts"]) == 4
    named = await world.ask("kiel", "GET", "/salesforce_account/Nordmühle/hierarchy")
    assert named.json()["hierarchy"][0]["account_id"] == world.accounts["ACC-100"]
    organization = world.organizations["Nordmühle"]
    page = await world.ask("kiel", "GET", f"/salesforce_machines/{organization}", params={"limit": 2})
    assert len(page.json()["machines"]) == 2
    following = await world.client.get(
        page.headers["Link"].partition("<")[2].partition(">")[0],
        headers={"Authorization": f"Bearer {await world.token('kiel')}"},
    )
    assert following.json()["machines"][0]["machine_id"] > page.json()["machines"][-1]["machine_id"]
    one = await world.ask("kiel", "GET", f"/salesforce_machines/{organization}/SN-110-001")
    assert one.json()["serial_number"] == "SN-110-001"
    check_problem(await world.ask("lyon", "GET", f"/salesforce_machines/{organization}"), 403, "account.not_granted")


async def test_flaw_14_salesforces_refusals_are_not_the_callers(world: CommerceWorld) -> None:
    """Flaw 14: a session that Salesforce ends, or a fault there, is never the caller's 401, and tells no raw list."""
    organization = world.organizations["Nordmühle"]
    order = world.org.control.fault(path="/query", status=403, errorCode="INSUFFICIENT_ACCESS", message="no", times=1)
    reply = await world.ask("kiel", "GET", f"/salesforce_machines/{organization}")
    world.org.control.clear_faults()
    assert order
    assert reply.status_code in (502, 503), reply.text
    assert reply.json()["upstream"][0]["errorCode"] == "INSUFFICIENT_ACCESS"


class _Shell:
    """Runs commands against the world."""

    def __init__(self, world: CommerceWorld, token: str, folder: Path) -> None:
        self._folder = folder
        address = {"url": str(world.client.base_url).rstrip("/"), "token": token, "prefix": "/api/v1"}
        (folder / "cli.json").write_text(json.dumps({**address, "org_url": world.org.url}))

    async def run(self, *words: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--data", str(self._folder)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    async def json(self, *words: str) -> Any:
        return json.loads((await self.run(*words, "--json")).splitlines()[-1])


async def test_organizations_are_mapped_by_commands(world: CommerceWorld, tmp_path: Path) -> None:
    """`map` takes id, external id or name, `--replace` changes, `mappings` lists, `unmap` asks and takes away."""
    shell = _Shell(world, await world.token("admin"), tmp_path)
    prairie = world.organizations["Prairie"]
    made = await shell.run("organizations", "map", prairie, "Prairie Omaha")
    assert made.splitlines()[-1] == world.accounts["ACC-310"]
    with pytest.raises(ServiceRefused) as caught:
        await shell.run("organizations", "map", prairie, "ACC-300")
    assert caught.value.problem["code"] == "request.condition_missing"
    changed = await shell.json("organizations", "map", prairie, "ACC-300", "--replace")
    assert (changed["account_id"], changed["found_by"]) == (world.accounts["ACC-300"], "external_id")
    listed = {item["organization_id"]: item for item in (await shell.json("organizations", "mappings"))["mappings"]}
    assert listed[prairie] == changed
    assert "Prairie Baking Inc" in await shell.run("organizations", "mappings")
    with pytest.raises(UsageError, match="--yes"):
        await shell.run("organizations", "unmap", prairie)
    await shell.run("organizations", "unmap", prairie, "--yes")
    listed = {item["organization_id"]: item for item in (await shell.json("organizations", "mappings"))["mappings"]}
    assert listed[prairie]["account_id"] is None
