"""What mails about purchase orders say, as plain text and as HTML. Pure. Every value is escaped, none is markup."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Final, assert_never

from orgbridge.services.commerce.purchase_rules import money
from orgbridge.store.mail_records import MailKind
from orgbridge.store.purchase_order_records import PurchaseLine, PurchaseOrderRecord

#: Lines of an order that a mail lists; it says how many there are besides.
_LINES_SHOWN: Final = 20
_TEXT_CHARS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class MailText:
    """A mail's content."""

    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


def write_mail(
    kind: MailKind, order: PurchaseOrderRecord, *, organization: str, comment: str = "", link: str | None = None
) -> MailText:
    """Return what a mail says.

    Args:
        kind: What it is about.
        order: As it is now.
        organization: The name of its organization.
        comment: What was said with the decision.
        link: Where the approver decides; None where this service does not know its own address.
    """
    amount = f"{money(order.total)} {order.currency}"
    title = f"Purchase order {order.number}"
    who = order.decided_name or "a rule of the organization"
    match kind:
        case MailKind.REQUEST:
            subject = f"{'Urgent: p' if order.urgent else 'P'}lease decide: purchase order {order.number}, {amount}"
            head = f"{order.requester_name} asks you to approve {amount} for {organization}."
        case MailKind.REMINDER:
            subject = f"Still waiting: purchase order {order.number}, {amount}"
            head = f"{order.requester_name} still waits for your decision about {amount} for {organization}."
        case MailKind.APPROVED:
            subject = f"{title} is approved"
            head = f"{who} approved your purchase order over {amount}. It can be ordered now."
        case MailKind.REJECTED:
            subject = f"{title} is rejected"
            head = f"{who} rejected your purchase order over {amount}."
        case MailKind.EXPIRED:
            subject = f"{title} has expired"
            head = f"Your purchase order over {amount} was not decided, or not ordered, in time."
        case MailKind.ORDERED:
            subject = f"{title} is ordered"
            head = f"An approver ordered your purchase order over {amount}."
        case _:
            assert_never(kind)
    asks = kind in (MailKind.REQUEST, MailKind.REMINDER)
    until = f"{order.expires_at:%Y-%m-%d %H:%M} UTC" if asks and order.expires_at is not None else ""
    facts = [("Number", order.number), ("Organization", organization), ("Total", amount)]
    facts += [("Asked for by", order.requester_name)]
    facts += [("Decide before", until)] if until else []
    facts += [("Note", order.note)] if order.note else []
    facts += [("Comment", comment)] if comment else []
    closing = _closing(asks, link, order)
    return MailText(
        subject=subject,
        text=_text(head, facts, order.lines, closing, link if asks else None),
        html=_html(title, head, facts, order.lines, closing, link if asks else None),
    )


def _closing(asks: bool, link: str | None, order: PurchaseOrderRecord) -> str:
    if not asks:
        return ""
    if link is None:
        return f"Decide with `orgbridge purchase-orders approve {order.id}`, or reject in the same way."
    return "The link is for you alone and works once. Opening it decides nothing yet."


def _text(
    head: str, facts: list[tuple[str, str]], lines: tuple[PurchaseLine, ...], closing: str, link: str | None
) -> str:
    parts = [head, "", *(f"{name}: {_short(value)}" for name, value in facts), ""]
    parts += [
        f"- {_count(line)} x {_what(line)} at {money(line.unit_price)} = {money(line.total)}"
        for line in lines[:_LINES_SHOWN]
    ]
    parts += [f"- and {len(lines) - _LINES_SHOWN} more lines"] if len(lines) > _LINES_SHOWN else []
    parts += ["", f"Decide here: {link}"] if link else []
    parts += ["", closing] if closing else []
    return "\n".join(parts) + "\n"


def _html(
    title: str,
    head: str,
    facts: list[tuple[str, str]],
    lines: tuple[PurchaseLine, ...],
    closing: str,
    link: str | None,
) -> str:
    rows = "".join(
        f"<tr><th align='left'>{escape(name)}</th><td>{escape(_short(value))}</td></tr>" for name, value in facts
    )
    items = "".join(
        f"<li>{escape(_count(line))} &times; {escape(_what(line))} at {money(line.unit_price)} = "
        f"{money(line.total)}</li>"
        for line in lines[:_LINES_SHOWN]
    )
    if len(lines) > _LINES_SHOWN:
        items += f"<li>and {len(lines) - _LINES_SHOWN} more lines</li>"
    button = f'<p><a href="{escape(link, quote=True)}">Look at it and decide</a></p>' if link else ""
    return (
        f"<!doctype html><html><head><meta charset='utf-8'><title>{escape(title)}</title></head><body>"
        f"<p>{escape(head)}</p><table>{rows}</table><ul>{items}</ul>{button}<p>{escape(closing)}</p></body></html>"
    )


def _short(value: str) -> str:
    flat = " ".join(value.split())
    return flat if len(flat) <= _TEXT_CHARS else f"{flat[:_TEXT_CHARS]}…"


def _what(line: PurchaseLine) -> str:
    return _short(" ".join(part for part in (line.sku or line.product_id, line.name) if part))


def _count(line: PurchaseLine) -> str:
    text = f"{line.quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
