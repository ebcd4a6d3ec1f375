"""The webhook calls over HTTP: the secret is shown once, addresses are checked first, rights are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.local_house import LoneService, lone_service


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[LoneService]:
    """Give a service without Salesforce."""
    async with lone_service(tmp_path) as made:
        yield made


async def _signed_in(service: LoneService, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {await service.token(*scopes)}"}


async def test_a_secret_is_shown_once(service: LoneService) -> None:
    """It stands in the reply that made the webhook and in no other, which nobody may keep."""
    mine = await _signed_in(service, "bulk:read", "bulk:write")
    made = await service.client.post("/api/v1/webhooks", json={"url": "https://hooks.example.com/x"}, headers=mine)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert made.json()["secret"].startswith("whsec_")
    assert made.json()["events"] == ["load.completed", "load.failed", "load.aborted"]
    listed = await service.client.get("/api/v1/webhooks", headers=mine)
    assert [one["id"] for one in listed.json()["webhooks"]] == [made.json()["id"]]
    assert "whsec_" not in listed.text
    tested = await service.client.post(f"/api/v1/webhooks/{made.json()['id']}/test", headers=mine)
    assert (tested.status_code, tested.json()["state"]) == (202, "pending")
    pending = await service.client.get("/api/v1/webhook-deliveries?state=pending", headers=mine)
    assert [one["id"] for one in pending.json()["deliveries"]] == [tested.json()["id"]]
    again = await service.client.post(f"/api/v1/webhook-deliveries/{tested.json()['id']}/resend", headers=mine)
    assert again.status_code == 400
    assert "whsec_" not in pending.text + again.text
    gone = await service.client.delete(f"/api/v1/webhooks/{made.json()['id']}", headers=mine)
    assert gone.status_code == 204
    assert (await service.client.get("/api/v1/webhook-deliveries", headers=mine)).json() == {"deliveries": []}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "https://169.254.169.254/latest"}, 400, "webhook.address_refused"),
        ({"url": "http://hooks.example.com/x"}, 400, "webhook.address_refused"),
        ({"url": "https://hooks.example.com/x", "events": ["load.exploded"]}, 400, "request.invalid"),
        ({"url": "https://hooks.example.com/x", "all_loads": True}, 403, "identity.scope_missing"),
    ],
)
async def test_what_may_not_be_told_is_refused(
    service: LoneService, body: dict[str, object], status: int, code: str
) -> None:
    """Addresses inside the house, unknown events, everybody's loads for somebody."""
    mine = await _signed_in(service, "bulk:read", "bulk:write")
    reply = await service.client.post("/api/v1/webhooks", json=body, headers=mine)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text


async def test_a_bad_notify_url_stops_a_load_before_it_is_taken_in(service: LoneService) -> None:
    """The address is judged first: nothing was kept, and no Salesforce was asked."""
    mine = await _signed_in(service, "bulk:read", "bulk:write")
    for method, path in (
        ("PUT", "/dml-file-upload?object_name=Account&operation_type=insert&"),
        ("POST", "/query-submit?"),
    ):
        reply = await service.client.request(
            method,
            f"/api/v1/bulk{path}notify_url=https://10.0.0.1/x",
            content=b'{"object_name":"Account","soql_query":"SELECT Id FROM Account"}',
            headers={**mine, "Content-Type": "application/json"},
        )
        assert (reply.status_code, reply.json()["code"]) == (400, "webhook.address_refused"), reply.text
    assert (await service.client.get("/api/v1/bulk/jobs", headers=mine)).json()["jobs"] == []


async def test_who_may_only_read_subscribes_nothing(service: LoneService) -> None:
    """bulk:read sees messages, bulk:write makes them."""
    reader = await _signed_in(service, "bulk:read")
    reply = await service.client.post("/api/v1/webhooks", json={"url": "https://hooks.example.com/x"}, headers=reader)
    assert reply.status_code == 403
    assert (await service.client.get("/api/v1/webhooks", headers=reader)).status_code == 200
