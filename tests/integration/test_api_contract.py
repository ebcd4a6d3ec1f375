"""What every route and every error of the API has in common. Real SQLite, no Salesforce."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orgbridge.services.scopes import SCOPES
from orgbridge.wiring.startup import start_logs
from tests.support.local_house import LoneService, lone_service, lone_settings

PROBLEM_KEYS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "request_id",
    "errors",
    "retryable",
    "upstream",
}
#: Routes that need no token; every other one does.
OPEN = {
    # Whoever has a mail's link is the approver it was made for.
    ("get", "/api/v1/salesforce_purchase_orders/decision"),
    ("post", "/api/v1/salesforce_purchase_orders/decision"),
    ("get", "/health"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/health/startup"),
    ("post", "/token"),
    ("post", "/token/revoke"),
    ("get", "/.well-known/jwks.json"),
    # The link of a mail is a credential of its own: single use, for one approver, hashed in the store.
    ("get", "/api/v1/salesforce_purchase_orders/decision"),
    ("post", "/api/v1/salesforce_purchase_orders/decision"),
}
#: Paths and payloads that the two documents show in bold.
BOLD = {
    ("post", "/api/v1/records/create"),
    ("get", "/api/v1/records/{object_name}/{record_id}"),
    ("patch", "/api/v1/records/update"),
    ("post", "/api/v1/records/upsert"),
    ("delete", "/api/v1/records/{object_name}/{record_id}"),
    ("post", "/api/v1/records/batch"),
    ("get", "/api/v1/sobjects/{object_name}/describe"),
    ("post", "/api/v1/bulk/dml-file-upload"),
    ("post", "/api/v1/bulk/local-file-process"),
    ("post", "/api/v1/bulk/dml-direct-payload"),
    ("post", "/api/v1/bulk/query-submit"),
    ("get", "/api/v1/bulk/job/{job_id}/status"),
    ("get", "/health"),
    ("get", "/metrics"),
    ("get", "/api/v1/carts/me"),
    ("get", "/api/v1/carts/me/products"),
    ("post", "/api/v1/carts/me/products"),
    ("put", "/api/v1/carts/me/products/{cart_item_id}"),
    ("delete", "/api/v1/carts/me/products/{cart_item_id}"),
    ("get", "/api/v1/salesforce_account/{org_name}"),
    ("get", "/api/v1/salesforce_machines/{org_id}"),
    ("get", "/api/v1/salesforce_orders/me"),
    ("get", "/api/v1/salesforce_orders/me/{order_id}"),
    ("post", "/api/v1/salesforce_order"),
    ("get", "/api/v1/salesforce_purchase_orders/me"),
}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[LoneService]:
    """Give a service over a fresh folder."""
    async with lone_service(tmp_path) as running:
        yield running


def check_problem(reply: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Assert that a reply is the problem that is expected, and return it."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = reply.json()
    assert set(body) >= PROBLEM_KEYS
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:orgbridge:error:{code}")
    assert body["request_id"] == reply.headers["x-request-id"]
    assert body["detail"]
    return body


async def _operations(service: LoneService) -> list[tuple[str, str, dict[str, Any]]]:
    document = (await service.client.get("/openapi.json")).json()
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _filled(path: str) -> str:
    for name, value in {
        "{object_name}": "Account",
        "{record_id}": "001Ob0000000001IAA",
        "{job_id}": "load_x",
        "{kind}": "all",
        "{cursor}": "abc",
    }.items():
        path = path.replace(name, value)
    return re.sub(r"{\w+}", "x1", path)


async def test_every_error_is_a_problem(service: LoneService) -> None:
    """404, 405, 401, 403, 422, 413, 400 and 503 all have the one shape."""
    client = service.client
    auth = {"Authorization": f"Bearer {await service.token('records:read', 'bulk:write', 'bulk:read')}"}
    check_problem(await client.get("/nowhere"), 404, "route.not_found")
    reply = await client.delete("/health")
    check_problem(reply, 405, "route.method_not_allowed")
    assert reply.headers["allow"] == "GET, HEAD"
    reply = await client.get("/api/v1/users/me")
    check_problem(reply, 401, "identity.not_signed_in")
    assert reply.headers["www-authenticate"] == "Bearer"
    body = check_problem(await client.get("/metrics", headers=auth), 403, "identity.scope_missing")
    assert body["errors"] == [{"scope": "admin", "message": "missing"}]
    body = check_problem(
        await client.post("/api/v1/bulk/query-submit", json={"object_name": "A/b"}, headers=auth),
        422,
        "request.invalid",
    )
    assert {item["location"] for item in body["errors"]} == {"body.object_name", "body.soql_query"}
    big = {"object_name": "Account", "operation": "insert", "records": [{"Name": "x" * 17_000_000}]}
    check_problem(
        await client.post("/api/v1/bulk/dml-direct-payload", json=big, headers=auth), 413, "request.too_large"
    )
    check_problem(
        await client.post("/api/v1/query", json={"q": "DELETE FROM Account"}, headers=auth), 400, "request.invalid"
    )
    check_problem(await client.get("/api/v1/bulk/job/load_none/status", headers=auth), 404, "load.not_found")
    body = check_problem(await client.get("/api/v1/limits", headers=auth), 503, "salesforce.sign_in_unavailable")
    assert body["retryable"] is True


async def test_a_fault_of_our_own_is_a_problem_without_its_text(
    service: LoneService, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception that nobody foresaw becomes a 500 with the request's id; its text stays in the log."""
    app: Any = service.client._transport.app  # type: ignore[attr-defined] # the transport we made

    async def broken() -> None:
        raise RuntimeError("inner-text-of-the-fault")

    app.add_api_route("/broken", broken)
    reply = await service.client.get("/broken", headers={"X-Request-ID": "mine-1"})
    body = check_problem(reply, 500, "internal")
    assert body["request_id"] == "mine-1"
    assert "inner-text-of-the-fault" not in reply.text


async def test_a_streamed_body_above_the_limit_is_refused(service: LoneService) -> None:
    """A JSON body without a length is cut off at the limit, not read to its end."""
    token = await service.token("bulk:write")
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"object_name": "Account", "operation": "insert", "records": ["'
        while sent < 200_000_000:
            sent += 1_000_000
            yield b"x" * 1_000_000

    reply = await service.client.post(
        "/api/v1/bulk/dml-direct-payload",
        content=endless(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    check_problem(reply, 413, "request.too_large")


async def test_every_route_but_the_open_ones_needs_a_token(service: LoneService) -> None:
    """Each documented operation answers 401 without a token unless it is one of the open ones."""
    for method, path, operation in await _operations(service):
        if (method, path) in OPEN:
            assert "security" not in operation, (method, path)
            continue
        reply = await service.client.request(method.upper(), _filled(path))
        check_problem(reply, 401, "identity.not_signed_in")


async def test_every_guarded_route_checks_the_scopes_it_declares(service: LoneService) -> None:
    """A token with every other scope is refused with 403 by each route that declares a scope."""
    for method, path, operation in await _operations(service):
        for requirement in operation.get("security", []):
            ((_, needed),) = requirement.items()
            if not needed:
                # What is one's own: the account, webhooks, each event of which needs its scope, and the look at why
                # one cannot buy.
                assert path.startswith(("/api/v1/users/me", "/api/v1/webhook", "/api/v1/salesforce_account/diagnosis"))
                continue
            token = await service.token(*(scope for scope in SCOPES if scope not in needed))
            reply = await service.client.request(
                method.upper(), _filled(path), headers={"Authorization": f"Bearer {token}"}
            )
            body = check_problem(reply, 403, "identity.scope_missing")
            assert [item["scope"] for item in body["errors"]] == needed


async def test_the_bold_routes_are_documented_with_examples(service: LoneService) -> None:
    """Every route of the two documents is there, with an example of what it takes and of what it answers."""
    document = (await service.client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]

    def has_example(content: dict[str, Any]) -> bool:
        def of(media: dict[str, Any]) -> bool:
            name = media.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
            return "example" in media or bool(schemas.get(name, {}).get("examples"))

        return any(of(media) for media in content.values())

    for method, path in BOLD:
        operation = document["paths"][path][method]
        if "requestBody" in operation:
            assert has_example(operation["requestBody"]["content"]), (method, path)
        good = next(reply for status, reply in operation["responses"].items() if status.startswith("2"))
        assert has_example(good["content"]) if "content" in good else "204" in operation["responses"], (method, path)
        for status, reply in operation["responses"].items():
            if status.startswith(("4", "5")) and path not in ("/health", "/health/ready", "/health/startup"):
                assert "application/problem+json" in reply["content"], (method, path, status)


async def test_request_ids_go_in_and_out(service: LoneService) -> None:
    """A caller's usable id comes back; one that could break a log line is replaced."""
    good = await service.client.get("/health", headers={"X-Request-ID": "order-66"})
    bad = await service.client.get("/health", headers={"X-Request-ID": 'x" injected'})
    assert good.headers["x-request-id"] == "order-66"
    assert bad.headers["x-request-id"].startswith("req_")


async def test_cors_lets_the_named_origin_in_and_no_other(service: LoneService) -> None:
    """The preflight of a listed origin is granted, that of another is not."""
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "Authorization"}
    known = await service.client.options("/api/v1/query", headers={"Origin": "https://console.example.com", **ask})
    other = await service.client.options("/api/v1/query", headers={"Origin": "https://evil.example.com", **ask})
    assert known.headers["access-control-allow-origin"] == "https://console.example.com"
    assert "access-control-allow-origin" not in other.headers


async def test_a_batch_as_a_load_needs_the_right_to_load(service: LoneService) -> None:
    """records:write alone does not submit jobs by a side door."""
    auth = {"Authorization": f"Bearer {await service.token('records:write')}"}
    body = {"object_name": "Lead", "operation_type": "create", "records": [{"LastName": "A"}], "use_bulk_api": True}
    problem = check_problem(
        await service.client.post("/api/v1/records/batch", json=body, headers=auth), 403, "identity.scope_missing"
    )
    assert problem["errors"] == [{"scope": "bulk:write", "message": "missing"}]


async def test_probes_take_head(service: LoneService) -> None:
    """As load balancers and `curl -I` ask."""
    for path, status in (("/health", 200), ("/health/live", 200), ("/health/ready", 503)):
        reply = await service.client.head(path)
        assert reply.status_code == status
    assert (await service.client.post("/health")).headers["allow"] == "GET, HEAD"


async def test_allow_names_every_method_of_an_address(service: LoneService) -> None:
    """Also where several routes share it."""
    allowed = (await service.client.request("OPTIONS", "/api/v1/bulk/dml-file-upload")).headers["allow"]
    assert allowed == "POST, PUT"


async def test_readiness_says_cause_and_remedy_and_no_secret(service: LoneService) -> None:
    """Without Salesforce the probe is 503 with cause and remedy; figures are for administrators only."""
    reply = await service.client.get("/health/ready")
    check = reply.json()["checks"]["salesforce"]
    assert (reply.status_code, check["status"]) == (503, "unavailable")
    assert "127.0.0.1:9" in check["cause"]
    assert check["remedy"]
    assert "lone-p4ssword" not in reply.text
    assert all("detail" not in found for found in reply.json()["checks"].values())
    token = await service.token(admin=True)
    seen = await service.client.get("/health/ready", headers={"Authorization": f"Bearer {token}"})
    assert seen.json()["checks"]["database"]["detail"]["kind"] == "sqlite"
    assert (await service.client.get("/health/live")).json() == {"status": "ok"}


async def test_metrics_are_text_or_json_by_accept(service: LoneService) -> None:
    """Prometheus text names routes by template; JSON has system and application figures."""
    auth = {"Authorization": f"Bearer {await service.token(admin=True)}"}
    await service.client.get("/api/v1/records/Account/001Ob0000000001IAA")
    text = (await service.client.get("/metrics", headers=auth)).text
    assert 'route="/api/v1/records/{object_name}/{record_id}",status="401"' in text
    assert "001Ob0000000001IAA" not in text
    figures = (await service.client.get("/metrics", headers={**auth, "Accept": "application/json"})).json()
    assert set(figures) == {"system", "application"}
    assert figures["application"]["resident_memory_bytes"] > 0


async def test_no_secret_reaches_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Sign-ins, refused sign-ins, a dead Salesforce and debug level leave no secret in what is written."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    log_file = tmp_path / "service.log"
    settings = lone_settings(tmp_path, log_filename=log_file, debug_mode=True)
    try:
        start_logs(settings)
        async with lone_service(tmp_path) as service:
            token = await service.token("records:read")
            auth = {"Authorization": f"Bearer {token}"}
            await service.client.get("/api/v1/limits", headers=auth)
            await service.client.post("/token", data={"username": "eve", "password": "typed-by-eve-1"})
            await service.client.get("/api/v1/limits", params={"access_token": token}, headers=auth)
            logging.getLogger("careless").error("it was %s and %s", token, "lone-client-s3cret")
    finally:
        for handler in list(root.handlers):
            if handler not in before[0]:
                root.removeHandler(handler)
                handler.close()
        root.handlers[:], root.level = before[0], before[1]
    written = log_file.read_text() + capfd.readouterr().err
    assert "request" in written
    for secret in (token, "lone-client-s3cret", "lone-p4ssword", "typed-by-eve-1", "correct horse battery"):
        assert secret not in written
