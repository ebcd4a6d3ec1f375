"""Mails about purchase orders through a real SMTP server: links that work once, retries, dead letters, no token."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orgbridge.client.mails import Mail, MailFailed, MailRefused, MailTLS, SMTPConfig, SMTPSender
from orgbridge.kit.clock import SystemClock
from orgbridge.services.commerce.purchase_decisions import hash_of
from orgbridge.services.commerce.purchase_errors import LinkInvalid, LinkNotYours, PurchaseOrderMoved
from orgbridge.store.mail_records import MailKind, MailRecord, MailState
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseState, PurchaseStep
from tests.support.purchase_bench import PurchaseBench, purchase_bench

_TOKEN = re.compile(r"token=([A-Za-z0-9_%-]+)")
_NOW = datetime(2026, 1, 2, tzinfo=UTC)
_APPROVE = PurchaseStep.APPROVE


@dataclass(slots=True)
class Server:
    """A mail server on loopback that answers as it is told."""

    port: int = 0
    #: What is said to a recipient, and to a mail; None takes it.
    to_recipient: str | None = None
    to_data: str | None = None
    #: Keeps the mail and breaks the connection instead of answering.
    lose_reply: bool = False
    seen: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer to a recipient."""
        if self.to_recipient is not None:
            return self.to_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Answer to a mail."""
        if self.to_data is not None:
            return self.to_data
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.seen.append(message)
        self.recipients.append(list(envelope.rcpt_tos))
        if self.lose_reply:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return "250 OK"


@asynccontextmanager
async def running(server: Server, *, implicit: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[Server]:
    """Run a mail server on a free port."""
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        with warnings.catch_warnings():
            # The library warns of a password without STARTTLS, also where all is inside TLS.
            warnings.simplefilter("ignore")
            return SMTP(server, hostname="mail.test", loop=loop, **options)

    listening = await loop.create_server(session, "127.0.0.1", 0, ssl=implicit)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Give a running mail server without TLS."""
    async with running(Server()) as made:
        yield made


@pytest.fixture
async def bench(store_url: str, server: Server) -> AsyncIterator[PurchaseBench]:
    """Give a bench over each database in turn, whose mails go to the server."""
    async with purchase_bench(store_url, sender=_sender(server), pauses=(5, 30)) as made:
        yield made


def _sender(server: Server, **more: Any) -> SMTPSender:
    values: dict[str, Any] = {"tls": MailTLS.OFF, "timeout_seconds": 5.0} | more
    return SMTPSender(SMTPConfig(host="127.0.0.1", port=server.port, sender="Purchasing <po@house.example>", **values))


async def _deliver(bench: PurchaseBench) -> None:
    assert bench.mailer is not None
    await bench.mailer.deliver()


async def _mails(bench: PurchaseBench, order: PurchaseOrderRecord, kind: MailKind) -> list[MailRecord]:
    detail = await bench.orders.detail(await bench.caller("ada"), order.id)
    return [one for one in detail.mails if one.kind is kind]


def _tokens(server: Server) -> dict[str, str]:
    """Return the token of the last mail to each address."""
    found = {}
    for message in server.seen:
        body = message.get_body(("plain",))
        assert body is not None
        token = _TOKEN.search(body.get_content())
        if token is not None:
            found[message["To"].addresses[0].addr_spec] = token[1]
    return found


async def test_approvers_are_asked_and_the_requester_hears(bench: PurchaseBench, server: Server) -> None:
    """Each approver gets one mail with a link of their own; the decision goes to the requester with its comment."""
    order = await bench.pending(number="4711", note="for March")
    await _deliver(bench)
    await _deliver(bench)
    assert sorted(server.recipients) == [["ben@people.example"], ["cora@people.example"]]
    assert all("4711" in message["Subject"] for message in server.seen)
    assert len(set(_tokens(server).values())) == 2
    await bench.decisions.decide(await bench.caller("ben"), order.id, PurchaseStep.REJECT, comment="too dear")
    await _deliver(bench)
    told = server.seen[-1]
    body = told.get_body(("plain",))
    assert body is not None
    assert (server.recipients[-1], "too dear" in body.get_content()) == (["ada@people.example"], True)
    assert "token" not in body.get_content()
    assert {one.state for one in await _mails(bench, order, MailKind.REQUEST)} == {MailState.SENT}


async def test_a_link_decides_once_for_its_approver(bench: PurchaseBench, server: Server) -> None:
    """Looking changes nothing; somebody else who is signed in is refused; a second use and the other link are late."""
    order = await bench.pending()
    await _deliver(bench)
    tokens = _tokens(server)
    mine, hers = tokens["ben@people.example"], tokens["cora@people.example"]
    for _ in range(3):
        assert (await bench.decisions.linked(mine)).approver == "ben"
    with pytest.raises(LinkNotYours):
        await bench.decisions.decide_by_link(mine, _APPROVE, caller=await bench.caller("cora"))
    assert (await bench.orders.get(await bench.caller("ada"), order.id)).state is PurchaseState.PENDING
    done = await bench.decisions.decide_by_link(mine, _APPROVE, comment="ok")
    assert (done.state, done.decided_name) == (PurchaseState.APPROVED, "ben")
    with pytest.raises(LinkInvalid):
        await bench.decisions.decide_by_link(mine, _APPROVE)
    with pytest.raises(PurchaseOrderMoved):
        await bench.decisions.decide_by_link(hers, _APPROVE)
    for token in ("", "x", "x" * 500, mine[:-1], mine + "A", "\ud800"):
        with pytest.raises(LinkInvalid):
            await bench.decisions.linked(token)
    steps = (await bench.orders.detail(await bench.caller("ada"), order.id)).steps
    assert (steps[-1].via, steps[-1].actor_name) == ("link", "ben")
    entries = [(one.action, one.outcome, one.actor_name) for one in await bench.audit()]
    assert ("purchase_orders.approve", "succeeded", "ben") in entries
    assert ("purchase_orders.approve", "refused", "cora") in entries


async def test_one_link_used_at_once_from_many_places_acts_once(bench: PurchaseBench, server: Server) -> None:
    """Ten at one moment: one decision."""
    await bench.pending()
    await _deliver(bench)
    token = _tokens(server)["ben@people.example"]
    done = await asyncio.gather(
        *(bench.decisions.decide_by_link(token, _APPROVE) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(one, PurchaseOrderRecord) for one in done) == 1
    assert all(isinstance(one, PurchaseOrderRecord | LinkInvalid | PurchaseOrderMoved) for one in done)


async def test_a_link_ends_with_its_order_its_time_and_its_approver(bench: PurchaseBench, server: Server) -> None:
    """Past the order's end, or for somebody disabled or taken off the list, it decides nothing."""
    await bench.pending()
    await _deliver(bench)
    token = _tokens(server)["ben@people.example"]
    async with bench.database.unit() as unit:
        await unit.users.update(bench.users["ben"], disabled=True)
    with pytest.raises(LinkInvalid):
        await bench.decisions.decide_by_link(token, _APPROVE)
    async with bench.database.unit() as unit:
        await unit.users.update(bench.users["ben"], disabled=False)
    bench.clock.move(11 * 86_400)
    with pytest.raises(LinkInvalid):
        await bench.decisions.linked(token)


async def test_the_store_and_the_log_hold_no_token(bench: PurchaseBench, server: Server) -> None:
    """Hashes are in the store, the outbox holds neither link nor address, and nothing that is logged names a token."""
    with structlog.testing.capture_logs() as logs:
        order = await bench.pending()
        await _deliver(bench)
        token = _tokens(server)["ben@people.example"]
        await bench.decisions.decide_by_link(token, _APPROVE)
        with pytest.raises(LinkInvalid):
            await bench.decisions.decide_by_link(token, _APPROVE)
    async with bench.database.unit(write=False) as unit:
        link = await unit.approval_links.get(hash_of(token))
        assert link is not None
        assert await unit.approval_links.get(token) is None
        kept = [repr(link), *map(repr, await unit.mails.of_order(order.id, 100))]
        kept += [repr(one) for one in await unit.purchase_orders.steps(order.id)]
        kept += [one.content for one in await bench.audit()]
    assert link.used_at is not None
    assert all(token not in text for text in [*kept, *map(str, logs)])


async def test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not(bench: PurchaseBench, server: Server) -> None:
    """451 waits for the next pause, up to the last, then it is dead; 550 is dead at once; each says why."""
    server.to_data = "451 greylisted, come back"
    order = await bench.pending()
    for attempts, pause in ((1, 5), (2, 30)):
        await _deliver(bench)
        (mail, _) = await _mails(bench, order, MailKind.REQUEST)
        assert (mail.state, mail.attempts) == (MailState.PENDING, attempts)
        assert "451" in (mail.last_error or "")
        await _deliver(bench)  # not due yet
        assert (await _mails(bench, order, MailKind.REQUEST))[0].attempts == attempts
        bench.clock.move(pause)
    await _deliver(bench)
    assert {one.state for one in await _mails(bench, order, MailKind.REQUEST)} == {MailState.DEAD}
    server.to_data = None
    async with bench.database.unit() as unit:
        assert await unit.mails.again(mail.id, bench.clock.now())
    await _deliver(bench)
    assert len(server.seen) == 1
    server.to_recipient = "550 no such user\r\n"
    other = await bench.pending()
    await _deliver(bench)
    (dead, _) = await _mails(bench, other, MailKind.REQUEST)
    assert (dead.state, dead.attempts) == (MailState.DEAD, 1)
    assert "550" in (dead.last_error or "")


async def test_a_mail_whose_reply_was_lost_comes_again_under_its_name(bench: PurchaseBench, server: Server) -> None:
    """The server had it: the second one bears the same Message-ID, and both links lead to one decision."""
    await bench.rule(approvers=["ben"])
    server.lose_reply = True
    order = await bench.pending()
    await _deliver(bench)
    (mail,) = await _mails(bench, order, MailKind.REQUEST)
    assert mail.state is MailState.PENDING
    first = _tokens(server)["ben@people.example"]
    server.lose_reply = False
    bench.clock.move(5)
    await _deliver(bench)
    assert len({message["Message-ID"] for message in server.seen}) == 1
    second = _tokens(server)["ben@people.example"]
    assert first != second
    assert (await bench.decisions.decide_by_link(first, _APPROVE)).state is PurchaseState.APPROVED
    with pytest.raises(PurchaseOrderMoved):
        await bench.decisions.decide_by_link(second, _APPROVE)


async def test_many_workers_send_each_mail_once(bench: PurchaseBench, server: Server) -> None:
    """Five at once over twelve mails: twelve arrive."""
    for _ in range(6):
        await bench.pending()
    await asyncio.gather(*(_deliver(bench) for _ in range(5)))
    assert len({message["Message-ID"] for message in server.seen}) == len(server.seen) == 12


async def test_a_worker_that_died_with_a_mail_in_hand_loses_none(bench: PurchaseBench, server: Server) -> None:
    """Its claim runs out, and the mail is sent by another one."""
    order = await bench.pending()
    now = bench.clock.now()
    for mail in await _mails(bench, order, MailKind.REQUEST):
        async with bench.database.unit() as unit:
            until = now.replace(hour=now.hour + 1)
            assert await unit.mails.claim(mail, now, until)
    await _deliver(bench)
    assert server.seen == []
    bench.clock.move(3_700)
    await _deliver(bench)
    assert len(server.seen) == 2


async def test_a_question_that_was_answered_is_not_asked(bench: PurchaseBench, server: Server) -> None:
    """Decided before the mails went out: they are dropped, and only the requester hears."""
    order = await bench.pending()
    await bench.decisions.decide(await bench.caller("ben"), order.id, _APPROVE)
    await _deliver(bench)
    assert server.recipients == [["ada@people.example"]]
    assert {one.state for one in await _mails(bench, order, MailKind.REQUEST)} == {MailState.DROPPED}


async def test_somebody_without_an_address_is_a_dead_letter_that_says_so(bench: PurchaseBench, server: Server) -> None:
    """Nothing is sent to nowhere, and the others get theirs."""
    async with bench.database.unit() as unit:
        await unit.users.update(bench.users["ben"], email=None)
    order = await bench.pending()
    await _deliver(bench)
    states = {one.recipient_id: one.state for one in await _mails(bench, order, MailKind.REQUEST)}
    assert states == {bench.users["ben"]: MailState.DEAD, bench.users["cora"]: MailState.SENT}


_MAIL = Mail(id="mail_1", to="a@b.example", to_name="A", subject="S", text="T", html="<p>T</p>")


def _contexts(folder: Path) -> tuple[ssl.SSLContext, str]:
    key, now = ec.generate_private_key(ec.SECP256R1()), SystemClock().now()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    places = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))
    builder = builder.add_extension(places, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    path, key_path = folder / "mail.pem", folder / "mail-key.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return context, str(path)


async def test_starttls_and_tls_protect_the_password(tmp_path: Path) -> None:
    """Signed in over STARTTLS and over TLS; a server without STARTTLS, or of a foreign authority, gets nothing."""
    context, authority = _contexts(tmp_path)

    def authenticator(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"mailer", b"s3cret"))

    named = {"username": "mailer", "password": "s3cret", "authority": authority}
    options: dict[str, Any] = {"authenticator": authenticator, "auth_required": True}
    async with running(Server(), tls_context=context, require_starttls=True, **options) as server:
        await _sender(server, tls=MailTLS.STARTTLS, **named).send(_MAIL, _NOW)
        assert len(server.seen) == 1
        wrong = named | {"password": "wrong-s3cret"}
        with pytest.raises(MailFailed) as caught:
            await _sender(server, tls=MailTLS.STARTTLS, **wrong).send(_MAIL, _NOW)
        assert "wrong-s3cret" not in caught.value.message
        with pytest.raises(MailFailed):
            await _sender(server, tls=MailTLS.STARTTLS, username="mailer", password="s3cret").send(_MAIL, _NOW)
    async with running(Server(), implicit=context, auth_require_tls=False, **options) as server:
        await _sender(server, tls=MailTLS.TLS, **named).send(_MAIL, _NOW)
        assert len(server.seen) == 1
    async with running(Server(), auth_require_tls=False, **options) as plain:
        with pytest.raises(MailFailed):
            await _sender(plain, tls=MailTLS.STARTTLS, **named).send(_MAIL, _NOW)
        assert plain.seen == []


async def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    """Neither a silent server nor none at all holds a worker up."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        with pytest.raises(MailFailed):
            await _sender(Server(port=port), timeout_seconds=0.2).send(_MAIL, _NOW)
    with pytest.raises(MailFailed):
        await _sender(Server(port=port), timeout_seconds=0.2).send(_MAIL, _NOW)


async def test_nothing_is_said_to_a_server_about_an_address_that_is_none(server: Server) -> None:
    """Two addresses in one, or a header behind one, never get as far as the server."""
    for address in ("a@b.example,c@d.example", "a@b.example\r\nRCPT TO:<c@d.example>"):
        with pytest.raises(MailRefused):
            await _sender(server).send(Mail(id="m", to=address, to_name="A", subject="S", text="T", html="H"), _NOW)
    assert server.recipients == []
