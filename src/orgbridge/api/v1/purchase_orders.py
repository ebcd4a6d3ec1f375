"""Purchase orders: made, shown, submitted, decided, turned into orders; their comments, documents and rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.conditions import IfMatch, etag, expected_revision
from orgbridge.api.instants import Instant
from orgbridge.api.lists import Cursor, Limit, next_link
from orgbridge.api.replies import body_of, json_reply, stream_reply
from orgbridge.api.security import Administrator, OrdersReader, OrdersWriter, services_of
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.purchase_orders import (
    EXAMPLE_ITEM,
    BulkStepReply,
    BulkStepRequest,
    CommentReply,
    CommentRequest,
    DocumentReply,
    MailReply,
    PurchaseDetailReply,
    PurchaseItem,
    PurchaseOrderNew,
    PurchaseReply,
    RulesReply,
    RulesRequest,
    StepRequest,
)
from orgbridge.kit.json import JSON
from orgbridge.services.commerce.purchase_orders import PurchaseDraft, PurchaseView
from orgbridge.services.commerce.purchase_portraits import (
    comment_portrait,
    decided_portrait,
    detail_portrait,
    document_portrait,
    mail_portrait,
    purchase_item,
    purchase_portrait,
    rules_portrait,
)
from orgbridge.services.commerce.purchasing import PurchaseOrder, Purchasing, Status, Step
from orgbridge.services.scopes import Caller
from orgbridge.services.uploads import Upload

router = APIRouter(prefix="/salesforce_purchase_orders", tags=["purchase_orders"], route_class=StrictRoute)

_PurchaseId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Our id, the UUID, or Salesforce's id of the purchase order.",
        examples=["po_01jd6z7w7kq2m4t8v0x3y5z7b9"],
    ),
]
_OrganizationId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9_]{1,64}$",
        description="Id of an organization.",
        examples=["org_01jd6z7w7kq2m4t8v0x3y5z7b9"],
    ),
]
_MailId = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9_]{1,64}$", description="Id of a mail.", examples=["mail_01jd6z7w7kq2m4t8v0x3y5z7b9"]),
]
_PDF = {
    "requestBody": {
        "required": True,
        "content": {
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": "The PDF."}},
                }
            },
        },
    }
}


def _purchasing(request: Request) -> Purchasing:
    return services_of(request).purchasing


def _version(if_match: str | None) -> int | None:
    """Return the version that a step is meant for; no If-Match is any, a foreign tag is none that there is."""
    if if_match is None:
        return None
    tag = expected_revision(if_match)
    return None if tag is None else int(tag) if tag.isdecimal() and len(tag) < 10 else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A step that somebody is about to take: what the routes of all steps have in common."""

    purchasing: Purchasing
    caller: Caller
    purchase_id: str
    comment: str
    #: The version that it is meant for; None for any.
    expected: int | None

    async def by(self, step: Callable[..., Awaitable[PurchaseOrder]]) -> Response:
        """Take it, and return the purchase order as it is then."""
        done = await step(self.caller, self.purchase_id, comment=self.comment, expected=self.expected)
        return _stepped(purchase_portrait(done), done.version)


def _taking(
    request: Request,
    caller: OrdersWriter,
    purchase_order_id: _PurchaseId,
    body: StepRequest | None = None,
    if_match: IfMatch = None,
) -> Taking:
    return Taking(
        purchasing=_purchasing(request),
        caller=caller,
        purchase_id=purchase_order_id,
        comment=body.comment.strip() if body is not None else "",
        expected=_version(if_match),
    )


_Taking = Annotated[Taking, Depends(_taking)]
#: What routes of steps say alike.
_STEP: dict[str, Any] = {"response_model": PurchaseReply, "responses": problems(400, 404, 409, 412)}


@router.get(
    "/me",
    response_model=list[PurchaseItem],
    responses={200: {"content": {"application/json": {"example": [EXAMPLE_ITEM]}}}, **problems(400, 404)},
    summary="List purchase orders",
)
async def me(
    request: Request,
    caller: OrdersReader,
    view: Annotated[
        PurchaseView, Query(description="One's own, those to decide about, or all of one's organizations.")
    ] = PurchaseView.MINE,
    status: Annotated[list[Status] | None, Query(description="Only in these states.", examples=[["draft"]])] = None,
    org_id: Annotated[
        str | None, Query(pattern=r"^[A-Za-z0-9_]{1,64}$", examples=["org_01jd6z7w7kq2m4t8v0x3y5z7b9"])
    ] = None,
    po_number: Annotated[
        str | None, Query(max_length=80, pattern=r"^[^\x00-\x1f]*$", examples=["PO-2026-0042"])
    ] = None,
    since: Annotated[Instant | None, Query(description="Made at or after.", examples=["2026-11-01T00:00:00Z"])] = None,
    until: Annotated[Instant | None, Query(description="Made before.", examples=["2026-12-01T00:00:00Z"])] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Return one page of purchase orders, newest first; the `Link` header leads to the next page."""
    page = await _purchasing(request).orders.page(
        caller,
        view,
        org_id=org_id,
        states=status or (),
        number=po_number,
        since=since,
        until=until,
        cursor=cursor,
        limit=limit,
    )
    items: list[JSON] = [purchase_item(order) for order in page.items]
    return json_reply(items, headers=next_link(request, page.next_cursor))


@router.post(
    "",
    status_code=201,
    response_model=PurchaseReply,
    responses=problems(400, 404, 409, 413, 502),
    summary="Draft a purchase order",
)
async def create(request: Request, body: PurchaseOrderNew, caller: OrdersWriter) -> Response:
    """Make a draft of the caller's cart, or of given lines; nobody is told before it is submitted."""
    draft = PurchaseDraft(
        number=body.po_number,
        org_id=body.org_id,
        account_id=body.account_id,
        lines=None if body.lines is None else [line.model_dump() for line in body.lines],
        currency=body.currency,
        note=body.note,
        urgent=body.urgent,
    )
    made = await _purchasing(request).orders.create(caller, draft)
    location = str(request.app.url_path_for("show", purchase_order_id=made.id))
    return json_reply(purchase_portrait(made), status=201, headers={**etag(str(made.version)), "Location": location})


@router.post(
    "/bulk/approve", response_model=BulkStepReply, responses=problems(400), summary="Approve many purchase orders"
)
async def bulk_approve(request: Request, body: BulkStepRequest, caller: OrdersWriter) -> Response:
    """Approve each for itself: one that is refused does not hold up the others."""
    return await _decided_many(request, caller, body, Step.APPROVE)


@router.post(
    "/bulk/reject", response_model=BulkStepReply, responses=problems(400), summary="Reject many purchase orders"
)
async def bulk_reject(request: Request, body: BulkStepRequest, caller: OrdersWriter) -> Response:
    """Reject each for itself: one that is refused does not hold up the others."""
    return await _decided_many(request, caller, body, Step.REJECT)


@router.get(
    "/rules/{organization_id}", response_model=RulesReply, responses=problems(404), summary="See who approves what"
)
async def rules(request: Request, caller: OrdersReader, organization_id: _OrganizationId) -> Response:
    """Return how an organization decides, with the ETag that a change may name."""
    found = await _purchasing(request).rules.get(organization_id, caller=caller)
    return json_reply(rules_portrait(found), headers=etag(found.revision or "new"))


@router.put(
    "/rules/{organization_id}",
    response_model=RulesReply,
    responses=problems(400, 404, 412, 413, 428),
    summary="Say who approves what",
)
async def put_rules(
    request: Request,
    body: RulesRequest,
    caller: Administrator,
    organization_id: _OrganizationId,
    if_match: IfMatch = None,
) -> Response:
    """Write how an organization decides, in place of what was written before."""
    expected = expected_revision(if_match)
    written = await _purchasing(request).rules.put(
        organization_id, body.model_dump(), expected="" if expected == "new" else expected
    )
    return json_reply(rules_portrait(written), headers=etag(written.revision))


@router.post(
    "/mails/{mail_id}/resend",
    status_code=202,
    response_model=MailReply,
    responses=problems(400, 404),
    summary="Send a mail again",
)
async def mail_resend(request: Request, caller: Administrator, mail_id: _MailId) -> Response:
    """Send a mail again that was sent, given up, or not sent for want of a mail server."""
    return json_reply(mail_portrait(await _purchasing(request).mails.resend(mail_id)), status=202)


@router.get(
    "/{purchase_order_id}",
    response_model=PurchaseDetailReply,
    responses=problems(404),
    summary="See a purchase order",
)
async def show(request: Request, caller: OrdersReader, purchase_order_id: _PurchaseId) -> Response:
    """Return a purchase order with lines, history, comments and mails, and the ETag that a step may name."""
    found = await _purchasing(request).orders.detail(caller, purchase_order_id)
    return json_reply(detail_portrait(found), headers=etag(str(found.order.version)))


@router.post(
    "/{purchase_order_id}/submit",
    **_STEP,
    summary="Submit a purchase order",
)
async def submit(taking: _Taking) -> Response:
    """Hand a draft in: its approvers are told, or it is approved at once where the amount needs no approval."""
    return await taking.by(taking.purchasing.orders.submit)


@router.post(
    "/{purchase_order_id}/approve",
    **_STEP,
    summary="Approve a purchase order",
)
async def approve(taking: _Taking) -> Response:
    """Approve what somebody else asked for; of two who decide at once, one does, and the other is told with 409."""
    return await taking.by(partial(taking.purchasing.decisions.decide, step=Step.APPROVE))


@router.post(
    "/{purchase_order_id}/reject",
    **_STEP,
    summary="Reject a purchase order",
)
async def reject(taking: _Taking) -> Response:
    """Reject what somebody else asked for."""
    return await taking.by(partial(taking.purchasing.decisions.decide, step=Step.REJECT))


@router.post(
    "/{purchase_order_id}/cancel",
    **_STEP,
    summary="Withdraw a purchase order",
)
async def cancel(taking: _Taking) -> Response:
    """Withdraw what was not ordered yet: the requester, or an administrator."""
    return await taking.by(taking.purchasing.orders.cancel)


@router.post(
    "/{purchase_order_id}/order",
    response_model=PurchaseReply,
    responses=problems(400, 404, 409, 412, 502),
    summary="Turn a purchase order into an order",
)
async def order(
    request: Request, caller: OrdersWriter, purchase_order_id: _PurchaseId, if_match: IfMatch = None
) -> Response:
    """Order what was approved, once: prices and stock are looked at again, and what changed is told with 409."""
    done = await _purchasing(request).ordering.order(caller, purchase_order_id, expected=_version(if_match))
    return _stepped(purchase_portrait(done), done.version)


@router.post(
    "/{purchase_order_id}/comments",
    status_code=201,
    response_model=CommentReply,
    responses=problems(400, 404),
    summary="Comment on a purchase order",
)
async def comment(
    request: Request, body: CommentRequest, caller: OrdersWriter, purchase_order_id: _PurchaseId
) -> Response:
    """Say something; everybody who sees the purchase order sees it."""
    said = await _purchasing(request).orders.comment(caller, purchase_order_id, body.text)
    return json_reply(comment_portrait(said), status=201)


@router.put(
    "/{purchase_order_id}/document",
    response_model=DocumentReply,
    responses=problems(400, 404, 409, 413, 502),
    openapi_extra=_PDF,
    summary="Store the PDF of a purchase order",
)
async def put_document(
    request: Request,
    caller: OrdersWriter,
    purchase_order_id: _PurchaseId,
    filename: Annotated[
        str, Query(max_length=255, pattern=r"^[^\x00-\x1f]*$", description="For a bare body.", examples=["order.pdf"])
    ] = "",
) -> Response:
    """Store a PDF at Salesforce, linked to its `Purchase_Order__c`; the same file sent again is stored once."""
    content_type = request.headers.get("Content-Type", "")
    documents = _purchasing(request).documents
    if content_type.lower().startswith("multipart/form-data"):
        upload = Upload(body_of(request), content_type)
        await upload.open()
        kept = await documents.put(caller, purchase_order_id, upload.filename, upload.chunks())
    else:
        kept = await documents.put(caller, purchase_order_id, filename, body_of(request))
    return json_reply(document_portrait(kept))


@router.get(
    "/{purchase_order_id}/document",
    responses={**problems(404, 502), 200: {"content": {"application/pdf": {}}, "description": "The PDF."}},
    response_class=Response,
    summary="Get the PDF of a purchase order",
)
async def document(request: Request, caller: OrdersReader, purchase_order_id: _PurchaseId) -> Response:
    """Return the document that was stored last, as it comes from Salesforce."""
    record, blocks = await _purchasing(request).documents.get(caller, purchase_order_id)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(record.filename)}",
        "X-Content-SHA256": record.sha256,
    }
    return await stream_reply(blocks, media_type="application/pdf", headers=headers)


async def _decided_many(request: Request, caller: Caller, body: BulkStepRequest, step: Step) -> Response:
    done = await _purchasing(request).decisions.decide_many(caller, body.ids, step, comment=body.comment)
    return json_reply({"results": [decided_portrait(one) for one in done]})


def _stepped(portrait: dict[str, JSON], version: int) -> Response:
    """Return a purchase order as a step left it, with the ETag that the next one may name."""
    return json_reply(portrait, headers=etag(str(version)))
