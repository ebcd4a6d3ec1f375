"""JSON bodies that other readers take and that could not be sent on unaltered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.test_api_contract import check_problem
from tests.support.local_house import LoneService, lone_service


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[LoneService]:
    """Give a service over a fresh folder."""
    async with lone_service(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "1e999", r'"half \ud800 pair"', "[" * 3000 + "]" * 3000, '"\xff"', "", "{"],
    ids=["nan", "infinity", "minus", "beyond", "surrogate", "deep", "latin-1", "nothing", "open"],
)
@pytest.mark.parametrize("path", ["records/create", "records/batch", "bulk/dml-direct-payload"])
async def test_a_value_that_json_does_not_know_is_refused(service: LoneService, path: str, value: str) -> None:
    """Each of them would have become null at Salesforce, or a fault of ours."""
    headers = {
        "Authorization": f"Bearer {await service.token('records:write', 'bulk:write')}",
        "Content-Type": "application/json",
    }
    body = f'{{"object_name": "Account", "data": {{"Name": "x", "AnnualRevenue": {value}}}}}'
    reply = await service.client.post(f"/api/v1/{path}", content=body.encode("latin-1"), headers=headers)
    problem = check_problem(reply, 422, "request.invalid")
    assert problem["errors"][0]["code"] == "json_invalid"
    assert problem["detail"].startswith("body: not JSON: ")
