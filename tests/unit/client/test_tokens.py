"""The shared token: one sign-in for many, early renewal, refusals held back, no secret shown."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import logging
import pickle
import socket

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orgbridge.client import (
    ClientCredentials,
    Credentials,
    JWTCredentials,
    PasswordCredentials,
    RefreshCredentials,
    Salesforce,
    Secret,
    Token,
    TokenConfig,
    TransportConfig,
    errors,
)
from orgbridge.client.auth.credentials import default_audience, flow_name
from orgbridge.kit.errors import ErrorKind
from tests.support.clocks import HandClock
from tests.support.salesforce_double import Answer, Drop, SalesforceDouble
from tests.unit.client.conftest import SECRET

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def refused(error: str, description: str, status: int = 400) -> Answer:
    """Return a refusal of the token endpoint."""
    return Answer(status=status, json={"error": error, "error_description": description})


async def test_many_callers_sign_in_once(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A hundred callers without a token get the same one from one sign-in."""
    tokens = await asyncio.gather(*(salesforce.tokens.get() for _ in range(100)))
    assert len({token.authorization for token in tokens}) == 1
    assert (len(double.token_forms), salesforce.tokens.sign_ins) == (1, 1)
    assert tokens[0].org_id == "00D000000000001AAA"
    assert tokens[0].user_id == "005000000000001AAA"


async def test_caller_that_gives_up_leaves_the_sign_in_to_others(
    salesforce: Salesforce, double: SalesforceDouble
) -> None:
    """Cancelling one waiting caller does not cancel the sign-in."""
    first = asyncio.create_task(salesforce.tokens.get())
    second = asyncio.create_task(salesforce.tokens.get())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).org_id == "00D000000000001AAA"
    assert len(double.token_forms) == 1


async def test_token_is_renewed_before_its_assumed_end(
    salesforce: Salesforce, double: SalesforceDouble, clock: HandClock
) -> None:
    """A token is kept until the buffer before two idle hours, then renewed."""
    first = await salesforce.tokens.get()
    clock.move(7200 - 301)
    assert await salesforce.tokens.get() is first
    clock.move(2)
    assert (await salesforce.tokens.get()).authorization != first.authorization


async def test_use_prolongs_a_session(salesforce: Salesforce, double: SalesforceDouble, clock: HandClock) -> None:
    """A token that Salesforce took in the second half of its life lives on; use in the first half changes nothing."""
    token = await salesforce.tokens.get()
    clock.move(3000)
    salesforce.tokens.used(token)
    clock.move(3000)
    salesforce.tokens.used(token)
    clock.move(6000)
    assert await salesforce.tokens.get() is token
    clock.move(1000)
    assert await salesforce.tokens.get() is not token


async def test_buffer_beyond_the_session_still_gives_a_usable_token(
    double: SalesforceDouble, sign_in: TokenConfig, config: TransportConfig, clock: HandClock
) -> None:
    """A refresh buffer longer than the session does not mean a sign-in for every call."""
    short = dataclasses.replace(sign_in, session_seconds=10.0, refresh_buffer=300.0)
    async with Salesforce(short, config, clock=clock) as salesforce:
        for _ in range(5):
            await salesforce.tokens.get()
    assert len(double.token_forms) == 1


async def test_early_renewal_that_fails_keeps_the_living_token(
    salesforce: Salesforce, double: SalesforceDouble, clock: HandClock
) -> None:
    """While the old token still lives, an unavailable token endpoint costs nobody a call."""
    token = await salesforce.tokens.get()
    clock.move(7000)
    double.token_replies.extend([Answer(status=503)] * 3)
    assert await salesforce.tokens.get() is token
    assert await salesforce.tokens.get() is token
    assert len(double.token_forms) == 4
    clock.move(31)
    assert await salesforce.tokens.get() is not token


async def test_only_the_present_token_can_be_thrown_away(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A late complaint about an old token leaves the new one alone."""
    old = await salesforce.tokens.get()
    salesforce.tokens.invalidate(old)
    new = await salesforce.tokens.get()
    salesforce.tokens.invalidate(old)
    assert await salesforce.tokens.get() is new
    assert len(double.token_forms) == 2


async def test_refusal_is_shared_and_not_tried_again(
    salesforce: Salesforce, double: SalesforceDouble, clock: HandClock
) -> None:
    """Twenty callers with a wrong password cost one sign-in, and for five minutes nobody tries again."""
    double.token_replies.extend([refused("invalid_grant", "authentication failure")] * 3)
    failures = await asyncio.gather(*(salesforce.tokens.get() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(failure, errors.AuthenticationFailed) for failure in failures)
    clock.move(299)
    with pytest.raises(errors.AuthenticationFailed):
        await salesforce.tokens.get()
    assert len(double.token_forms) == 1
    clock.move(2)
    with pytest.raises(errors.AuthenticationFailed):
        await salesforce.tokens.get()
    clock.move(599)
    with pytest.raises(errors.AuthenticationFailed):
        await salesforce.tokens.get()
    assert len(double.token_forms) == 2
    salesforce.tokens.forget_refusal()
    with pytest.raises(errors.AuthenticationFailed):
        await salesforce.tokens.get()
    assert len(double.token_forms) == 3


async def test_call_without_a_token_is_not_retried(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A refused sign-in ends a call at once, though the call itself would be safe to repeat."""
    double.token_replies.append(refused("invalid_client", "invalid client credentials"))
    with pytest.raises(errors.AuthenticationFailed):
        await salesforce.limits.get()
    assert (len(double.token_forms), salesforce.calls) == (1, 0)


async def test_lost_sign_in_is_tried_again(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A token endpoint that breaks off or is down for a moment is asked again."""
    double.token_replies.extend([Drop(), Answer(status=502, body=b"<html>Bad Gateway</html>")])
    assert (await salesforce.tokens.get()).org_id is not None
    assert len(double.token_forms) == 3


async def test_unreachable_token_endpoint_has_cause_and_remedy(
    sign_in: TokenConfig, config: TransportConfig, clock: HandClock
) -> None:
    """Nobody listening at the token URL is `SignInUnavailable`; for the call itself nothing was sent."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/services/oauth2/token"
    async with Salesforce(dataclasses.replace(sign_in, token_url=closed), config, clock=clock) as salesforce:
        with pytest.raises(errors.SignInUnavailable) as caught:
            await salesforce.records.create("Account", {"Name": "Acme"})
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert "token URL" in caught.value.remedy


@pytest.mark.parametrize(
    ("reply", "kind", "cause", "remedy"),
    [
        pytest.param(
            refused("invalid_grant", "authentication failure"),
            ErrorKind.UPSTREAM,
            "password",
            "security token",
            id="password",
        ),
        pytest.param(
            refused("invalid_grant", "request not supported on this domain"),
            ErrorKind.UPSTREAM,
            "not served on the host",
            "My Domain",
            id="domain",
        ),
        pytest.param(
            refused("invalid_grant", "expired access/refresh token"),
            ErrorKind.UPSTREAM,
            "refresh token",
            "Consent",
            id="refresh",
        ),
        pytest.param(
            refused("invalid_grant", "user hasn't approved this consumer"),
            ErrorKind.UPSTREAM,
            "not approved",
            "Permitted Users",
            id="approval",
        ),
        pytest.param(
            refused("invalid_app_access", "user is not admin approved to access this app"),
            ErrorKind.UPSTREAM,
            "administrator",
            "Assign",
            id="admin",
        ),
        pytest.param(
            refused("invalid_grant", "audience is invalid"),
            ErrorKind.UPSTREAM,
            "audience",
            "test.salesforce.com",
            id="audience",
        ),
        pytest.param(
            refused("invalid_grant", "invalid assertion"), ErrorKind.UPSTREAM, "assertion", "clock", id="assertion"
        ),
        pytest.param(
            refused("invalid_grant", "inactive user"), ErrorKind.UPSTREAM, "inactive", "Activate", id="inactive"
        ),
        pytest.param(
            refused("invalid_grant", "IP restricted or invalid login hours"),
            ErrorKind.UPSTREAM,
            "address",
            "IP",
            id="ip",
        ),
        pytest.param(
            refused("invalid_grant", "something new"), ErrorKind.UPSTREAM, "something new", "Login History", id="new"
        ),
        pytest.param(
            refused("invalid_client_id", "client identifier invalid"),
            ErrorKind.UPSTREAM,
            "consumer key",
            "ten minutes",
            id="id",
        ),
        pytest.param(
            refused("invalid_client", "invalid client credentials", 401),
            ErrorKind.UPSTREAM,
            "secret",
            "Copy",
            id="secret",
        ),
        pytest.param(
            refused("unsupported_grant_type", "grant type not supported"),
            ErrorKind.UPSTREAM,
            "flow",
            "Enable",
            id="grant",
        ),
        pytest.param(
            refused("OAUTH_APP_ACCESS_DENIED", "denied"),
            ErrorKind.UPSTREAM,
            "API Access Control",
            "Uninstalled",
            id="access",
        ),
        pytest.param(refused("invalid_grant", "login rate exceeded"), ErrorKind.LIMITED, "too many", "Wait", id="rate"),
        pytest.param(
            refused("unheard_of", "of"), ErrorKind.UPSTREAM, "unheard_of", "/services/oauth2/token", id="unheard"
        ),
        pytest.param(
            Answer(status=404, body=b"<html>nothing here</html>"),
            ErrorKind.UPSTREAM,
            "404",
            "/services/oauth2/token",
            id="wrong-url",
        ),
    ],
)
async def test_pain_6_each_refusal_has_cause_and_remedy(
    salesforce: Salesforce, double: SalesforceDouble, reply: Answer, kind: ErrorKind, cause: str, remedy: str
) -> None:
    """Each refusal of the token endpoint is told with what is wrong and what to change."""
    double.token_replies.append(reply)
    with pytest.raises(errors.AuthenticationFailed) as caught:
        await salesforce.tokens.get()
    assert caught.value.kind is kind
    assert cause in caught.value.cause
    assert remedy in caught.value.remedy
    assert caught.value.remedy in str(caught.value)


async def test_reply_without_a_token_is_malformed(salesforce: Salesforce, double: SalesforceDouble) -> None:
    """A 200 of the token endpoint that is no token reply is an error, not a crash."""
    double.token_replies.extend([Answer(json={"token_type": "Bearer"}), Answer(body=b"<html>"), Answer(json=[])])
    for _ in range(3):
        with pytest.raises(errors.MalformedReply):
            await salesforce.tokens.get()


async def test_password_flow_sends_its_form(
    double: SalesforceDouble, sign_in: TokenConfig, config: TransportConfig, clock: HandClock
) -> None:
    """The password flow posts user, password and app as a form."""
    credentials = PasswordCredentials(
        client_id="key", client_secret=Secret("s"), username="ann@acme", password=Secret("p&w=+ä")
    )
    async with Salesforce(dataclasses.replace(sign_in, credentials=credentials), config, clock=clock) as salesforce:
        await salesforce.tokens.get()
    assert double.token_forms == [
        {
            "grant_type": "password",
            "client_id": "key",
            "client_secret": "s",
            "username": "ann@acme",
            "password": "p&w=+ä",
        }
    ]


async def test_jwt_flow_signs_an_assertion(
    double: SalesforceDouble, sign_in: TokenConfig, config: TransportConfig, clock: HandClock
) -> None:
    """The JWT bearer flow posts an RS256 assertion for the user that lives three minutes."""
    credentials = JWTCredentials(client_id="key", username="ann@acme", private_key=Secret(PEM))
    async with Salesforce(dataclasses.replace(sign_in, credentials=credentials), config, clock=clock) as salesforce:
        await salesforce.tokens.get()
    form = double.token_forms[0]
    claims = jwt.decode(
        form["assertion"],
        KEY.public_key(),
        algorithms=["RS256"],
        audience="https://login.salesforce.com",
        options={"verify_exp": False},
    )
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert (claims["iss"], claims["sub"]) == ("key", "ann@acme")
    assert claims["exp"] == int(clock.now().timestamp()) + 180


async def test_unreadable_key_is_told_without_the_key(
    double: SalesforceDouble, sign_in: TokenConfig, config: TransportConfig, clock: HandClock
) -> None:
    """A private key that is no PEM is refused with a remedy, before anything is sent, and is not quoted."""
    credentials = JWTCredentials(client_id="key", username="ann@acme", private_key=Secret("not-a-private-key"))
    async with Salesforce(dataclasses.replace(sign_in, credentials=credentials), config, clock=clock) as salesforce:
        with pytest.raises(errors.AuthenticationFailed, match="PEM") as caught:
            await salesforce.tokens.get()
    assert "not-a-private-key" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert double.token_forms == []


async def test_rotated_refresh_token_replaces_the_old_one(
    double: SalesforceDouble, sign_in: TokenConfig, config: TransportConfig, clock: HandClock
) -> None:
    """A refresh token that comes with the reply is used the next time."""
    credentials = RefreshCredentials(client_id="key", refresh_token=Secret("old"), client_secret=Secret("s"))
    reply = {"access_token": "00D000000000001!A", "instance_url": f"{double.url}/", "refresh_token": "new"}
    double.token_replies.append(Answer(json=reply))
    async with Salesforce(dataclasses.replace(sign_in, credentials=credentials), config, clock=clock) as salesforce:
        token = await salesforce.tokens.get()
        assert (token.org_id, token.instance_url) == (None, double.url)
        salesforce.tokens.invalidate(token)
        await salesforce.tokens.get()
    assert [form["refresh_token"] for form in double.token_forms] == ["old", "new"]


@pytest.mark.parametrize(
    ("url", "audience"),
    [
        ("https://login.salesforce.com/services/oauth2/token", "https://login.salesforce.com"),
        ("https://acme.my.salesforce.com/services/oauth2/token", "https://login.salesforce.com"),
        ("https://test.salesforce.com/services/oauth2/token", "https://test.salesforce.com"),
        ("https://acme--dev.sandbox.my.salesforce.com/services/oauth2/token", "https://test.salesforce.com"),
    ],
)
def test_audience_follows_the_token_url(url: str, audience: str) -> None:
    """An assertion for a sandbox names the sandbox login host."""
    assert default_audience(url) == audience


def test_flows_have_the_names_of_the_setting() -> None:
    """Each kind of credentials has its name as `SALESFORCE_AUTH_FLOW` spells it."""
    secret = Secret("x")
    kinds: list[Credentials] = [
        PasswordCredentials(client_id="a", client_secret=secret, username="b", password=secret),
        ClientCredentials(client_id="a", client_secret=secret),
        JWTCredentials(client_id="a", username="b", private_key=secret),
        RefreshCredentials(client_id="a", refresh_token=secret),
    ]
    assert [flow_name(kind) for kind in kinds] == ["password", "client_credentials", "jwt_bearer", "refresh_token"]


async def test_pain_7_no_secret_is_shown(
    salesforce: Salesforce, double: SalesforceDouble, sign_in: TokenConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither secret nor token shows in a repr, a format, a log record or an error."""
    caplog.set_level(logging.DEBUG)
    token = await salesforce.tokens.get()
    salesforce.tokens.invalidate(token)
    double.token_replies.append(refused("invalid_client", "invalid client credentials"))
    with pytest.raises(errors.AuthenticationFailed) as caught:
        await salesforce.tokens.get()
    shown = f"{sign_in!r} {token!r} {token} {caught.value!r} {caplog.text} {copy.copy(sign_in)!r}"
    assert SECRET not in shown
    assert token.access_token.reveal() not in shown


def test_secret_gives_itself_only_by_name() -> None:
    """A secret prints as `[secret]`, compares by value, and cannot be pickled."""
    secret = Secret("hunter2")
    assert f"{secret} {secret!r} {secret:>10}" == "[secret] [secret] [secret]"
    assert (secret == Secret("hunter2"), secret == "hunter2", bool(Secret(""))) == (True, False, False)
    assert len({secret, Secret("hunter2")}) == 1
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("url", ["login.salesforce.com", "ftp://login.salesforce.com/", "https://"])
def test_token_url_must_be_a_url(sign_in: TokenConfig, url: str) -> None:
    """A token URL without scheme or host is refused when it is configured."""
    with pytest.raises(ValueError, match="http"):
        dataclasses.replace(sign_in, token_url=url)


async def test_close_ends_a_sign_in_under_way(salesforce: Salesforce) -> None:
    """Closing the client while it signs in leaves no task behind."""
    waiting = asyncio.create_task(salesforce.tokens.get())
    await asyncio.sleep(0)
    await salesforce.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(RuntimeError):
        await salesforce.limits.get()


def test_token_authorizes_as_bearer() -> None:
    """A token goes into the header as Bearer."""
    token = Token(access_token=Secret("00D!A"), instance_url="https://a", org_id=None, user_id=None)
    assert token.authorization == "Bearer 00D!A"
