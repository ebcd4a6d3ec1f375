"""Webhooks: receivers of messages about loads, orders and carts, and the messages."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.replies import json_reply
from orgbridge.api.security import BulkWriter, SignedIn, services_of
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.schemas.webhooks import (
    DeliveryListReply,
    DeliveryReply,
    NotifyRequest,
    WebhookListReply,
    WebhookMade,
    WebhookRequest,
)
from orgbridge.kit.json import JSON
from orgbridge.services.webhooks import Webhook, WebhookMessage

router = APIRouter(tags=["webhooks"], route_class=StrictRoute)
_NO_STORE = {"Cache-Control": "no-store"}

_WebhookId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_]{1,64}$", examples=["hook_01jd6z7w7kq2m4t8v0x3y5z7b9"])]
_MessageId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_]{1,64}$", examples=["msg_01jd6z7w7kq2m4t8v0x3y5z7b9"])]
_JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_]{1,64}$", examples=["load_01jd6z7w7kq2m4t8v0x3y5z7b9"])]


async def notify_option(
    request: Request,
    notify_url: Annotated[
        str | None,
        Query(
            max_length=2_000,
            description="An https address that is told when the load has ended; the reply holds the secret that the "
            "message is signed with.",
            examples=["https://hooks.example.com/orgbridge"],
        ),
    ] = None,
) -> None:
    """Check the address that is to be told, before the load is taken in; see `outcomes.accepted`."""
    if notify_url:
        services_of(request).webhooks.check(notify_url)
        request.state.notify_url = notify_url


#: For routes that take in loads.
NOTIFIES = [Depends(notify_option)]


@router.post(
    "/webhooks",
    status_code=201,
    response_model=WebhookMade,
    responses=problems(400, 502),
    summary="Subscribe an address",
)
async def webhook_create(request: Request, body: WebhookRequest, caller: SignedIn) -> Response:
    """Tell an address of the ends of one's loads, or of orders and carts; an administrator may ask for all loads.

    Each event needs the scope of what it is about: bulk:write, orders:read or carts:read.

    Messages are signed as Standard Webhooks says, sent again for hours while the receiver does not take them, and kept.
    """
    made = await services_of(request).webhooks.subscribe(caller, body.url, events=body.events, all_loads=body.all_loads)
    return json_reply({**_webhook(made.subscription), "secret": made.secret}, status=201, headers=_NO_STORE)


@router.get("/webhooks", response_model=WebhookListReply, responses=problems(), summary="List subscribed addresses")
async def webhook_list(request: Request, caller: SignedIn) -> Response:
    """Return one's own receivers; an administrator sees everybody's."""
    found = await services_of(request).webhooks.subscriptions(caller)
    return json_reply({"webhooks": [_webhook(one) for one in found]})


@router.delete("/webhooks/{webhook_id}", status_code=204, responses=problems(404), summary="Unsubscribe an address")
async def webhook_delete(request: Request, caller: SignedIn, webhook_id: _WebhookId) -> Response:
    """Delete a receiver with its messages."""
    await services_of(request).webhooks.unsubscribe(caller, webhook_id)
    return Response(status_code=204)


@router.post(
    "/webhooks/{webhook_id}/test",
    status_code=202,
    response_model=DeliveryReply,
    responses=problems(404),
    summary="Send a test message",
)
async def webhook_test(request: Request, caller: SignedIn, webhook_id: _WebhookId) -> Response:
    """Send a message that says nothing; its fate is among the deliveries."""
    return json_reply(_message(await services_of(request).webhooks.test(caller, webhook_id)), status=202)


@router.get(
    "/webhook-deliveries", response_model=DeliveryListReply, responses=problems(400), summary="List messages sent"
)
async def delivery_list(
    request: Request,
    caller: SignedIn,
    state: Annotated[Literal["pending", "delivered", "dead"] | None, Query()] = None,
    webhook_id: Annotated[str | None, Query(max_length=64, examples=["hook_01jd6z7w7kq2m4t8v0x3y5z7b9"])] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Return messages, newest first; the dead ones were given up and can be sent again."""
    found = await services_of(request).webhooks.deliveries(caller, state=state, subscription_id=webhook_id, limit=limit)
    return json_reply({"deliveries": [_message(one) for one in found]})


@router.post(
    "/webhook-deliveries/{delivery_id}/resend",
    status_code=202,
    response_model=DeliveryReply,
    responses=problems(400, 404),
    summary="Send a message again",
)
async def delivery_resend(request: Request, caller: SignedIn, delivery_id: _MessageId) -> Response:
    """Send a delivered or dead message again, under its old id."""
    return json_reply(_message(await services_of(request).webhooks.resend(caller, delivery_id)), status=202)


@router.post(
    "/bulk/job/{job_id}/notify",
    status_code=201,
    response_model=WebhookMade,
    responses=problems(400, 404),
    summary="Have an address told of a job's end",
)
async def job_notify(request: Request, body: NotifyRequest, caller: BulkWriter, job_id: _JobId) -> Response:
    """Tell an address when the job ends, or at once when it has ended."""
    made = await services_of(request).webhooks.notify(caller, job_id, body.url)
    return json_reply({**_webhook(made.subscription), "secret": made.secret}, status=201, headers=_NO_STORE)


def _webhook(one: Webhook) -> dict[str, JSON]:
    return {
        "id": one.id,
        "url": one.url,
        "events": list(one.events),
        "all_loads": one.all_loads,
        "owner": one.owner,
        "created_at": one.created_at.isoformat(),
    }


def _message(one: WebhookMessage) -> dict[str, JSON]:
    pending = one.state == "pending"
    return {
        "id": one.id,
        "webhook_id": one.subscription_id,
        "job_id": one.load_id,
        "event": one.event,
        "state": one.state.value,
        "attempts": one.attempts,
        "next_at": one.next_at.isoformat() if pending else None,
        "last_status": one.last_status,
        "last_error": one.last_error,
        "created_at": one.created_at.isoformat(),
        "ended_at": one.ended_at.isoformat() if one.ended_at is not None else None,
    }
