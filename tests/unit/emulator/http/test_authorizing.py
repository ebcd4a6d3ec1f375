"""The authorize endpoint and the device flow, clicked through as a person would, and what their tokens are good for."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from httpx2 import Response

from orgbridge.emulator.app import EmulatorClient, EmulatorUser
from tests.unit.emulator.http.conftest import CLIENT, Caller

BACK = "http://localhost:1717/OauthRedirect"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASK = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": BACK, "state": "s &1"}


class Form(HTMLParser):
    """The one form of a page: where it goes, and what it holds."""

    def __init__(self, reply: Response) -> None:
        super().__init__()
        self.action, self.method, self.values, self.buttons = "", "", {}, list[str]()
        self.feed(reply.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the parts of the form."""
        given = dict(attrs)
        if tag == "form":
            self.action, self.method = given["action"] or "", given["method"] or ""
        elif tag == "input":
            self.values[given["name"] or ""] = given.get("value") or ""
        elif tag == "button" and given.get("name") == "decision":
            self.buttons.append(given["value"] or "")

    def send(self, call: Caller, **values: str) -> Response:
        """Submit it with these values."""
        data = {**self.values, **values}
        kind = {"params": data} if self.method == "get" else {"data": data}
        return call.http.request(self.method.upper(), self.action, **kind, follow_redirects=False)


def get(call: Caller, path: str, **params: str) -> Response:
    """Open an address as a browser, without following where it leads."""
    return call.http.get(path, params=params or None, follow_redirects=False)


def log_in(call: Caller, reply: Response, **values: str) -> Response:
    """Go from a redirect to the login page through it, and to where it leads back."""
    assert reply.status_code == 302, reply.text
    assert reply.headers["location"].startswith("/login?startURL=")
    sent = Form(get(call, reply.headers["location"])).send(
        call, **{"username": "admin@local.org", "pw": "localpass", **values}
    )
    return get(call, sent.headers["location"]) if sent.status_code == 302 else sent


def came_back(reply: Response) -> dict[str, str]:
    """Return what the browser brings back to the client."""
    assert reply.status_code == 302, reply.text
    address = reply.headers["location"]
    assert address.startswith(BACK)
    parts = urlsplit(address)
    return dict(parse_qsl(parts.query or parts.fragment))


def code_of(call: Caller, **more: str) -> str:
    """Go through the whole flow and return the code."""
    reply = get(call, "/services/oauth2/authorize", **ASK, **more)
    if reply.status_code == 302 and reply.headers["location"].startswith("/login"):
        reply = log_in(call, reply)
    if reply.status_code == 200:
        reply = Form(reply).send(call, decision="allow")
    return came_back(reply)["code"]


def exchange(call: Caller, code: str, **more: str) -> Response:
    """Present a code."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **CLIENT, **more}
    return call.http.post("/services/oauth2/token", data=form)


def works(call: Caller, token: str) -> bool:
    """Tell whether a token opens the API."""
    call.headers = {"Authorization": f"Bearer {token}"}
    return call("GET", "/limits").status_code == 200


@pytest.mark.documented
def test_the_web_server_flow_with_pkce_ends_in_tokens(make_caller: Callable[..., Caller]) -> None:
    """Login page, approval page, code, tokens: each step leads to the next, and the second time nobody is asked."""
    call = make_caller()
    first = get(call, "/services/oauth2/authorize", **ASK, code_challenge=CHALLENGE, code_challenge_method="S256")
    asked = log_in(call, first)
    assert Form(asked).buttons == ["allow", "deny"]
    assert "admin@local.org" in asked.text
    answer = came_back(Form(asked).send(call, decision="allow"))
    assert answer["state"] == "s &1"
    body = exchange(call, answer["code"], code_verifier=VERIFIER).json()
    assert works(call, body["access_token"])
    assert {"refresh_token", "scope", "id", "instance_url", "issued_at", "signature"} <= set(body)
    again = came_back(get(call, "/services/oauth2/authorize", **ASK, prompt="none"))
    assert again["code"] != answer["code"]
    assert Form(get(call, "/services/oauth2/authorize", **ASK, prompt="consent")).buttons == ["allow", "deny"]


def test_a_code_is_good_once_for_its_client_address_and_verifier(make_caller: Callable[..., Caller]) -> None:
    """Each misuse has its error; a wrong verifier or address uses the code up."""
    other = EmulatorClient(client_id="other", client_secret="x")
    call = make_caller(clients=(other,))
    code = code_of(call)
    stolen = exchange(call, code, client_id="other", client_secret="x").json()
    assert stolen["error_description"] == "invalid authorization code"
    assert exchange(call, code).status_code == 200
    assert exchange(call, code).json()["error_description"] == "expired authorization code"
    assert exchange(call, "aPrx").json()["error_description"] == "invalid authorization code"
    assert exchange(call, code_of(call), redirect_uri=BACK + "2").json()["error"] == "redirect_uri_mismatch"
    sealed = code_of(call, code_challenge=CHALLENGE)
    assert exchange(call, sealed, code_verifier="w" * 50).json()["error_description"] == "invalid code verifier"
    assert exchange(call, sealed, code_verifier=VERIFIER).json()["error_description"] == "expired authorization code"
    bare = exchange(call, code_of(call, code_challenge=CHALLENGE)).json()
    assert bare["error_description"] == "missing required parameter: code_verifier"
    assert exchange(call, code_of(call), code_verifier=VERIFIER).json()["error_description"] == "invalid code verifier"
    assert exchange(call, code_of(call), client_secret="").json()["error"] == "invalid_client"


def test_codes_approvals_and_browsers_outlive_a_restart_but_not_their_time(
    make_caller: Callable[..., Caller],
) -> None:
    """A code of the process before is good for a quarter of an hour in all; the consent stays."""
    first = make_caller()
    early, late = code_of(first), code_of(first)
    cookie = first.http.cookies["orgbridge_browser"]
    first.close()
    second = make_caller()
    assert exchange(second, early).status_code == 200
    second.http.cookies.set("orgbridge_browser", cookie)
    assert "code" in came_back(get(second, "/services/oauth2/authorize", **ASK))
    second.clock.ahead += timedelta(minutes=16)
    assert exchange(second, late).json()["error_description"] == "expired authorization code"


def test_refusals_go_back_to_the_client_or_stay_on_a_page(make_caller: Callable[..., Caller]) -> None:
    """What is wrong with client or address is told to the person, everything else to the client, with the state."""
    call = make_caller()
    for wrong in ({"client_id": "x"}, {"redirect_uri": "https://evil.example/"}, {"redirect_uri": "//localhost"}):
        reply = get(call, "/services/oauth2/authorize", **{**ASK, **wrong})
        assert reply.status_code == 400
        assert "error=" in reply.text
    table = {
        "unsupported_response_type": {"response_type": "magic"},
        "invalid_scope": {"scope": "api everything"},
        "invalid_request": {"code_challenge": "short"},
        "immediate_unsuccessful": {"prompt": "none"},
    }
    for error, wrong in table.items():
        answer = came_back(get(call, "/services/oauth2/authorize", **{**ASK, **wrong}))
        assert (answer["error"], answer["state"]) == (error, "s &1")
    asked = log_in(call, get(call, "/services/oauth2/authorize", **ASK))
    denied = came_back(Form(asked).send(call, decision="deny"))
    assert denied["error"] == "access_denied"
    forged = Form(asked).send(call, decision="allow", seal="0" * 64)
    assert Form(forged).buttons == ["allow", "deny"]
    silent = came_back(get(call, "/services/oauth2/authorize", **ASK, immediate="true"))
    assert silent["error"] == "immediate_unsuccessful"


def test_the_login_page_lets_only_owners_in_and_leads_only_home(make_caller: Callable[..., Caller]) -> None:
    """A wrong password gives the page again, markup in a name stays text, and no foreign address is gone to."""
    users = (EmulatorUser(username="off@local.org", password="pw", is_active=False),)
    call = make_caller(users=(EmulatorUser(username="admin@local.org", password="localpass"), *users))
    ask = get(call, "/services/oauth2/authorize", **ASK, login_hint='"><b>', prompt="login")
    page = get(call, ask.headers["location"])
    assert "<b>" not in page.text
    assert page.headers["x-frame-options"] == "DENY"
    for wrong in ({"pw": "no"}, {"username": "nobody"}, {"username": "off@local.org", "pw": "pw"}):
        assert 'role="alert"' in log_in(call, ask, **wrong).text
    for start in ("//evil.example", "https://evil.example", "/\\evil.example"):
        sent = Form(get(call, "/login", startURL=start)).send(call, username="admin@local.org", pw="localpass")
        assert sent.headers["location"] == "/login"
        forged = call.http.post(
            "/login",
            data={"username": "admin@local.org", "pw": "localpass", "startURL": start},
            follow_redirects=False,
        )
        assert forged.headers["location"] == "/login"
    assert "logged in as admin@local.org" in get(call, "/login").text
    assert Form(log_in(call, ask)).buttons == ["allow", "deny"]
    get(call, "/secur/logout.jsp")
    assert "logged in as" not in get(call, "/login").text


def test_the_user_agent_flow_puts_the_token_behind_the_hash(make_caller: Callable[..., Caller]) -> None:
    """`response_type=token` answers in the fragment, without a refresh token for a client with a secret."""
    call = make_caller()
    asked = log_in(call, get(call, "/services/oauth2/authorize", **{**ASK, "response_type": "token"}))
    reply = Form(asked).send(call, decision="allow")
    assert "#access_token=" in reply.headers["location"]
    answer = came_back(reply)
    assert works(call, answer["access_token"])
    assert "refresh_token" not in answer


def test_several_refresh_tokens_each_with_its_own_end(make_caller: Callable[..., Caller]) -> None:
    """Revoking one ends it and what came from it, over a restart, and leaves the others alone."""
    call = make_caller()
    bodies = [exchange(call, code_of(call)).json() for _ in range(2)]
    refresh = {"grant_type": "refresh_token", **CLIENT}
    fresh = [
        call.http.post("/services/oauth2/token", data={**refresh, "refresh_token": body["refresh_token"]}).json()
        for body in bodies
    ]
    assert "refresh_token" not in fresh[0]
    assert fresh[0]["scope"] == bodies[0]["scope"]
    assert works(call, fresh[0]["access_token"])
    assert get(call, "/services/oauth2/revoke", token=bodies[0]["refresh_token"]).status_code == 200
    assert not works(call, fresh[0]["access_token"])
    assert not works(call, bodies[0]["access_token"])
    assert works(call, fresh[1]["access_token"])
    again = get(call, "/services/oauth2/revoke", token=bodies[0]["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_token")
    call.close()
    call = make_caller()
    used = [
        call.http.post("/services/oauth2/token", data={**refresh, "refresh_token": body["refresh_token"]})
        for body in bodies
    ]
    assert [reply.status_code for reply in used] == [400, 200]
    assert used[0].json()["error_description"] == "expired access/refresh token"


def test_a_narrow_scope_gives_no_refresh_token(make_caller: Callable[..., Caller]) -> None:
    """Without refresh_token in the scope none is given; the scope is repeated."""
    call = make_caller()
    body = exchange(call, code_of(call, scope="api id")).json()
    assert body["scope"] == "api id"
    assert "refresh_token" not in body


def test_a_client_without_a_secret_uses_pkce_alone(make_caller: Callable[..., Caller]) -> None:
    """The client of the command line tool signs in with no secret, and refreshes with none."""
    call = make_caller()
    form = {"client_id": "PlatformCLI", "client_secret": ""}
    reply = log_in(call, get(call, "/services/oauth2/authorize", **{**ASK, **form}, code_challenge=CHALLENGE))
    code = came_back(Form(reply).send(call, decision="allow"))["code"]
    body = exchange(call, code, **form, code_verifier=VERIFIER).json()
    refresh = {"grant_type": "refresh_token", "client_id": "PlatformCLI", "refresh_token": body["refresh_token"]}
    assert call.http.post("/services/oauth2/token", data=refresh).status_code == 200
    wrong = call.http.post("/services/oauth2/token", data={**refresh, "client_secret": "guess"})
    assert wrong.json()["error"] == "invalid_client"


@pytest.mark.documented
def test_introspection_tells_a_client_about_its_own_tokens(make_caller: Callable[..., Caller]) -> None:
    """Live tokens are described, those of the password flow, of others and ended ones are not active."""
    call = make_caller(clients=(EmulatorClient(client_id="other", client_secret="x"),))
    body = exchange(call, code_of(call, scope="api refresh_token")).json()

    def asked(token: str, **client: str) -> dict[str, Any]:
        reply = call.http.post("/services/oauth2/introspect", data={"token": token, **(client or CLIENT)})
        return dict(reply.json())

    found = asked(body["access_token"])
    assert (found["active"], found["username"], found["client_id"]) == (True, "admin@local.org", CLIENT["client_id"])
    assert found["exp"] - found["iat"] == 7200
    assert (found["sub"], found["scope"]) == (body["id"], "api refresh_token")
    assert asked(body["refresh_token"])["token_type"] == "refresh_token"
    assert asked(body["access_token"], client_id="other", client_secret="x") == {"active": False}
    assert asked(body["access_token"], client_id="other", client_secret="y")["error"] == "invalid_client"
    form = {"grant_type": "password", **CLIENT, "username": "admin@local.org", "password": "localpass"}
    typed = call.http.post("/services/oauth2/token", data=form).json()
    assert asked(typed["access_token"]) == asked("nonsense") == {"active": False}
    call.clock.ahead += timedelta(seconds=7201)
    assert asked(body["access_token"]) == {"active": False}


def test_openid_connect(make_caller: Callable[..., Caller]) -> None:
    """Discovery names the endpoints; the id token checks with the published key, the same after a restart."""
    call = make_caller()
    found = get(call, "/.well-known/openid-configuration").json()
    assert found["authorization_endpoint"] == "http://testserver/services/oauth2/authorize"
    body = exchange(call, code_of(call, scope="openid id", nonce="n-1")).json()
    keys = get(call, "/id/keys").json()["keys"]
    claims = jwt.decode(body["id_token"], jwt.PyJWK(keys[0]).key, algorithms=["RS256"], audience=CLIENT["client_id"])
    assert (claims["sub"], claims["nonce"], claims["iss"]) == (body["id"], "n-1", found["issuer"])
    assert jwt.get_unverified_header(body["id_token"])["kid"] == keys[0]["kid"]
    call.close()
    assert get(make_caller(), "/id/keys").json()["keys"] == keys


@pytest.mark.documented
def test_the_device_flow(make_caller: Callable[..., Caller]) -> None:
    """A device asks, waits, is told to slow down, and gets its tokens once after its user let it in."""
    call = make_caller()
    ask = {"response_type": "device_code", "client_id": CLIENT["client_id"], "scope": "api refresh_token"}
    begun = call.http.post("/services/oauth2/token", data=ask).json()
    assert begun["verification_uri"] == "http://testserver/setup/connect"
    poll = {"grant_type": "device", "client_id": CLIENT["client_id"], "code": begun["device_code"]}

    def polled(ahead: float) -> Response:
        call.clock.ahead += timedelta(seconds=ahead)
        return call.http.post("/services/oauth2/token", data=poll)

    assert polled(0).json()["error"] == "authorization_pending"
    assert polled(1).json()["error"] == "slow_down"
    assert polled(begun["interval"]).json()["error"] == "authorization_pending"
    page = log_in(call, get(call, "/setup/connect"))
    wrong = Form(page).send(call, user_code="NOPE")
    assert 'role="alert"' in wrong.text
    asked = Form(page).send(call, user_code=begun["user_code"].lower())
    call.close()
    call = make_caller()
    log_in(call, get(call, "/setup/connect"))
    asked = get(call, "/setup/connect", user_code=begun["user_code"])
    assert Form(asked).buttons == ["allow", "deny"]
    assert "Device connected" in Form(asked).send(call, decision="allow").text
    body = polled(5).json()
    assert works(call, body["access_token"])
    assert body["refresh_token"]
    assert polled(5).json()["error"] == "invalid_grant"
    assert 'role="alert"' in get(call, "/setup/connect", user_code=begun["user_code"]).text


def test_a_device_that_is_refused_or_too_late(make_caller: Callable[..., Caller]) -> None:
    """Denied says access_denied, late and unknown say invalid_grant, foreign scopes are no request at all."""
    call = make_caller()
    ask = {"response_type": "device_code", "client_id": CLIENT["client_id"]}
    begun = [call.http.post("/services/oauth2/token", data=ask).json() for _ in range(2)]
    log_in(call, get(call, "/setup/connect"))
    Form(get(call, "/setup/connect", user_code=begun[0]["user_code"])).send(call, decision="deny")

    def polled(code: str) -> str:
        form = {"grant_type": "device", "client_id": CLIENT["client_id"], "code": code}
        return str(call.http.post("/services/oauth2/token", data=form).json()["error"])

    assert polled(begun[0]["device_code"]) == "access_denied"
    assert polled("nonsense") == "invalid_grant"
    call.clock.ahead += timedelta(minutes=11)
    assert polled(begun[1]["device_code"]) == "invalid_grant"
    wrong = call.http.post("/services/oauth2/token", data={**ask, "scope": "everything"})
    assert wrong.json()["error"] == "invalid_scope"


def test_a_session_opens_the_front_door(call: Caller) -> None:
    """A session or a one-time word signs a browser in; an ended session gets 403 and no word."""
    reply = call("POST", "/services/oauth2/singleaccess", data={"access_token": call.token})
    address = reply.json()["frontdoor_uri"].removeprefix("http://testserver")
    assert get(call, address).headers["location"] == "/login"
    assert "logged in as admin@local.org" in get(call, "/login").text
    get(call, "/secur/logout.jsp")
    assert get(call, address).headers["location"].startswith("/login?")
    assert get(call, "/secur/frontdoor.jsp", sid=call.token, retURL="/setup/connect").headers["location"] == (
        "/setup/connect"
    )
    assert get(call, "/secur/frontdoor.jsp", sid="nope").headers["location"].startswith("/login?")
    call.http.post("/services/oauth2/revoke", data={"token": call.token})
    reply = call.http.post("/services/oauth2/singleaccess", data={"access_token": call.token})
    assert (reply.status_code, reply.text) == (403, "Bad_OAuth_Token")


def test_only_permitted_users_get_through(make_caller: Callable[..., Caller]) -> None:
    """A client for some users refuses the others in every flow, with the error that fits the flow."""
    few = EmulatorClient(client_id="few", client_secret="x", permitted_users=("Boss@local.org",))
    call = make_caller(clients=(few,))
    form = {"client_id": "few", "client_secret": "x"}
    for grant in (
        {"grant_type": "client_credentials"},
        {"grant_type": "password", "username": "admin@local.org", "password": "localpass"},
    ):
        reply = call.http.post("/services/oauth2/token", data={**grant, **form})
        assert reply.json() == {
            "error": "invalid_app_access",
            "error_description": "user is not admin approved to access this app",
        }
    back = came_back(log_in(call, get(call, "/services/oauth2/authorize", **{**ASK, "client_id": "few"})))
    assert back["error"] == "OAUTH_APP_ACCESS_DENIED"
