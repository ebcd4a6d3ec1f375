"""Signing in and who one is. At the root, not under the version prefix."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from orgbridge.api.replies import json_reply
from orgbridge.api.security import SignedIn, services_of
from orgbridge.api.v1.schemas.identity import TokenReply, UserReply
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.services.errors import UnsupportedGrant

root = APIRouter(tags=["identity"])
router = APIRouter(tags=["identity"])


@root.post(
    "/token",
    response_model=TokenReply,
    responses=problems(400, 413),
    summary="Sign in",
)
async def token(
    request: Request,
    username: Annotated[str, Form(max_length=1024, examples=["ada"])],
    password: Annotated[str, Form(max_length=4096, examples=["correct horse battery staple"])],
    grant_type: Annotated[str, Form(max_length=200, examples=["password"])] = "password",
    scope: Annotated[str, Form(max_length=2000, description="Only these; empty for all.")] = "",
) -> Response:
    """Return an access token for a user name and password."""
    if grant_type != "password":
        raise UnsupportedGrant
    made = await services_of(request).identity.sign_in(username, password, scope.split())
    return json_reply(
        {
            "access_token": made.token,
            "token_type": "bearer",
            "expires_in": made.expires_in_seconds,
            "scope": " ".join(made.scopes),
        },
        headers={"Cache-Control": "no-store", "Pragma": "no-cache"},
    )


@root.get(
    "/.well-known/jwks.json",
    responses={
        200: {
            "description": "The key set",
            "content": {
                "application/json": {
                    "example": {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "...", "x": "...", "use": "sig"}]}
                }
            },
        }
    },
    summary="Read the public keys",
)
async def jwks(request: Request) -> Response:
    """Return the public keys that our tokens are signed with (RFC 7517)."""
    return json_reply(services_of(request).identity.keys.jwks(), headers={"Cache-Control": "public, max-age=300"})


@router.get("/users/me", response_model=UserReply, responses=problems(404), summary="See who I am")
async def me(request: Request, caller: SignedIn) -> Response:
    """Return the user of the token."""
    user = await services_of(request).identity.user(caller.user_id)
    return json_reply(
        {
            "id": user.id,
            "username": user.username,
            "scopes": sorted(user.scopes),
            "token_scopes": sorted(caller.scopes),
            "is_admin": user.is_admin,
            "created_at": user.created_at.isoformat(),
        }
    )
