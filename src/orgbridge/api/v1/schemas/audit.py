"""Shapes of the audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class AuditActor(BaseModel):
    """Who did it."""

    id: str = Field(description="User id; empty for somebody unknown.")
    name: str = Field(description="Sign-in name, as it was typed for a failed sign-in.")
    kind: str = Field(description="user or service_account.")
    roles: list[str] = Field(description="The roles at that moment.")
    limited_by: list[str] = Field(description="Those of the roles that have a policy.")
    session: str | None = Field(description="The sign-in.")


class AuditEntry(BaseModel):
    """One thing that was done, or tried."""

    seq: int = Field(description="1, 2, 3, ... without a gap.")
    hash: str = Field(description="SHA-256 of number, former hash and content.")
    at: datetime = Field(description="When.")
    action: str = Field(description="What, e.g. records.create_record.")
    outcome: str = Field(description="succeeded, refused, failed or unknown.")
    object: str = Field(description="Kind of thing.")
    ids: list[str] = Field(description="Which ones, at most 200.")
    id_count: int = Field(description="How many.")
    route: str = Field(description="Method and template of the path; empty for a command.")
    status: int = Field(description="HTTP status; 0 for a command.")
    code: str = Field(description="Code of the refusal.")
    request_id: str = Field(description="Id of the request.")
    address: str = Field(description="Where it came from.")
    actor: AuditActor
    details: dict[str, Any] = Field(description="Counts, grants, the Salesforce user who acted.")


class AuditPage(BaseModel):
    """One page of entries, newest first."""

    entries: list[AuditEntry]
    next_cursor: str | None
