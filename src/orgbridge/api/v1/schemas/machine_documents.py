"""Shapes of machines' documents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from orgbridge.services.commerce.documents import MAX_BULK

_ID = r"^[A-Za-z0-9_.~-]{1,128}$"
_KIND = r"^[A-Za-z0-9_.-]{1,64}$"
_EXAMPLE: dict[str, Any] = {
    "kind": "telemetry",
    "recorded_at": "2026-11-22T10:00:00Z",
    "body": {"oven_temperature_c": 231.5, "belt_speed_m_s": 0.4},
    "ttl_seconds": 7776000,
}

DocumentId = Annotated[str, Field(pattern=_ID, examples=["doc_01jd6z7w7kq2m4t8v0x3y5z7b9"])]
DocumentKind = Annotated[str, Field(pattern=_KIND, examples=["telemetry"])]


class DocumentChange(BaseModel):
    """The next state of a document."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    kind: DocumentKind = Field(description="`telemetry`, `kpi`, `note`, or another word of yours.")
    body: dict[str, Any] = Field(description="Any JSON object; as one document at most 2,000,000 bytes.")
    recorded_at: datetime | None = Field(
        None, description="When it was true; null for now. Without a zone it is UTC.", examples=["2026-11-22T10:00:00Z"]
    )
    expires_at: datetime | None = Field(
        None, description="When it ends by itself; null for never.", examples=["2027-11-22T10:00:00Z"]
    )
    ttl_seconds: Annotated[StrictInt, Field(ge=1, le=2_147_483_647)] | None = Field(
        None, description="Seconds until it ends by itself, instead of expires_at.", examples=[86_400]
    )


class DocumentNew(DocumentChange):
    """A document to be kept."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    id: DocumentId | None = Field(None, description="Unique within the organization; null has one made.")


class DocumentBatch(BaseModel):
    """Documents to be kept, whether they are there or not."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"documents": [{"id": "oven-2026-11-22T10", **_EXAMPLE}]}]}
    )

    documents: Annotated[list[DocumentNew], Field(min_length=1, max_length=MAX_BULK)] = Field(
        description=f"At most {MAX_BULK}. One whose id is there is replaced."
    )


class DocumentReply(BaseModel):
    """A document."""

    id: str
    organization_id: str
    machine_id: str = Field(description="The machine's Asset, or our own id of a machine without one.")
    kind: str
    recorded_at: str
    body: dict[str, Any]
    created_by: str
    created_at: str
    updated_at: str
    expires_at: str | None
    etag: str = Field(description="Also in the ETag header of a single document.")


class DocumentPageReply(BaseModel):
    """One page of documents."""

    documents: list[DocumentReply]
    next_cursor: str | None


class DocumentResult(BaseModel):
    """What became of one document of a batch."""

    id: str
    success: bool
    outcome: str = Field(description="created, updated, refused, not_done, or unknown.")
    etag: str | None
    code: str | None = Field(description="Why it was not written.")
    message: str | None
    retryable: bool


class DocumentBatchReply(BaseModel):
    """What became of each document, in the order of the request."""

    success: bool = Field(description="True when every document was written.")
    written: int
    not_written: int
    unknown: int = Field(description="Documents of which nobody knows: read them, or send them again.")
    results: list[DocumentResult]
