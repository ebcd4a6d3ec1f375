"""Passwords by REST, refresh tokens, the rolling day of calls, and rows that were deleted for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from orgbridge.emulator.app import EmulatorUser
from orgbridge.emulator.http.directory import SignInPolicy
from tests.unit.emulator.http.conftest import CLIENT, Caller, V
from tests.unit.emulator.http.test_authorizing import code_of, exchange
from tests.unit.emulator.http.test_controls import control, make

PASSWORD = "/sobjects/User/{}/password"


def grant(call: Caller, **form: str) -> Any:
    """Ask the token endpoint and return the reply."""
    return call.http.post("/services/oauth2/token", data={**CLIENT, **form})


def by_password(call: Caller, username: str, password: str) -> int:
    """Return the status of a sign-in by password."""
    return int(grant(call, grant_type="password", username=username, password=password).status_code)


@pytest.mark.documented
def test_a_password_is_set_and_reset_by_rest(make_caller: Callable[..., Caller]) -> None:
    """POST sets a password, DELETE makes one up and expires it, GET tells whether it has; all outlive a restart."""
    call = make_caller()
    call.sign_in()
    user = call("GET", "/query", params={"q": "SELECT Id FROM User WHERE Username = 'admin@local.org'"}).json()
    path = PASSWORD.format(user["records"][0]["Id"])
    assert call("GET", path).json() == {"isExpired": False}
    assert call("POST", path, json={"NewPassword": "newpass12"}).status_code == 204
    assert by_password(call, "admin@local.org", "newpass12") == 200
    assert by_password(call, "admin@local.org", "newpass12LOCALTOKEN") == 200
    assert by_password(call, "admin@local.org", "localpass") == 400
    call.close()
    call = make_caller()
    call.sign_in()
    assert by_password(call, "admin@local.org", "newpass12") == 200
    made_up = call("DELETE", path)
    assert (made_up.status_code, list(made_up.json())) == (200, ["NewPassword"])
    assert call("GET", path).json() == {"isExpired": True}
    assert by_password(call, "admin@local.org", made_up.json()["NewPassword"]) == 200


@pytest.mark.documented
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"NewPassword": "short1"}, "INVALID_NEW_PASSWORD"),
        ({"NewPassword": "onlyletters"}, "INVALID_NEW_PASSWORD"),
        ({"NewPassword": "localpass"}, "INVALID_NEW_PASSWORD"),
        ({"password": "newpass12"}, "JSON_PARSER_ERROR"),
    ],
)
def test_a_bad_password_is_refused(call: Caller, body: dict[str, str], code: str) -> None:
    """A password that breaks the rules changes nothing."""
    user = call("GET", "/query", params={"q": "SELECT Id FROM User LIMIT 1"}).json()["records"][0]["Id"]
    reply = call("POST", PASSWORD.format(user), json=body)
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, code)
    assert by_password(call, "admin@local.org", "localpass") == 200


@pytest.mark.documented
def test_nobody_sets_the_password_of_another_one(make_caller: Callable[..., Caller]) -> None:
    """A user who may not change users gets 403 for others, and may change their own; also in composite."""
    users = (
        EmulatorUser(username="reader@x.org", password="p", profile="Read Only Integration"),
        EmulatorUser(username="boss@x.org", password="p"),
    )
    call = make_caller(users=users)
    call.sign_in()
    rows = call("GET", "/query", params={"q": "SELECT Id, Username FROM User"}).json()["records"]
    ids = {row["Username"]: row["Id"] for row in rows}
    for method, body in (("GET", None), ("POST", {"NewPassword": "newpass12"}), ("DELETE", None)):
        reply = call(method, PASSWORD.format(ids["boss@x.org"]), json=body)
        assert (reply.status_code, reply.json()[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS")
    own = {"method": "POST", "url": V + PASSWORD.format(ids["reader@x.org"]), "referenceId": "r"}
    body = {"allOrNone": True, "compositeRequest": [{**own, "body": {"NewPassword": "newpass12"}}]}
    assert call("POST", "/composite", json=body).json()["compositeResponse"][0]["httpStatusCode"] == 204
    assert by_password(call, "reader@x.org", "newpass12") == 200


@pytest.mark.documented
def test_a_user_made_while_the_org_runs_may_get_a_password(call: Caller) -> None:
    """A row in User alone cannot sign in by password; with a password that was set it can."""
    profile = call("GET", "/query", params={"q": "SELECT Id FROM Profile LIMIT 1"}).json()["records"][0]["Id"]
    row = {"Username": "new@x.org", "LastName": "N", "Email": "new@x.org", "Alias": "n", "TimeZoneSidKey": "GMT",
           "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "ProfileId": profile,
           "IsActive": True}  # fmt: skip
    user = call("POST", "/sobjects/User", json=row).json()["id"]
    assert by_password(call, "new@x.org", "newpass12") == 400
    assert call("POST", PASSWORD.format(user), json={"NewPassword": "newpass12"}).status_code == 204
    assert by_password(call, "new@x.org", "newpass12") == 200


@pytest.mark.documented
def test_a_sixth_refresh_token_revokes_the_oldest(make_caller: Callable[..., Caller]) -> None:
    """A user has five refresh tokens for one client; the sixth ends the oldest and the access tokens of it."""
    call = make_caller()
    bodies = []
    for _ in range(6):
        bodies.append(exchange(call, code_of(call, scope="api refresh_token")).json())
        call.clock.ahead += timedelta(seconds=1)
    replies = [grant(call, grant_type="refresh_token", refresh_token=body["refresh_token"]) for body in bodies]
    assert [reply.status_code for reply in replies] == [400, 200, 200, 200, 200, 200]
    headers = [{"Authorization": f"Bearer {body['access_token']}"} for body in bodies[:2]]
    assert [call.http.get(f"{V}/limits", headers=one).status_code for one in headers] == [401, 200]


@pytest.mark.documented
def test_calls_are_forgotten_one_by_one_after_24_hours(make_caller: Callable[..., Caller]) -> None:
    """The day of the API limit rolls: what was called 24 hours ago counts no more, what was called later does."""
    call = make_caller(daily_api_requests=4)
    call.sign_in()
    assert [call("GET", "/sobjects").status_code for _ in range(2)] == [200, 200]
    call.clock.ahead = timedelta(hours=1)
    call.sign_in()
    statuses = [call("GET", "/sobjects").status_code for _ in range(3)]
    assert statuses == [200, 200, 403]
    call.clock.ahead = timedelta(hours=24, minutes=2)
    call.sign_in()
    statuses = [call("GET", "/sobjects").status_code for _ in range(3)]
    assert statuses == [200, 200, 403]
    call.close()
    again = make_caller(daily_api_requests=4)
    again.clock.ahead = timedelta(hours=24, minutes=3)
    again.sign_in()
    assert again("GET", "/sobjects").status_code == 403


@pytest.mark.assumed
def test_rows_deleted_for_good_are_told_of(call: Caller) -> None:
    """/deleted names rows that were deleted past the recycle bin, as it names those in it."""
    soft, hard = make(call, "soft"), make(call, "hard")
    assert call("DELETE", f"/sobjects/Account/{soft}").status_code == 204
    job = call("POST", "/jobs/ingest", json={"object": "Account", "operation": "hardDelete"}).json()["id"]
    content = f"Id\n{hard}\n".encode()
    call("PUT", f"/jobs/ingest/{job}/batches", content=content, headers={"Content-Type": "text/csv"})
    call("PATCH", f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
    while call("GET", f"/jobs/ingest/{job}").json()["state"] != "JobComplete":
        pass
    start = (call.clock.now() - timedelta(hours=1)).isoformat()
    control(call, "POST", "clock", {"advance_seconds": 120})
    end = (call.clock.now() + timedelta(minutes=2)).isoformat()
    told = call("GET", "/sobjects/Account/deleted", params={"start": start, "end": end}).json()
    assert {one["id"] for one in told["deletedRecords"]} == {soft, hard}


@pytest.mark.documented
def test_policy_rotates_refresh_tokens(make_caller: Callable[..., Caller]) -> None:
    """With rotation every refresh gives a new token; the old one is used up, and its reuse ends what came of it."""
    call = make_caller(refresh_token="5AepFirst", policy=SignInPolicy(rotate_refresh_tokens=True))
    first = grant(call, grant_type="refresh_token", refresh_token="5AepFirst").json()
    second = grant(call, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    live = {"Authorization": f"Bearer {second['access_token']}"}
    assert first["refresh_token"] != second["refresh_token"]
    assert call.http.get(f"{V}/limits", headers=live).status_code == 200
    assert grant(call, grant_type="refresh_token", refresh_token="5AepFirst").json()["error"] == "invalid_grant"
    assert call.http.get(f"{V}/limits", headers=live).status_code == 401
    last = grant(call, grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert last.json() == {"error": "invalid_grant", "error_description": "expired access/refresh token"}


@pytest.mark.documented
def test_without_rotation_a_refresh_token_stays(make_caller: Callable[..., Caller]) -> None:
    """A refresh token may be used again and again, and the reply names none."""
    call = make_caller(refresh_token="5AepFirst")
    replies = [grant(call, grant_type="refresh_token", refresh_token="5AepFirst") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert "refresh_token" not in replies[0].json()
