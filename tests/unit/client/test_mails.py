"""Mails: no text of anybody becomes a header or an address, and both bodies say what they were given."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.client.mails import Mail, MailRefused, build_message
from orgbridge.kit.mail_addresses import is_sender, one_line, parse_sender

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=80)


def _mail(**more: str) -> Mail:
    values = {"id": "mail_1", "to": "a@b.example", "to_name": "A", "subject": "S", "text": "T\n", "html": "<p>T</p>"}
    return Mail(**(values | more))


@given(subject=_TEXT, name=_TEXT)
def test_no_subject_and_no_name_makes_a_header(subject: str, name: str) -> None:
    """Whatever they hold, the message on the wire has our headers and no others."""
    message = build_message(_mail(subject=subject, to_name=name), "Purchasing <p@x.example>", _NOW)
    read = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert sorted(read.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )
    assert [one.addr_spec for one in read["To"].addresses] == ["a@b.example"]
    assert read["Message-ID"] == "<mail_1@x.example>"


@pytest.mark.parametrize(
    "text",
    ["Hi\r\nBcc: all@x.example", "Hi\nBcc: all@x.example", "Hi\x0b\x0cBcc: x", "Hi\u2028Bcc: x", "\r\n\r\nbody"],
)
def test_a_line_end_in_a_subject_ends_nothing(text: str) -> None:
    """The subject is one line, and no recipient is added."""
    message = build_message(_mail(subject=text), "p@x.example", _NOW)
    assert "Bcc" not in message
    assert one_line(text) == message["Subject"]
    assert len(str(message["Subject"]).splitlines()) <= 1


@pytest.mark.parametrize(
    "address",
    [
        *("", "a", "a@", "@b", "a b@c.example", "a@b.example,c@d.example", "a@b.example\r\nBcc: c@d.example"),
        *(
            "<a@b.example>",
            "A <a@b.example>",
            "a@b.example;c@d.example",
            '"x y"@b.example',
            "a@b.example\x00",
            "a@-b.x",
        ),
    ],
)
def test_what_is_no_single_address_is_refused(address: str) -> None:
    """No list, no comment, no header, no empty one."""
    with pytest.raises(MailRefused):
        build_message(_mail(to=address), "p@x.example", _NOW)


def test_both_bodies_arrive_as_they_were_given() -> None:
    """Plain text and HTML, umlauts and long lines included."""
    text, html = "Größe: " + "x" * 2_000 + "\n", "<p>Größe</p>\n"
    read = message_from_bytes(
        build_message(_mail(text=text, html=html), "Einkauf Köln <p@x.example>", _NOW).as_bytes(), policy=policy.default
    )
    plain, rich = read.iter_parts()
    assert (plain.get_content_type(), plain.get_content().replace("\r\n", "\n")) == ("text/plain", text)
    assert (rich.get_content_type(), rich.get_content().replace("\r\n", "\n")) == ("text/html", html)
    assert read["From"].addresses[0].display_name == "Einkauf Köln"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("p@x.example", ("", "p@x.example")),
        ("<p@x.example>", ("", "p@x.example")),
        ("A B <p@x.example>", ("A B", "p@x.example")),
        ('"A, B" <p@x.example>', ("A, B", "p@x.example")),
    ],
)
def test_a_sender_is_an_address_or_a_name_with_one(text: str, parts: tuple[str, str]) -> None:
    """Both ways of writing it are read."""
    assert parse_sender(text) == parts


@pytest.mark.parametrize("text", ["", "nobody", "A <nobody>", "a@b.example, c@d.example", "A <a@b.example> x"])
def test_what_is_no_sender_is_told(text: str) -> None:
    """A setting of such a text stops the start."""
    assert not is_sender(text)


def test_no_body_is_shown() -> None:
    """A printed mail does not hold its text: it may carry a link that is as good as a signature."""
    assert "secret-token" not in repr(_mail(text="secret-token", html="secret-token"))
