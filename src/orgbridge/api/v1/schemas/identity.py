"""Shapes of the identity and operation calls."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class TokenReply(BaseModel):
    """An access token (RFC 6749)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "access_token": "eyJhbGciOiJFZERTQSIsImtpZCI6Ii4uLiJ9...",
                    "token_type": "bearer",
                    "expires_in": 1800,
                    "scope": "bulk:read bulk:write records:read records:write",
                    "refresh_token": "obr_...",
                }
            ]
        }
    )

    access_token: str = Field(description="Send it as `Authorization: Bearer`.")
    token_type: str = Field(description="bearer")
    expires_in: int = Field(description="Seconds until it expires.")
    scope: str = Field(description="Scopes it carries, separated by spaces.")
    refresh_token: str | None = Field(None, description="Brings the next token, once; absent for service accounts.")


class UserReply(BaseModel):
    """A user."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "user_01jd6z7w7kq2m4t8v0x3y5z7b9",
                    "username": "ada",
                    "scopes": ["bulk:read", "records:read"],
                    "token_scopes": ["records:read"],
                    "roles": ["reader"],
                    "kind": "user",
                    "is_admin": False,
                    "created_at": "2026-11-22T09:00:00+00:00",
                }
            ]
        }
    )

    id: str = Field(description="Our id.")
    username: str = Field(description="Sign-in name.")
    scopes: list[str] = Field(description="What the user may do.")
    token_scopes: list[str] = Field(description="What this token may do.")
    roles: list[str] = Field(description="Names of the user's roles.")
    kind: str = Field(description="user or service_account")
    is_admin: bool = Field(description="May do everything.")
    created_at: str | None = Field(description="When the user was made; null for users of the external issuer.")


class HealthReply(BaseModel):
    """That the service answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok", "name": "SalesforceIntegrationAPI"}]})

    status: str = Field(description="ok")
    name: str | None = Field(None, description="APP_NAME")
    version: str | None = Field(None, description="APP_VERSION")
    documents: str | None = Field(None, description="Where documents are kept: sqlite, postgresql or cosmos.")


class ReadyReply(BaseModel):
    """Whether the service can do its work."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok",
                    "checks": {
                        "database": {"status": "ok"},
                        "documents": {"status": "ok"},
                        "engine": {"status": "ok"},
                        "salesforce": {"status": "ok"},
                    },
                }
            ]
        }
    )

    status: str = Field(description="ok, degraded or unavailable: the worst of the checks.")
    checks: dict[str, dict[str, Any]] = Field(description="status, and cause and remedy when it is not ok.")
