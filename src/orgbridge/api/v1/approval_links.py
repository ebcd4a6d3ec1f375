"""The links of mails to approvers: looking at one decides nothing, whoever looks, and only a POST acts.

Programs that check mails open every link in them. So GET shows the order and a form, and changes nothing. The token is
in the query of the link and in the form's body: never in a path, which is logged, and in no reply but the form itself.
"""

from __future__ import annotations

from html import escape
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.responses import HTMLResponse, Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.errors import STATUS
from orgbridge.api.replies import accepts, json_reply
from orgbridge.api.security import caller_or_none, services_of
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.purchase_orders import LinkDecision, LinkReply, PurchaseReply
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.json import JSON, JSONDecodeError, loads
from orgbridge.services.commerce.purchase_decisions import Linked
from orgbridge.services.commerce.purchase_portraits import purchase_portrait
from orgbridge.services.commerce.purchasing import Status, Step, decisions_from
from orgbridge.services.errors import InvalidRequest, trouble_of

router = APIRouter(prefix="/salesforce_purchase_orders", tags=["purchase_orders"], route_class=StrictRoute)
_HTML, _JSON = "text/html", "application/json"
_FORM = "application/x-www-form-urlencoded"
_MAX_BODY_BYTES, _MAX_FIELDS = 64 * 1024, 10
_LINES_SHOWN = 100
_HEADERS = {
    # Nothing is loaded, nothing runs, and the form goes back to where it came from.
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            _JSON: {"schema": LinkDecision.model_json_schema()},
            _FORM: {"schema": LinkDecision.model_json_schema()},
        },
    }
}


@router.get(
    "/decision",
    response_model=LinkReply,
    responses={**problems(400, 404), 200: {"content": {_HTML: {}}, "description": "What the link is about."}},
    summary="Look at a link of a mail",
)
async def decision_page(
    request: Request,
    token: Annotated[str, Query(min_length=1, max_length=200, description="Of the link.", examples=["aTokenOfAMail"])],
) -> Response:
    """Show what the link is about, as a page with a form, or as JSON; nothing is decided and nothing is used up."""
    as_page = accepts(request, _JSON, _HTML) == _HTML
    try:
        found = await services_of(request).purchasing.decisions.linked(token, await caller_or_none(request))
    except OrgbridgeError as error:
        if not as_page:
            raise
        return _refusal(error)
    possible = decisions_from(found.order.state)
    if as_page:
        return _page(found, token, request.url.path, possible)
    reply: dict[str, JSON] = {
        "purchase_order": purchase_portrait(found.order),
        "approver": found.approver,
        "possible": possible,
    }
    return json_reply(reply, headers=_HEADERS)


@router.post(
    "/decision",
    response_model=PurchaseReply,
    responses={**problems(400, 404, 409), 200: {"content": {_HTML: {}}, "description": "What was decided."}},
    openapi_extra=_BODY,
    summary="Decide by a link of a mail",
)
async def decision(request: Request) -> Response:
    """Approve or reject as the approver whom the link was made for, and use the link up."""
    as_page = accepts(request, _JSON, _HTML) == _HTML
    try:
        body = await _decision_of(request)
        done = await services_of(request).purchasing.decisions.decide_by_link(
            body.token,
            Step(body.decision),
            comment=body.comment.strip(),
            caller=await caller_or_none(request),
        )
    except OrgbridgeError as error:
        if not as_page:
            raise
        return _refusal(error)
    if as_page:
        word = "approved" if done.state is Status.APPROVED else "rejected"
        return _html(200, "Decided", f"<p>Purchase order {escape(done.number)} is {word}. Thank you.</p>")
    return json_reply(purchase_portrait(done), headers=_HEADERS)


async def _decision_of(request: Request) -> LinkDecision:
    data = await request.body()
    if len(data) > _MAX_BODY_BYTES:
        raise InvalidRequest(f"The body may have {_MAX_BODY_BYTES} bytes.")
    try:
        if request.headers.get("Content-Type", "").lower().startswith(_FORM):
            text = data.decode("utf-8")
            fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
            if len(dict(fields)) != len(fields):
                raise InvalidRequest("A field of the form is there twice.")
            return LinkDecision.model_validate(dict(fields))
        return LinkDecision.model_validate(loads(data))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "body"
        raise InvalidRequest(f"{place}: {first['msg']}.") from None
    except (JSONDecodeError, ValueError):
        raise InvalidRequest("The body must be a form, or JSON, with token, decision and comment.") from None


def _page(found: Linked, token: str, path: str, possible: list[str]) -> Response:
    order = purchase_portrait(found.order)
    facts = [
        ("Number", order["po_number"]),
        ("Asked for by", order["requester"]),
        ("Total", f"{order['total']} {order['currency']}"),
        ("Note", order["note"]),
        ("Status", order["status"]),
    ]
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in facts)
    lines = order["lines"]
    items = "".join(
        f"<li>{escape(str(line['quantity']))} &times; {escape(str(line['sku'] or line['product_id']))} "
        f"{escape(str(line['name'] or ''))} at {escape(str(line['unit_price']))}</li>"
        for line in lines[:_LINES_SHOWN]
    )
    if len(lines) > _LINES_SHOWN:
        items += f"<li>and {len(lines) - _LINES_SHOWN} more lines</li>"
    buttons = "".join(f'<button name="decision" value="{step}">{step.capitalize()}</button> ' for step in possible)
    form = (
        f'<form method="post" action="{escape(path, quote=True)}">'
        f'<input type="hidden" name="token" value="{escape(token, quote=True)}">'
        '<p><label>Comment<br><textarea name="comment" rows="4" cols="60" maxlength="4000"></textarea></label></p>'
        f"<p>{buttons}</p></form>"
        if possible
        else "<p>There is nothing to decide any more.</p>"
    )
    who = f"<p>For {escape(found.approver)}.</p>"
    return _html(200, f"Purchase order {found.order.number}", f"{who}<table>{rows}</table><ul>{items}</ul>{form}")


def _refusal(error: OrgbridgeError) -> Response:
    trouble = trouble_of(error)
    return _html(STATUS[trouble.kind], "Not possible", f"<p>{escape(trouble.detail)}</p>")


def _html(status: int, title: str, body: str) -> Response:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )
    return HTMLResponse(text, status_code=status, headers=_HEADERS)
