"""What an org lets people do at the door: conditions of users, switches of the org, SOAP faults, ended sessions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.dom import minidom

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from orgbridge.emulator.app import EmulatorClient, EmulatorConfig, EmulatorUser, build_app
from orgbridge.emulator.http.directory import SignInPolicy
from orgbridge.emulator.storage.database import Storage
from orgbridge.emulator.storage.sessions import find_session
from tests.unit.emulator.http.conftest import CLIENT, Caller
from tests.unit.emulator.http.test_signing_in import JWT_BEARER, public_pem, soap

ADMIN = EmulatorUser(username="admin@local.org", password="localpass", security_token="LOCALTOKEN")
TYPED = {"grant_type": "password", **CLIENT, "username": "admin@local.org", "password": "localpass"}


def soap_call(call: Caller, body: str, path: str = "/services/Soap/u/59.0") -> tuple[int, str]:
    """Send an envelope and return status and text of the reply, which must be XML."""
    reply = call.http.post(path, content=body, headers={"Content-Type": "text/xml", "SOAPAction": '""'})
    minidom.parseString(reply.text)
    return reply.status_code, reply.text


def envelope(operation: str, token: str) -> str:
    """Return a call with a session."""
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:u="urn:partner.soap.sforce.com">'
        f"<e:Header><u:SessionHeader><u:sessionId>{token}</u:sessionId></u:SessionHeader></e:Header>"
        f"<e:Body><u:{operation}/></e:Body></e:Envelope>"
    )


@pytest.mark.documented
@pytest.mark.parametrize(
    ("user", "policy", "code"),
    [
        ({"trusted_address": False}, {}, "LOGIN_MUST_USE_SECURITY_TOKEN"),
        ({"locked_out": True}, {}, "PASSWORD_LOCKOUT"),
        ({"is_active": False}, {}, "INVALID_LOGIN"),
        ({"api_enabled": False}, {}, "API_CURRENTLY_DISABLED"),
        ({}, {"org_locked": True}, "ORG_LOCKED"),
        ({}, {"soap_login": False}, "INVALID_OPERATION"),
        ({}, {"api_enabled": False}, "API_DISABLED_FOR_ORG"),
    ],
    ids=["token", "locked", "inactive", "no-api", "org-locked", "no-soap", "no-api-at-all"],
)
def test_soap_login_says_why_not(
    make_caller: Callable[..., Caller], user: dict[str, Any], policy: dict[str, Any], code: str
) -> None:
    """Every condition of user and org has its fault, where readers look for it."""
    second = EmulatorUser(username="second@local.org", password="pw", security_token="tk", **user)
    call = make_caller(users=(ADMIN, second), policy=SignInPolicy(**policy))
    status, text = soap_call(call, soap("second@local.org", "pw"))
    assert status == 500
    assert f"<faultcode>{code}</faultcode><faultstring>{code}: " in text
    assert f"<sf:exceptionCode>{code}</sf:exceptionCode>" in text


def test_soap_login_with_token_org_and_expired_password(make_caller: Callable[..., Caller]) -> None:
    """The token opens an untrusted address, the org's own id is accepted, and an expired password is told."""
    user = EmulatorUser(
        username="second@local.org", password="pw", security_token="tk", trusted_address=False, password_expired=True
    )
    call = make_caller(users=(ADMIN, user))
    status, text = soap_call(call, soap("second@local.org", "pwtk"))
    assert status == 200
    assert "<passwordExpired>true</passwordExpired>" in text
    org = text.partition("<organizationId>")[2][:18]
    scope = (
        '<e:Header><u:LoginScopeHeader xmlns:u="urn:partner.soap.sforce.com"><u:organizationId>{}'
        "</u:organizationId></u:LoginScopeHeader></e:Header><e:Body>"
    )
    body = soap("second@local.org", "pwtk")
    assert soap_call(call, body.replace("<e:Body>", scope.format(org[:15])))[0] == 200
    assert "INVALID_LOGIN" in soap_call(call, body.replace("<e:Body>", scope.format("00D000000000001")))[1]


def test_soap_with_a_session(call: Caller) -> None:
    """getUserInfo and the time answer a session, logout ends it, and then the fault has the prefix clients match."""
    status, text = soap_call(call, envelope("getUserInfo", call.token), "/services/Soap/u/67.0/00D000000000001")
    assert status == 200
    assert "<userName>admin@local.org</userName>" in text
    assert "<profileId>00e" in text
    assert "<timestamp>" in soap_call(call, envelope("getServerTimestamp", call.token))[1]
    assert soap_call(call, envelope("describeGlobal", call.token))[0] == 500
    assert soap_call(call, envelope("logout", call.token))[0] == 200
    assert call("GET", "/limits").status_code == 401
    status, text = soap_call(call, envelope("getUserInfo", call.token))
    assert (status, "<faultcode>sf:INVALID_SESSION_ID</faultcode>" in text) == (500, True)


def test_wrong_passwords_lock_a_user_out_for_a_while(make_caller: Callable[..., Caller]) -> None:
    """After so many in a row even the right one fails, over a restart, until time has passed."""
    call = make_caller(policy=SignInPolicy(max_failed_passwords=3))
    for _ in range(3):
        assert "INVALID_LOGIN" in soap_call(call, soap("admin@local.org", "no"))[1]
    call.close()
    call = make_caller(policy=SignInPolicy(max_failed_passwords=3))
    assert "PASSWORD_LOCKOUT" in soap_call(call, soap("Admin@local.org", "localpass"))[1]
    assert call.http.post("/services/oauth2/token", data=TYPED).json()["error_description"] == "authentication failure"
    call.clock.ahead += timedelta(minutes=16)
    assert call.http.post("/services/oauth2/token", data=TYPED).status_code == 200


def test_a_blocked_password_flow_looks_like_a_bad_password(make_caller: Callable[..., Caller]) -> None:
    """Switched off, the flow fails as a wrong password does."""
    call = make_caller(policy=SignInPolicy(password_flow=False))
    reply = call.http.post("/services/oauth2/token", data=TYPED)
    assert reply.json() == {"error": "invalid_grant", "error_description": "authentication failure"}


@pytest.mark.documented
def test_an_org_or_a_user_without_the_api(make_caller: Callable[..., Caller]) -> None:
    """Signing in works, REST answers 403 with the code, Bulk API 1.0 with its own."""
    users = (ADMIN, EmulatorUser(username="second@local.org", password="pw", api_enabled=False))
    call = make_caller(users=users)
    body = call.http.post(
        "/services/oauth2/token", data={**TYPED, "username": "second@local.org", "password": "pw"}
    ).json()
    call.headers = {"Authorization": f"OAuth {body['access_token']}"}
    reply = call("GET", "/limits")
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (403, "API_CURRENTLY_DISABLED")
    call.close()
    off = make_caller(users=users, policy=SignInPolicy(api_enabled=False))
    off.sign_in()
    reply = off("GET", "/limits")
    assert reply.status_code == 403
    assert reply.json() == [
        {"message": "API is not enabled for this Organization or Partner", "errorCode": "API_DISABLED_FOR_ORG"}
    ]
    headers = {"X-SFDC-Session": off.token, "Content-Type": "application/json"}
    bulk = off.http.get("/services/async/60.0/job/750", headers=headers)
    assert (bulk.status_code, bulk.json()["exceptionCode"]) == (400, "FeatureNotEnabled")


def test_the_sessions_of_a_user_end_with_the_user(make_caller: Callable[..., Caller]) -> None:
    """Made inactive, a user gets 401 within a second; made active again, the session goes on."""
    second = EmulatorUser(username="second@local.org", password="pw", fields={"FirstName": "Zoë", "City": "Köln"})
    call = make_caller(users=(ADMIN, second))
    body = call.http.post(
        "/services/oauth2/token", data={**TYPED, "username": "second@local.org", "password": "pw"}
    ).json()
    admin = Caller(call.http, call.clock)
    admin.sign_in()
    call.headers = {"Authorization": f"Bearer {body['access_token']}"}
    user_id = body["id"].rpartition("/")[2]
    assert call("GET", "/services/oauth2/userinfo").json()["given_name"] == "Zoë"
    assert call("GET", f"/id/{body['id'].split('/')[-2]}/{user_id}").json()["addr_city"] == "Köln"
    for active, status in ((False, 401), (True, 200)):
        assert admin("PATCH", f"/sobjects/User/{user_id}", json={"IsActive": active}).status_code == 204
        call.clock.ahead += timedelta(seconds=2)
        assert call("GET", "/limits").status_code == status


def test_the_sessions_of_one_user_end_on_demand(make_caller: Callable[..., Caller]) -> None:
    """The order names a user; the sessions of others go on."""
    second = EmulatorUser(username="second@local.org", password="pw")
    call = make_caller(users=(ADMIN, second))
    form = {**TYPED, "username": "second@local.org", "password": "pw"}
    token = call.http.post("/services/oauth2/token", data=form).json()["access_token"]
    call.sign_in()
    order = {"kind": "expire_sessions", "username": "second@local.org"}
    assert call.http.post("/_emulator/faults", json=order).status_code == 200
    assert call("GET", "/limits").status_code == 200
    call.headers = {"Authorization": f"Bearer {token}"}
    assert call("GET", "/limits").status_code == 401
    assert call.http.post("/_emulator/faults", json={**order, "username": "nobody"}).status_code == 400


def test_errors_too_come_in_the_form_that_was_asked_for(make_caller: Callable[..., Caller]) -> None:
    """`format` and the Accept header choose JSON, a form or XML for errors as for tokens."""
    http = make_caller().http
    form = {"grant_type": "password", **CLIENT, "username": "x", "password": "y"}
    encoded = http.post("/services/oauth2/token", data={**form, "format": "urlencoded"})
    assert (encoded.status_code, parse_qs(encoded.text)["error"]) == (400, ["invalid_grant"])
    xml = http.post("/services/oauth2/token", data=form, headers={"Accept": "application/xml"})
    assert minidom.parseString(xml.text).getElementsByTagName("error")[0].firstChild.nodeValue == "invalid_grant"
    assert http.post("/services/oauth2/token", data=form).json()["error"] == "invalid_grant"


def test_jwt_with_consent_beforehand(make_caller: Callable[..., Caller]) -> None:
    """A client that needs consent gets the text that one client tests for, until its user gave it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    client = EmulatorClient(client_id="shy", client_secret="x", jwt_certificate=public_pem(key), jwt_needs_consent=True)
    call = make_caller(clients=(client,))
    claims = {"iss": "shy", "sub": "admin@local.org", "aud": "https://test.salesforce.com", "exp": time.time() + 99}
    form = {"grant_type": JWT_BEARER, "assertion": jwt.encode(claims, key, algorithm="RS256")}
    reply = call.http.post("/services/oauth2/token", data=form)
    assert reply.json() == {"error": "invalid_grant", "error_description": "user hasn't approved this consumer"}
    begun = call.http.post(
        "/services/oauth2/token", data={"response_type": "device_code", "client_id": "shy", "scope": "api"}
    ).json()
    call.sign_in()
    call.http.get("/secur/frontdoor.jsp", params={"sid": call.token})
    page = call.http.get("/setup/connect", params={"user_code": begun["user_code"]}).text
    seal = page.partition('name="seal" value="')[2].partition('"')[0]
    call.http.post("/setup/connect", data={"user_code": begun["user_code"], "seal": seal, "decision": "allow"})
    assert call.http.post("/services/oauth2/token", data=form).status_code == 200


def test_a_client_runs_as_its_own_user(make_caller: Callable[..., Caller]) -> None:
    """Client credentials act as the user whom the client names."""
    robot = EmulatorUser(username="robot@local.org", password="pw")
    client = EmulatorClient(client_id="robot", client_secret="x", run_as="robot@local.org")
    call = make_caller(users=(ADMIN, robot), clients=(client,))
    form = {"grant_type": "client_credentials", "client_id": "robot", "client_secret": "x"}
    token = call.http.post("/services/oauth2/token", data=form).json()["access_token"]
    call.headers = {"Authorization": f"Bearer {token}"}
    assert call("GET", "/services/oauth2/userinfo").json()["preferred_username"] == "robot@local.org"


def test_a_file_of_an_older_emulator_keeps_its_sessions(tmp_path: Path) -> None:
    """The columns that sessions got later are added when the org opens its file."""
    path = tmp_path / "org.db"
    storage = Storage(path)
    with storage.write() as connection:
        connection.execute("DROP TABLE ob_sessions")
        connection.execute(
            "CREATE TABLE ob_sessions (token_hash TEXT PRIMARY KEY, kind TEXT NOT NULL, user_id TEXT NOT NULL,"
            " client_id TEXT, issued_at TEXT NOT NULL, used_at TEXT NOT NULL) WITHOUT ROWID"
        )
        connection.execute(
            "INSERT INTO ob_sessions VALUES (?, 'access', '005', NULL, ?, ?)",
            (hashlib.sha256(b"token").hexdigest(), "2024-01-01T00:00:00.000Z", "2024-01-01T00:00:00.000Z"),
        )
    storage.close()
    build_app(EmulatorConfig(path=str(path)))
    storage = Storage(path)
    with storage.read() as connection:
        session = find_session(connection, "token")
    storage.close()
    assert session is not None
    assert (session.user_id, session.scope, session.parent_hash) == ("005", "", None)
