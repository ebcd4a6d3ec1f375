"""Shapes of the webhook calls."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, StrictBool


class WebhookRequest(BaseModel):
    """Tell an address of the ends of loads."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"url": "https://hooks.example.com/orgbridge", "events": ["load.failed"]}]},
    )

    url: str = Field(min_length=1, max_length=2_000, description="Where messages go, by https.")
    events: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="load.completed, load.failed, load.aborted (these when empty); order.*, order_summary.*, cart.*, "
        "purchase_order.* as docs/status-push.md lists them, each by its full name.",
    )
    all_loads: StrictBool = Field(False, description="Everybody's loads and not only one's own; needs the scope admin.")


class NotifyRequest(BaseModel):
    """Tell an address of the end of one load."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"url": "https://hooks.example.com/orgbridge"}]}
    )

    url: str = Field(min_length=1, max_length=2_000, description="Where the message goes, by https.")


class WebhookReply(BaseModel):
    """A receiver of messages."""

    id: str = Field(description="Id of the webhook.")
    url: str = Field(description="Where messages go.")
    events: list[str] = Field(description="What it is told.")
    all_loads: bool = Field(description="Whether it is told of everybody's loads.")
    owner: str = Field(description="Who made it.")
    created_at: datetime = Field(description="When it was made.")


class WebhookMade(WebhookReply):
    """A receiver just made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "hook_01jd0k3v5q8m7w2x4y6z9abcde",
                    "url": "https://erp.example.com/hooks/orgbridge",
                    "events": ["load.completed", "load.failed"],
                    "all_loads": False,
                    "owner": "erp",
                    "created_at": "2026-01-05T09:30:00Z",
                    "secret": "whsec_...",
                }
            ]
        }
    )

    secret: str = Field(description="What messages are signed with (Standard Webhooks). It is never shown again.")


class WebhookListReply(BaseModel):
    """Receivers, newest first."""

    webhooks: list[WebhookReply] = Field(description="The receivers.")


class DeliveryReply(BaseModel):
    """A message to a receiver."""

    id: str = Field(description="Also the header webhook-id, the same for every attempt.")
    webhook_id: str = Field(description="The receiver.")
    job_id: str | None = Field(description="The load that it is about; null for a test, and for orders and carts.")
    event: str = Field(description="What happened.")
    state: str = Field(description="pending, delivered or dead.")
    attempts: int = Field(description="Attempts so far.")
    next_at: datetime | None = Field(description="When the next attempt is due; null when there is none.")
    last_status: int | None = Field(description="HTTP status of the last answer.")
    last_error: str | None = Field(description="What went wrong last.")
    created_at: datetime = Field(description="When it was written.")
    ended_at: datetime | None = Field(description="When it was delivered or given up.")


class DeliveryListReply(BaseModel):
    """Messages, newest first."""

    deliveries: list[DeliveryReply] = Field(description="The messages.")
