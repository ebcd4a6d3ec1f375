"""The token endpoint, SOAP login, sessions and who they belong to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from urllib.parse import parse_qs
from xml.dom import minidom

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orgbridge.emulator.app import EmulatorConfig, EmulatorUser, build_app
from orgbridge.emulator.http.directory import CertificateError
from orgbridge.emulator.org.seed import Seed
from tests.unit.emulator.http.conftest import CLIENT, Caller

USER = {"username": "admin@local.org", "password": "localpassLOCALTOKEN"}
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """The client's private key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """Return the public half in PEM."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@pytest.mark.documented
def test_the_password_grant_gives_a_signed_token(make_caller: Callable[..., Caller]) -> None:
    """The reply has Salesforce's keys in its order, a token of its shape, no expiry, and a signature that checks."""
    reply = make_caller().http.post("/services/oauth2/token", data={"grant_type": "password", **CLIENT, **USER})
    body = reply.json()
    assert list(body) == ["access_token", "instance_url", "id", "token_type", "issued_at", "signature"]
    assert re.fullmatch(r"00D\w{12}![.\w]{96}", body["access_token"])
    assert re.search(r"/id/00D\w{15}/005\w{15}$", body["id"])
    digest = hmac.new(CLIENT["client_secret"].encode(), (body["id"] + body["issued_at"]).encode(), hashlib.sha256)
    assert base64.b64decode(body["signature"]) == digest.digest()
    assert reply.headers["cache-control"] == "no-cache, no-store"


def test_the_security_token_may_be_left_out(make_caller: Callable[..., Caller]) -> None:
    """A trusted address signs in with the bare password."""
    form = {"grant_type": "password", **CLIENT, **USER, "password": "localpass"}
    assert make_caller().http.post("/services/oauth2/token", data=form).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error", "description"),
    [
        (
            {"grant_type": "password", **CLIENT, **USER, "password": "no"},
            400,
            "invalid_grant",
            "authentication failure",
        ),
        ({"grant_type": "password", **CLIENT, "username": "x"}, 400, "invalid_grant", "authentication failure"),
        ({"grant_type": "client_credentials", "client_id": "x"}, 400, "invalid_client_id", "client identifier invalid"),
        (
            {"grant_type": "client_credentials", **CLIENT, "client_secret": "x"},
            400,
            "invalid_client",
            "invalid client credentials",
        ),
        ({"grant_type": "client_credentials", "client_id": CLIENT["client_id"]}, 400, "invalid_client", None),
        ({"grant_type": "refresh_token", **CLIENT}, 400, "invalid_grant", "expired access/refresh token"),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type", "grant type not supported"),
        ({"grant_type": JWT_BEARER, "assertion": "a.b.c"}, 400, "invalid_grant", "invalid assertion"),
        ({"grant_type": "client_credentials", **CLIENT, "format": "yaml"}, 400, "invalid_request", None),
    ],
    ids=["password", "user", "client", "secret", "no-secret", "refresh", "grant", "assertion", "format"],
)
def test_refusals_are_an_object_with_error_and_description(
    make_caller: Callable[..., Caller], form: dict[str, str], status: int, error: str, description: str | None
) -> None:
    """The token endpoint refuses in OAuth's form, not in REST's list."""
    reply = make_caller().http.post("/services/oauth2/token", data=form)
    assert (reply.status_code, reply.json()["error"]) == (status, error)
    if description is not None:
        assert reply.json()["error_description"] == description


def test_basic_client_credentials_and_get(make_caller: Callable[..., Caller]) -> None:
    """The client may prove itself by Basic; GET and JSON bodies are refused; login hosts know no such grant."""
    http = make_caller().http
    form = {"grant_type": "client_credentials"}
    good = http.post("/services/oauth2/token", data=form, auth=(CLIENT["client_id"], CLIENT["client_secret"]))
    assert good.json()["scope"]
    bad = http.post("/services/oauth2/token", data=form, auth=(CLIENT["client_id"], "x"))
    assert (bad.status_code, bad.json()["error"]) == (401, "invalid_client")
    assert http.get("/services/oauth2/token").json()["error_description"] == "must use HTTP POST"
    assert http.post("/services/oauth2/token", json=form).json()["error"] == "unsupported_grant_type"
    login = http.post("/services/oauth2/token", data={**form, **CLIENT}, headers={"Host": "login.salesforce.com"})
    assert login.json()["error_description"] == "request not supported on this domain"


def test_other_formats_of_the_reply(make_caller: Callable[..., Caller]) -> None:
    """`format=urlencoded` and `xml` give the same keys in another dress."""
    http = make_caller().http
    form = {"grant_type": "client_credentials", **CLIENT}
    encoded = http.post("/services/oauth2/token", data={**form, "format": "urlencoded"})
    assert parse_qs(encoded.text)["token_type"] == ["Bearer"]
    xml = http.post("/services/oauth2/token", data={**form, "format": "xml"})
    assert minidom.parseString(xml.text).getElementsByTagName("access_token")


@pytest.mark.parametrize(
    ("claims", "description"),
    [
        ({}, None),
        ({"exp": lambda: f"{time.time() + 180:.0f}"}, None),
        ({"exp": lambda: int((time.time() + 300) * 1000)}, None),
        ({"aud": "http://testserver"}, None),
        ({"exp": int(time.time()) - 10}, "expired authorization code"),
        ({"exp": "soon"}, "invalid assertion"),
        ({"aud": "https://evil.example"}, "audience is invalid"),
        ({"sub": "nobody@local.org"}, "user hasn't approved this consumer"),
        ({"iss": "other"}, "client identifier invalid"),
    ],
    ids=["good", "exp-text", "exp-ms", "own-aud", "expired", "exp-nonsense", "aud", "sub", "iss"],
)
def test_jwt_bearer(
    make_caller: Callable[..., Caller], key: rsa.RSAPrivateKey, claims: dict[str, object], description: str | None
) -> None:
    """Assertions of all known clients are taken, and each wrong claim is named."""
    http = make_caller(jwt_certificate=public_pem(key)).http
    base: dict[str, object] = {
        "iss": CLIENT["client_id"],
        "sub": USER["username"],
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 180,
    }
    # Instants are told when the test runs: it may do so minutes after it was collected.
    told = {name: value() if callable(value) else value for name, value in claims.items()}
    assertion = jwt.encode({**base, **told}, key, algorithm="RS256")
    reply = http.post("/services/oauth2/token", data={"grant_type": JWT_BEARER, "assertion": assertion})
    if description is None:
        assert list(reply.json()) == ["access_token", "scope", "instance_url", "id", "token_type"]
    else:
        assert (reply.status_code, reply.json()["error_description"]) == (400, description)


def test_a_jwt_of_another_key_is_refused(make_caller: Callable[..., Caller], key: rsa.RSAPrivateKey) -> None:
    """Only the registered key signs for the client; HS256 with the public key as secret does not either."""
    http = make_caller(jwt_certificate=public_pem(key)).http
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = {
        "iss": CLIENT["client_id"],
        "sub": USER["username"],
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 180,
    }
    for assertion in (jwt.encode(claims, other, algorithm="RS256"), jwt.encode(claims, "x" * 32, algorithm="HS256")):
        reply = http.post("/services/oauth2/token", data={"grant_type": JWT_BEARER, "assertion": assertion})
        assert reply.json()["error_description"] == "invalid assertion"


def test_something_else_than_a_certificate_is_refused() -> None:
    """A wrong certificate stops the start with one clear line."""
    with pytest.raises(CertificateError, match="no certificate or public key in PEM"):
        build_app(EmulatorConfig(jwt_certificate="hello"))


def test_a_configured_refresh_token_works_until_it_is_revoked(make_caller: Callable[..., Caller]) -> None:
    """It gives tokens, outlives a restart, and stays revoked over one."""
    form = {"grant_type": "refresh_token", **CLIENT, "refresh_token": "5Aep-refresh"}
    http = make_caller(refresh_token="5Aep-refresh").http
    assert http.post("/services/oauth2/token", data=form).status_code == 200
    assert http.post("/services/oauth2/revoke", data={"token": "5Aep-refresh"}).status_code == 200
    again = make_caller(refresh_token="5Aep-refresh").http
    assert again.post("/services/oauth2/token", data=form).json()["error"] == "invalid_grant"


def test_a_restart_keeps_sessions(make_caller: Callable[..., Caller]) -> None:
    """A token given out before is good after."""
    first = make_caller()
    first.sign_in()
    second = make_caller()
    second.headers = first.headers
    assert second("GET", "/limits").status_code == 200


def test_sessions_end_when_idle_and_when_revoked(make_caller: Callable[..., Caller]) -> None:
    """Use keeps a session alive; idleness, revocation and nonsense give 401 as a list."""
    call = make_caller(session_seconds=100)
    call.sign_in()
    for _ in range(3):
        call.clock.ahead += call.clock.ahead.resolution * 80_000_000
        assert call("GET", "/limits").status_code == 200
    call.clock.ahead += call.clock.ahead.resolution * 101_000_000
    reply = call("GET", "/limits")
    assert reply.status_code == 401
    assert reply.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    assert reply.headers["www-authenticate"] == "Token"
    call.sign_in()
    assert call.http.post("/services/oauth2/revoke", data={"token": call.token}).status_code == 200
    assert call("GET", "/limits").status_code == 401
    assert call.http.post("/services/oauth2/revoke", data={"token": call.token}).json()["error"] == "invalid_token"


@pytest.mark.parametrize(
    ("header", "code"),
    [(None, "INVALID_SESSION_ID"), ("Bearer nope", "INVALID_SESSION_ID"), ("Digest x", "INVALID_AUTH_HEADER")],
    ids=["missing", "unknown", "scheme"],
)
def test_no_session_no_data(call: Caller, header: str | None, code: str) -> None:
    """Everything below a version needs a session, `OAuth` is as good as `Bearer`, the list of versions needs none."""
    call.headers = {} if header is None else {"Authorization": header}
    reply = call("GET", "/sobjects")
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (401, code)
    assert "sforce-limit-info" not in reply.headers
    assert call("GET", "/services/data").status_code == 200
    call.headers = {"Authorization": f"OAuth {call.token}"}
    assert call("GET", "/sobjects").status_code == 200


def test_userinfo_and_identity(call: Caller) -> None:
    """Both name the user of the token; a bad token gets text and 403."""
    info = call("GET", "/services/oauth2/userinfo").json()
    assert info["preferred_username"] == USER["username"]
    path = f"/id/{info['organization_id']}/{info['user_id']}"
    assert call("GET", path).json()["username"] == USER["username"]
    assert call("GET", f"/id/{info['organization_id']}/005000000000001").text == "Bad_Id"
    call.headers = {"Authorization": "Bearer nope"}
    reply = call("GET", "/services/oauth2/userinfo")
    assert (reply.status_code, reply.text) == (403, "Bad_OAuth_Token")


def soap(username: str, password: str) -> str:
    """Return the envelope of a login, with a default namespace."""
    return (
        '<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f'<login xmlns="urn:partner.soap.sforce.com"><username>{username}</username>'
        f"<password>{password}</password></login></e:Body></e:Envelope>"
    )


def test_soap_login_and_its_fault(call: Caller) -> None:
    """Success has unprefixed tags and a working session; failure is 500 with the fault's prefixed code."""
    headers = {"Content-Type": "text/xml", "SOAPAction": "login"}
    good = call.http.post("/services/Soap/U/59.0/", content=soap(**USER), headers=headers)
    token = good.text.partition("<sessionId>")[2].partition("</sessionId>")[0]
    call.headers = {"Authorization": f"Bearer {token}"}
    assert call("GET", "/limits").status_code == 200
    assert "<passwordExpired>false</passwordExpired>" in good.text
    bad = call.http.post("/services/Soap/c/59.0", content=soap("x", "y"), headers=headers)
    assert bad.status_code == 500
    assert "<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>" in bad.text
    minidom.parseString(bad.text)


@pytest.mark.parametrize(
    ("version", "body", "code"),
    [
        ("65.0", soap(**USER), "INVALID_OPERATION"),
        ("20.0", soap(**USER), "UNSUPPORTED_API_VERSION"),
        ("59.0", "<oops", "UNKNOWN_EXCEPTION"),
        ("59.0", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "INVALID_OPERATION"),
        ("59.0", soap(**USER).replace("login", "query"), "INVALID_OPERATION"),
    ],
    ids=["no-login-any-more", "retired", "no-xml", "doctype", "other-call"],
)
def test_soap_refuses_everything_else(call: Caller, version: str, body: str, code: str) -> None:
    """What is not a login of a living version is a fault."""
    reply = call.http.post(f"/services/Soap/u/{version}", content=body, headers={"Content-Type": "text/xml"})
    assert reply.status_code == 500
    assert f"<faultcode>{code}</faultcode>" in reply.text


def test_any_user_signs_in_by_jwt_while_active(make_caller: Callable[..., Caller], key: rsa.RSAPrivateKey) -> None:
    """A row inserted into User is enough; once inactive, every way in is shut."""
    call = make_caller(jwt_certificate=public_pem(key))
    call.sign_in()
    profile = call("GET", "/query?q=SELECT+ProfileId+FROM+User").json()["records"][0]["ProfileId"]
    user = {
        "Username": "buyer@local.org",
        "LastName": "Buyer",
        "Email": "buyer@local.org",
        "Alias": "buyer",
        "TimeZoneSidKey": "GMT",
        "LocaleSidKey": "en_US",
        "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US",
        "ProfileId": profile,
    }
    user_id = call("POST", "/sobjects/User", json=user).json()["id"]
    claims = {
        "iss": CLIENT["client_id"],
        "sub": "Buyer@local.org",
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 180,
    }
    form = {"grant_type": JWT_BEARER, "assertion": jwt.encode(claims, key, algorithm="RS256")}
    body = call.http.post("/services/oauth2/token", data=form).json()
    assert body["id"].endswith(user_id)
    assert call("PATCH", f"/sobjects/User/{user_id}", json={"IsActive": False}).status_code == 204
    refused = call.http.post("/services/oauth2/token", data=form)
    assert refused.json() == {"error": "invalid_grant", "error_description": "inactive user"}
    call.headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert call("GET", "/services/oauth2/userinfo").text == "Inactive_User"


def test_another_user_with_a_password_is_made_at_the_start(make_caller: Callable[..., Caller]) -> None:
    """A configured user gets a row in User, once, and the sample rows come once as well."""
    users = (EmulatorUser(username="second@local.org", password="pw", security_token="tk"),)
    for _ in range(2):
        call = make_caller(users=users, seed=Seed.SAMPLE)
        form = {"grant_type": "password", **CLIENT, "username": "second@local.org", "password": "pwtk"}
        token = call.http.post("/services/oauth2/token", data=form).json()["access_token"]
        call.headers = {"Authorization": f"Bearer {token}"}
        found = call("GET", "/query?q=SELECT+Id+FROM+User+WHERE+Username='second@local.org'").json()
        assert found["totalSize"] == 1
        assert call("GET", "/query?q=SELECT+COUNT()+FROM+Account").json()["totalSize"] == 20
