"""Users, roles, service accounts and organizations over HTTP. Real SQLite, no Salesforce."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orgbridge.services.errors import LastAdmin
from orgbridge.services.principals import limits_of
from orgbridge.services.scopes import ALL, BUILT_IN_ROLES, SCOPES, Caller, Scope
from orgbridge.store.database import Database
from orgbridge.store.identity_records import RoleRecord
from orgbridge.wiring.identity import build_people
from tests.integration.test_api_contract import check_problem
from tests.support.clocks import HandClock
from tests.support.local_house import QUICK_HASH, LoneService, lone_service, lone_settings

_PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """An administrator's client."""

    service: LoneService
    identity: Any
    token: str

    async def ask(self, method: str, path: str, body: Any = None, etag: str | None = None) -> httpx2.Response:
        """Send one request as the administrator."""
        headers = {"Authorization": f"Bearer {self.token}"} | ({"If-Match": etag} if etag is not None else {})
        return await self.service.client.request(method, f"/api/v1{path}", json=body, headers=headers)

    async def make(self, path: str, body: Any) -> tuple[dict[str, Any], str]:
        """Make something and return it with its ETag."""
        reply = await self.ask("POST", path, body)
        assert reply.status_code == 201, reply.text
        location = reply.headers["location"].removeprefix("/api/v1")
        again = await self.ask("GET", location)
        assert (again.status_code, again.headers["etag"]) == (200, reply.headers["etag"])
        return reply.json(), reply.headers["etag"]

    async def sign_in(self, **form: str) -> httpx2.Response:
        """Ask for a token."""
        return await self.service.client.post("/token", data=form)


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Admin]:
    """Give a service whose first administrator came from the settings."""
    first = {"orgbridge_admin_username": "root", "orgbridge_admin_password": _PASSWORD}
    async with lone_service(tmp_path, **first) as service:
        app: Any = service.client._transport.app  # type: ignore[attr-defined] # the transport we made
        reply = await service.client.post("/token", data={"username": "root", "password": _PASSWORD})
        yield Admin(service=service, identity=app.state.services.identity, token=reply.json()["access_token"])


async def test_the_first_administrator_comes_from_the_settings_once(tmp_path: Path) -> None:
    """Made when there is none; a password that is changed later in the settings changes nobody's."""
    for password in (_PASSWORD, "another password"):
        settings = {"orgbridge_admin_username": "root", "orgbridge_admin_password": password}
        async with lone_service(tmp_path, **settings) as service:
            form = {"username": "root", "password": _PASSWORD}
            assert (await service.client.post("/token", data=form)).status_code == 200


async def test_without_settings_there_is_no_administrator(tmp_path: Path) -> None:
    """No default user and no default password exist."""
    async with lone_service(tmp_path) as service:
        app: Any = service.client._transport.app  # type: ignore[attr-defined] # the transport we made
        assert await app.state.services.identity.users() == []


async def test_a_user_is_made_changed_and_deleted(admin: Admin) -> None:
    """Every write gives another ETag; a change needs the present one; the password is never told."""
    user, tag = await admin.make("/users", {"username": "ada", "password": _PASSWORD, "roles": ["reader"]})
    assert (user["effective_scopes"], user["has_password"]) == (["bulk:read", "records:read"], True)
    assert not {"password", "password_hash"} & set(user)
    path = f"/users/{user['id']}"
    check_problem(await admin.ask("PATCH", path, {"email": "a@b.c"}), 428, "request.condition_missing")
    for stale in ('"nonsense"', "nonsense", f"W/{tag}", '""'):
        check_problem(await admin.ask("PATCH", path, {"email": "a@b.c"}, stale), 412, "request.stale")
    reply = await admin.ask("PATCH", path, {"email": "a@b.c", "roles": ["integrator"]}, tag)
    assert (reply.status_code, reply.json()["email"], reply.json()["roles"]) == (200, "a@b.c", ["integrator"])
    assert reply.headers["etag"] != tag
    check_problem(await admin.ask("DELETE", path, etag=tag), 412, "request.stale")
    assert (await admin.ask("DELETE", path, etag="*")).status_code == 204
    check_problem(await admin.ask("GET", path), 404, "identity.user_not_found")


async def test_of_two_changes_at_once_one_is_told_to_look_again(admin: Admin) -> None:
    """Both read the same state; one wins, the other gets 412 and has changed nothing."""
    user, tag = await admin.make("/users", {"username": "ada"})
    replies = await asyncio.gather(
        *(admin.ask("PATCH", f"/users/{user['id']}", {"display_name": f"n{n}"}, tag) for n in range(5))
    )
    assert sorted(reply.status_code for reply in replies) == [200, 412, 412, 412, 412]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"username": "root"}, 409, "user.name_taken"),
        ({"username": "x", "roles": ["nothing"]}, 400, "identity.reference_missing"),
        ({"username": " x"}, 422, "request.invalid"),
        ({"username": "oidc:x"}, 400, "request.invalid"),
        ({"username": "x", "password": "short"}, 422, "request.invalid"),
        ({"username": "x", "scopes": ["root"]}, 422, "request.invalid"),
        ({"username": "x", "email": "nobody"}, 422, "request.invalid"),
        ({"username": "x", "is_admin": "yes"}, 422, "request.invalid"),
        ({"username": "x", "colour": "red"}, 422, "request.invalid"),
    ],
)
async def test_unacceptable_users_are_refused(admin: Admin, body: dict[str, Any], status: int, code: str) -> None:
    """With the reason, and nobody is made."""
    check_problem(await admin.ask("POST", "/users", body), status, code)
    listed = (await admin.ask("GET", "/users")).json()["users"]
    assert [user["username"] for user in listed] == ["root"]


async def test_lists_are_walked_by_the_link_to_the_next_page(admin: Admin) -> None:
    """Every user once, by name; a cursor of another list or of nobody is refused."""
    for number in range(5):
        await admin.make("/users", {"username": f"user-{number}"})
    seen: list[str] = []
    path: str | None = "/users?limit=2"
    while path is not None:
        reply = await admin.ask("GET", path)
        seen += [user["username"] for user in reply.json()["users"]]
        link = reply.headers.get("link")
        path = link.removeprefix("</api/v1").removesuffix('>; rel="next"') if link else None
    assert seen == ["root", *(f"user-{number}" for number in range(5))]
    cursor = (await admin.ask("GET", "/roles?limit=1")).json()["next_cursor"]
    for wrong in (cursor, "!", "x" * 100, ""):
        check_problem(await admin.ask("GET", f"/users?cursor={wrong}"), 400, "page.cursor_invalid")
    for bad in (0, 201):
        check_problem(await admin.ask("GET", f"/users?limit={bad}"), 422, "request.invalid")


async def test_the_last_administrator_stays(admin: Admin) -> None:
    """Not disabled, not demoted, not deleted, and not by changing the role either; with a second one all of it goes."""
    (root,) = (await admin.ask("GET", "/users")).json()["users"]
    path = f"/users/{root['id']}"
    for change in ({"disabled": True}, {"is_admin": False, "scopes": []}):
        check_problem(await admin.ask("PATCH", path, change, "*"), 409, "identity.last_admin")
    check_problem(await admin.ask("DELETE", path, etag="*"), 409, "identity.last_admin")
    await admin.make("/roles", {"name": "ops", "scopes": ["admin"]})
    await admin.make("/users", {"username": "ada", "roles": ["ops"]})
    assert (await admin.ask("PATCH", path, {"is_admin": False}, "*")).status_code == 200
    assert (await admin.ask("PATCH", path, {"scopes": []}, "*")).status_code == 200
    # Root has lost the right at once.
    check_problem(await admin.ask("GET", "/users"), 403, "identity.scope_missing")


async def test_two_administrators_cannot_remove_each_other_at_once(store_url: str, tmp_path: Path) -> None:
    """On either database, of two processes that each disable the other one fails, and somebody is left."""
    databases = [Database(store_url), Database(store_url)]
    parts = [build_people(lone_settings(tmp_path), database, HandClock(), QUICK_HASH) for database in databases]
    users = [await parts[0].identity.create_user(name, None, is_admin=True) for name in ("ann", "bob")]
    results = await asyncio.gather(
        *(
            people.users.update(user.id, {"disabled": True}, expected=None)
            for people, user in zip(parts, reversed(users), strict=True)
        ),
        return_exceptions=True,
    )
    assert sorted(isinstance(result, LastAdmin) for result in results) == [False, True]
    for database in databases:
        await database.close()


async def test_roles_lend_their_scopes_and_follow_changes(admin: Admin) -> None:
    """A change of a role is a change of everybody who has it; a role that somebody has cannot be deleted."""
    policy = {"objects": {"Account": {"operations": ["read"]}}, "max_rows": 5}
    role, tag = await admin.make("/roles", {"name": "sales", "scopes": ["records:read"], "policy": policy})
    assert role["policy"] == policy
    await admin.make("/users", {"username": "ada", "password": _PASSWORD, "roles": ["sales"]})
    token = (await admin.sign_in(username="ada", password=_PASSWORD)).json()["access_token"]
    caller = await admin.identity.caller(token, ["records:read"])
    assert (caller.roles, caller.policies) == (("sales",), (policy,))
    check_problem(await admin.ask("DELETE", "/roles/sales", etag=tag), 409, "identity.still_in_use")
    reply = await admin.ask("PATCH", "/roles/sales", {"scopes": ["bulk:read"], "policy": None}, tag)
    assert reply.json()["policy"] is None
    caller = await admin.identity.caller(token, [])
    assert (caller.scopes, caller.policies) == (frozenset(), (None,))
    ada = (await admin.ask("GET", "/users?role=sales")).json()["users"][0]
    assert (await admin.ask("PATCH", f"/users/{ada['id']}", {"roles": []}, "*")).status_code == 200
    assert (await admin.ask("DELETE", "/roles/sales", etag=reply.headers["etag"])).status_code == 204
    check_problem(await admin.ask("GET", "/roles/sales"), 404, "identity.not_found")


async def test_a_policy_that_cannot_be_used_is_not_kept(admin: Admin) -> None:
    """Made or changed, it is refused with the path and the mend, and the role stays as it was."""
    wrong = {"objects": {"Account": {"operations": ["look"]}}}
    role = {"name": "sales", "scopes": ["records:read"], "policy": wrong}
    told = check_problem(await admin.ask("POST", "/roles", role), 400, "policy.invalid")
    assert told["errors"][0]["field"] == "objects.Account.operations[0]"
    assert "must be one of read, query" in told["detail"]
    _, tag = await admin.make("/roles", {**role, "policy": {"objects": {}}})
    check_problem(await admin.ask("PATCH", "/roles/sales", {"policy": {"rows": 5}}, tag), 400, "policy.invalid")
    assert (await admin.ask("GET", "/roles/sales")).json()["policy"] == {"objects": {}}


async def test_the_built_in_roles_are_there_and_stay(admin: Admin) -> None:
    """admin, buyer, integrator and reader, with the scopes of this version; nobody changes or deletes them."""
    listed = (await admin.ask("GET", "/roles")).json()["roles"]
    assert {role["name"]: role["scopes"] for role in listed} == {
        name: sorted(scopes) for name, scopes in BUILT_IN_ROLES.items()
    }
    assert sorted(BUILT_IN_ROLES["admin"]) == sorted(SCOPES)
    check_problem(await admin.ask("PATCH", "/roles/reader", {"scopes": []}, "*"), 409, "identity.role_built_in")
    check_problem(await admin.ask("DELETE", "/roles/reader", etag="*"), 409, "identity.role_built_in")
    check_problem(await admin.ask("POST", "/roles", {"name": "admin", "scopes": []}), 409, "identity.name_taken")


def test_a_policy_limits_what_its_role_lends_and_no_more() -> None:
    """Somebody who reads a little by one role and loads all by another still reads a little."""
    now = datetime(2026, 11, 22, tzinfo=UTC)

    def role(name: str, scope: str, policy: dict[str, Any] | None) -> RoleRecord:
        return RoleRecord(
            name=name,
            description="",
            scopes=(scope,),
            policy=policy,
            built_in=False,
            revision="1",
            created_at=now,
            updated_at=now,
        )

    roles = [role("a", "records:read", {"objects": ["Account"]}), role("b", "bulk:write", None)]
    policies, role_scopes = limits_of(roles, is_admin=False)
    scopes = frozenset({"records:read", "bulk:write", "orders:read"})
    caller = Caller(user_id="u", username="ada", scopes=scopes, policies=policies, role_scopes=role_scopes)
    assert caller.policies_for(Scope.RECORDS_READ) == ({"objects": ["Account"]},)
    assert caller.policies_for(Scope.BULK_WRITE) == (None,)
    assert caller.policies_for(Scope.ORDERS_READ) == ({"objects": ["Account"]}, None)
    assert limits_of(roles, is_admin=True)[0] == ({"objects": ["Account"]}, None, None)
    assert limits_of([], is_admin=False) == ((), ())


async def test_organizations_own_plants_and_plants_machines(admin: Admin) -> None:
    """Made, changed and deleted from the bottom; never found under somebody else."""
    org, org_tag = await admin.make("/organizations", {"name": "Acme", "external_id": "C-1"})
    plants = f"/organizations/{org['id']}/plants"
    plant, plant_tag = await admin.make(plants, {"name": "North"})
    machines = f"{plants}/{plant['id']}/machines"
    body = {"name": "Press 4", "serial_number": "SN-7", "asset_id": "02iOb0000000001"}
    machine, tag = await admin.make(machines, body)
    assert (machine["plant_id"], machine["asset_id"][:15]) == (plant["id"], "02iOb0000000001")
    assert len(machine["asset_id"]) == 18
    check_problem(await admin.ask("POST", machines, {"name": "Press 4"}), 409, "identity.name_taken")
    check_problem(
        await admin.ask("POST", "/organizations", {"name": "B", "external_id": "C-1"}), 409, "identity.name_taken"
    )
    other, _ = await admin.make("/organizations", {"name": "Beta"})
    for foreign in (f"/organizations/{other['id']}/plants/{plant['id']}", f"/organizations/none/plants/{plant['id']}"):
        check_problem(await admin.ask("GET", foreign), 404, "identity.not_found")
        check_problem(await admin.ask("DELETE", foreign, etag="*"), 404, "identity.not_found")
        check_problem(await admin.ask("GET", f"{foreign}/machines"), 404, "identity.not_found")
    check_problem(await admin.ask("DELETE", f"/organizations/{org['id']}", etag=org_tag), 409, "identity.still_in_use")
    check_problem(await admin.ask("DELETE", f"{plants}/{plant['id']}", etag=plant_tag), 409, "identity.still_in_use")
    path = f"{machines}/{machine['id']}"
    check_problem(await admin.ask("PATCH", path, {"name": "Press 5"}, '"old"'), 412, "request.stale")
    changed = await admin.ask("PATCH", path, {"name": "Press 5", "serial_number": None}, tag)
    assert (changed.json()["name"], changed.json()["serial_number"]) == ("Press 5", None)
    for gone, etag in ((path, changed.headers["etag"]), (f"{plants}/{plant['id']}", plant_tag)):
        assert (await admin.ask("DELETE", gone, etag=etag)).status_code == 204
    assert (await admin.ask("DELETE", f"/organizations/{org['id']}", etag=org_tag)).status_code == 204


async def test_grants_reach_the_caller_within_seconds(admin: Admin) -> None:
    """Organization data is read from the store and not from the token, so that it never goes stale there."""
    user, tag = await admin.make("/users", {"username": "ada", "password": _PASSWORD, "scopes": ["carts:read"]})
    org, _ = await admin.make("/organizations", {"name": "Acme"})
    token = (await admin.sign_in(username="ada", password=_PASSWORD)).json()["access_token"]
    assert (await admin.identity.caller(token, [])).organizations == frozenset()
    path, body = f"/users/{user['id']}/grants", {"organizations": [org["id"]], "plants": "*", "machines": []}
    check_problem(await admin.ask("PUT", path, body), 428, "request.condition_missing")
    reply = await admin.ask("PUT", path, body, tag)
    assert (reply.status_code, reply.json()) == (200, body)
    caller = await admin.identity.caller(token, [])
    assert (caller.organizations, caller.plants, caller.machines) == (frozenset({org["id"]}), ALL, frozenset())
    assert "anything" in caller.plants
    wrong = {**body, "machines": ["machine_none"]}
    check_problem(await admin.ask("PUT", path, wrong, "*"), 400, "identity.reference_missing")
    assert (await admin.ask("GET", path)).json() == body
    assert (await admin.ask("DELETE", f"/organizations/{org['id']}", etag="*")).status_code == 204
    assert (await admin.identity.caller(token, [])).organizations == frozenset()


async def test_a_service_account_lives_by_its_secrets(admin: Admin) -> None:
    """The secret is shown once; by Basic or by the form it brings a token; it is no user and no user is it."""
    made, _ = await admin.make("/service-accounts", {"name": "nightly", "roles": ["integrator"]})
    form = {"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"]}
    reply = await admin.sign_in(**form)
    assert (reply.status_code, "refresh_token" in reply.json()) == (200, False)
    basic = httpx2.BasicAuth(made["client_id"], made["client_secret"])
    again = await admin.service.client.post("/token", data={"grant_type": "client_credentials"}, auth=basic)
    auth = {"Authorization": f"Bearer {again.json()['access_token']}"}
    me = (await admin.service.client.get("/api/v1/users/me", headers=auth)).json()
    assert (me["username"], me["kind"], me["roles"]) == ("nightly", "service_account", ["integrator"])
    refused = await admin.sign_in(**{**form, "client_secret": "wrong"})
    assert check_problem(refused, 401, "identity.client_refused")["error"] == "invalid_client"
    assert refused.headers["www-authenticate"].startswith("Basic")
    path = f"/service-accounts/{made['client_id']}"
    assert made["client_secret"] not in (await admin.ask("GET", f"{path}/secrets")).text
    check_problem(await admin.ask("GET", f"/users/{made['client_id']}"), 404, "identity.user_not_found")
    second = (await admin.ask("POST", f"{path}/secrets", {"expires_in_days": 1})).json()
    assert (await admin.ask("DELETE", f"{path}/secrets/{made['secret_id']}")).status_code == 204
    check_problem(await admin.sign_in(**form), 401, "identity.client_refused")
    assert (await admin.sign_in(**{**form, "client_secret": second["client_secret"]})).status_code == 200
    assert (await admin.ask("PATCH", path, {"disabled": True}, "*")).status_code == 200
    check_problem(await admin.service.client.get("/api/v1/users/me", headers=auth), 401, "identity.not_signed_in")


async def test_a_sign_in_lasts_and_ends_over_http(admin: Admin) -> None:
    """Refresh, list, sign out: each as OAuth clients expect it."""
    await admin.make("/users", {"username": "ada", "password": _PASSWORD, "roles": ["reader"]})
    first = (await admin.sign_in(username="ada", password=_PASSWORD)).json()
    renewed = await admin.sign_in(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert renewed.headers["cache-control"] == "no-store"
    auth = {"Authorization": f"Bearer {renewed.json()['access_token']}"}
    listed = (await admin.service.client.get("/api/v1/users/me/sessions", headers=auth)).json()["sessions"]
    assert [session["current"] for session in listed] == [True]
    for token in ("nonsense", renewed.json()["refresh_token"], renewed.json()["refresh_token"]):
        reply = await admin.service.client.post("/token/revoke", data={"token": token})
        assert (reply.status_code, reply.content) == (200, b"")
    check_problem(await admin.service.client.get("/api/v1/users/me", headers=auth), 401, "identity.not_signed_in")
    check_problem(
        await admin.sign_in(grant_type="refresh_token", refresh_token="x"), 400, "identity.refresh_token_invalid"
    )
    for form in ({"grant_type": "refresh_token"}, {"grant_type": "client_credentials"}, {"username": "ada"}):
        body = check_problem(await admin.sign_in(**form), 400, "identity.token_request_invalid")
        assert body["error"] == "invalid_request"


async def test_a_throttled_sign_in_says_when_to_come_back(admin: Admin) -> None:
    """429 with Retry-After, for a user and for nobody."""
    for name in ("root", "nobody"):
        replies = [await admin.sign_in(username=name, password="wrong password") for _ in range(6)]
        assert [reply.status_code for reply in replies] == [401] * 5 + [429]
        check_problem(replies[-1], 429, "identity.sign_in_throttled")
        assert int(replies[-1].headers["retry-after"]) >= 1


async def test_an_administrator_sets_passwords_and_ends_sign_ins(admin: Admin) -> None:
    """The old password and the old tokens are gone; the user changes it again for one nobody else knows."""
    user, _ = await admin.make("/users", {"username": "ada", "password": _PASSWORD, "roles": ["reader"]})
    old = (await admin.sign_in(username="ada", password=_PASSWORD)).json()["access_token"]
    path = f"/users/{user['id']}"
    assert (await admin.ask("PUT", f"{path}/password", {"password": "second password"})).status_code == 204
    auth = {"Authorization": f"Bearer {old}"}
    check_problem(await admin.service.client.get("/api/v1/users/me", headers=auth), 401, "identity.not_signed_in")
    check_problem(await admin.sign_in(username="ada", password=_PASSWORD), 401, "identity.wrong_credentials")
    auth = {
        "Authorization": "Bearer "
        + (await admin.sign_in(username="ada", password="second password")).json()["access_token"]
    }
    mine = "/api/v1/users/me/password"
    body = {"current_password": "wrong", "new_password": "third password"}
    check_problem(await admin.service.client.put(mine, json=body, headers=auth), 400, "identity.wrong_password")
    body["current_password"] = "second password"
    assert (await admin.service.client.put(mine, json=body, headers=auth)).status_code == 204
    assert (await admin.service.client.get("/api/v1/users/me", headers=auth)).status_code == 200
    sessions = (await admin.ask("GET", f"{path}/sessions")).json()["sessions"]
    assert len(sessions) == 1
    assert (await admin.ask("DELETE", f"{path}/sessions/{sessions[0]['id']}")).status_code == 204
    check_problem(await admin.service.client.get("/api/v1/users/me", headers=auth), 401, "identity.not_signed_in")
