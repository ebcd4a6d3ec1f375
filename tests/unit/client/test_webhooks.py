"""Webhooks go to public receivers only, wherever a name leads, and carry a signature that others can check."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.client.webhooks import (
    WebhookFailed,
    WebhookPolicy,
    WebhookRefused,
    WebhookSender,
    new_secret,
    signature,
)

_LOOPBACK = WebhookPolicy.of(("127.0.0.0/8",))
_NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x",
        "ftp://hooks.example.com/x",
        "https://user:pw@hooks.example.com/x",
        "https:///x",
        "https://127.0.0.1/x",
        "https://10.1.2.3/x",
        "https://192.168.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/x",
        "https://0.0.0.0/x",
        "https://224.0.0.1/x",
        "https://[::1]/x",
        "https://[fe80::1]/x",
        "https://[fd00::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[2002:7f00:1::]/x",
        "https://hooks.example.com/x#part",
        "https://hooks.example.com/a b",
        "https://hooks.example.com:99999/x",
        "not a url",
        "",
    ],
)
def test_an_address_inside_the_house_is_refused(url: str) -> None:
    """Private, loopback, link-local, shared, reserved and tunnelled addresses, plain http, and what is no URL."""
    with pytest.raises(WebhookRefused):
        WebhookPolicy().check(url)


@pytest.mark.parametrize("url", ["https://hooks.example.com/x", "https://8.8.8.8:8443/x", "https://[2606:4700::1]/x"])
def test_a_public_receiver_by_https_passes(url: str) -> None:
    """Nothing has to be allowed for it."""
    WebhookPolicy().check(url)


def test_what_is_allowed_passes_and_nothing_beside_it() -> None:
    """A network allows its addresses, a name allows itself, both by plain http too."""
    policy = WebhookPolicy.of(("10.1.0.0/16", "hooks.internal"))
    policy.check("http://10.1.2.3/x")
    policy.check("https://[::ffff:10.1.2.3]/x")
    policy.check("http://hooks.internal:8080/x")
    for url in ("http://10.2.0.1/x", "https://10.2.0.1/x", "http://other.internal/x"):
        with pytest.raises(WebhookRefused):
            policy.check(url)
    with pytest.raises(ValueError, match="neither"):
        WebhookPolicy.of(("what is this",))


@given(st.text(max_size=60))
def test_no_text_is_too_odd_for_the_check(text: str) -> None:
    """Any text is taken or refused, and nothing else happens."""
    for url in (text, f"https://{text}/x"):
        try:
            WebhookPolicy().check(url)
        except WebhookRefused:
            continue


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The specification's own example gives the specification's own signature."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    given = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert given == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    own = new_secret()
    key = base64.b64decode(own.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, b"m.1.x", hashlib.sha256).digest()).decode()
    assert signature(own, "m", 1, b"x") == f"v1,{expected}"
    with pytest.raises(ValueError, match="secret"):
        signature("whsec_?", "m", 1, b"x")


class _Receiver:
    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.seen.append((dict(request.headers), await request.read()))
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        return web.Response(status=204)


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[_Receiver, int]]:
    """Give a receiver on loopback and its port."""
    receiver = _Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield receiver, runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _send(sender: WebhookSender, url: str, secret: str = "whsec_AAAA") -> int:
    try:
        return await sender.send(url=url, secret=secret, message_id="msg_1", now=_NOW, event="load.failed", body=b"{}")
    finally:
        await sender.close()


async def test_a_message_arrives_signed(receiver: tuple[_Receiver, int]) -> None:
    """The receiver can compute the signature from headers, body and secret."""
    secret = new_secret()
    assert await _send(WebhookSender(_LOOPBACK), f"http://127.0.0.1:{receiver[1]}/x", secret) == 204
    headers, body = receiver[0].seen[0]
    expected = signature(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == expected
    assert headers["webhook-timestamp"] == str(int(_NOW.timestamp()))


async def test_a_redirect_is_an_answer_and_not_a_way(receiver: tuple[_Receiver, int]) -> None:
    """The status is told; nobody goes where it points."""
    assert await _send(WebhookSender(_LOOPBACK), f"http://127.0.0.1:{receiver[1]}/moved") == 302
    assert len(receiver[0].seen) == 1


async def test_a_public_name_that_leads_inside_is_refused(
    receiver: tuple[_Receiver, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is where the name leads at the moment of the connection, one bad address spoiling the good ones."""

    def lead(*places: str) -> None:
        async def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, receiver[1])) for place in places]

        monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", resolve)

    url = f"https://hooks.example.com:{receiver[1]}/x"
    for places in (("127.0.0.1",), ("93.184.216.34", "10.0.0.1")):
        lead(*places)
        with pytest.raises(WebhookRefused, match="private network"):
            await _send(WebhookSender(WebhookPolicy()), url)
    assert receiver[0].seen == []
    lead("127.0.0.1")
    assert await _send(WebhookSender(WebhookPolicy.of(("hooks.example.com",))), url.replace("https", "http")) == 204


async def test_a_receiver_that_is_away_is_a_failure_without_secrets() -> None:
    """The error names its kind and neither the address nor what was to be sent."""
    with pytest.raises(WebhookFailed) as caught:
        await _send(WebhookSender(_LOOPBACK), "http://127.0.0.1:9/secret-path", "whsec_c2VjcmV0")
    assert "secret" not in caught.value.message
