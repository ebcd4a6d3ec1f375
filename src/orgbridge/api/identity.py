"""Signing in and out, the key set, and who one is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from orgbridge.api.clients import client_credentials
from orgbridge.api.lists import Cursor, Limit, page_reply
from orgbridge.api.replies import json_reply
from orgbridge.api.security import SignedIn, origin_of, services_of
from orgbridge.api.v1.schemas.identity import TokenReply, UserReply
from orgbridge.api.v1.schemas.people import PasswordChange, SessionPage
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.api.v1.users import SessionId
from orgbridge.services.errors import TokenRequestInvalid, UnsupportedGrant
from orgbridge.services.portraits import session_portrait
from orgbridge.services.tokens import AccessToken

root = APIRouter(tags=["identity"])
router = APIRouter(tags=["identity"])
_UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@root.post(
    "/token",
    response_model=TokenReply,
    response_model_exclude_none=True,
    responses=problems(400, 413, 429),
    summary="Sign in",
)
async def token(
    request: Request,
    username: Annotated[str, Form(max_length=1024, description="For `password`.", examples=["ada"])] = "",
    password: Annotated[
        str, Form(max_length=4096, description="For `password`.", examples=["correct horse battery staple"])
    ] = "",
    grant_type: Annotated[
        str,
        Form(max_length=200, description="password, refresh_token or client_credentials", examples=["password"]),
    ] = "password",
    scope: Annotated[
        str, Form(max_length=2000, description="Only these; empty for all.", examples=["records:read"])
    ] = "",
    refresh_token: Annotated[
        str, Form(max_length=4096, description="For `refresh_token`.", examples=["rt_aRefreshToken"])
    ] = "",
    client_id: Annotated[
        str,
        Form(
            max_length=200,
            description="For `client_credentials`, unless Authorization: Basic has it.",
            examples=["svc_01jd6z7w7kq2m4t8v0x3y5z7b9"],
        ),
    ] = "",
    client_secret: Annotated[
        str, Form(max_length=4096, description="Its secret.", examples=["aSecretOfTheAccount"])
    ] = "",
) -> Response:
    """Return an access token (RFC 6749): for a user by password, for the refresh token of a sign-in, once, or for a
    service account by its secret.
    """
    identity = services_of(request).identity
    asked = scope.split()
    match grant_type:
        case "password":
            if not username or not password:
                raise TokenRequestInvalid("The grant password needs username and password.")
            made = await identity.sign_in(username, password, asked, origin_of(request))
        case "refresh_token":
            if not refresh_token:
                raise TokenRequestInvalid("The grant refresh_token needs refresh_token.")
            made = await identity.refresh(refresh_token, asked)
        case "client_credentials":
            given = client_credentials(request.headers.get("Authorization", ""), client_id, client_secret)
            made = await identity.client_sign_in(given.client_id, given.client_secret, asked, origin_of(request))
        case _:
            raise UnsupportedGrant
    return json_reply(_token_json(made), headers=_UNCACHED)


@root.post(
    "/token/revoke",
    responses={200: {"description": "Whatever it was, it is not good any more"}, **problems(413)},
    response_class=Response,
    summary="Sign out",
)
async def revoke(
    request: Request,
    token: Annotated[
        str,
        Form(
            min_length=1,
            max_length=16_384,
            description="A refresh token or an access token.",
            examples=["rt_aRefreshToken"],
        ),
    ],
    token_type_hint: Annotated[
        str, Form(max_length=200, description="Not needed: we can tell.", examples=["refresh_token"])
    ] = "",
) -> Response:
    """End what a token stands for (RFC 7009): a refresh token's whole sign-in, or one access token."""
    await services_of(request).identity.revoke(token)
    return Response(status_code=200, headers=_UNCACHED)


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
    """Return the public keys that our tokens are signed with (RFC 7517), also those that still verify old ones."""
    keys = services_of(request).identity.keys
    await keys.refresh()
    return json_reply(keys.ring.jwks(), headers={"Cache-Control": "public, max-age=300"})


@router.get("/users/me", response_model=UserReply, responses=problems(404), summary="See who I am")
async def me(request: Request, caller: SignedIn) -> Response:
    """Return the user of the token."""
    user = await services_of(request).identity.known(caller)
    return json_reply(
        {
            "id": caller.user_id,
            "username": caller.username,
            "scopes": sorted(user.scopes) if user is not None else [],
            "token_scopes": sorted(caller.scopes),
            "roles": list(caller.roles),
            "kind": caller.kind.value,
            "is_admin": user is not None and user.is_admin,
            "created_at": user.created_at.isoformat() if user is not None else None,
        }
    )


@router.put("/users/me/password", status_code=204, responses=problems(400, 413, 429), summary="Change my own password")
async def change_password(request: Request, body: PasswordChange, caller: SignedIn) -> Response:
    """Set the caller's password; all other sign-ins of the user end."""
    await services_of(request).identity.change_password(
        caller, body.current_password.get_secret_value(), body.new_password.get_secret_value(), origin_of(request)
    )
    return Response(status_code=204)


@router.get("/users/me/sessions", response_model=SessionPage, responses=problems(400), summary="List my sign-ins")
async def my_sessions(request: Request, caller: SignedIn, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Return one page of the caller's live sign-ins, newest first."""
    page = await services_of(request).identity.sessions.page(caller.user_id, cursor=cursor, limit=limit)
    items = [session_portrait(session, caller.session_id) for session in page.items]
    return page_reply(request, "sessions", items, page.next_cursor)


@router.delete("/users/me/sessions", status_code=204, responses=problems(), summary="Sign out everywhere")
async def end_my_sessions(request: Request, caller: SignedIn) -> Response:
    """End all sign-ins of the caller, this one too."""
    await services_of(request).identity.sign_out(caller)
    return Response(status_code=204)


@router.delete(
    "/users/me/sessions/{session_id}", status_code=204, responses=problems(404), summary="End one of my sign-ins"
)
async def end_my_session(request: Request, caller: SignedIn, session_id: SessionId) -> Response:
    """End one sign-in of the caller."""
    await services_of(request).identity.sign_out(caller, session_id)
    return Response(status_code=204)


def _token_json(made: AccessToken) -> dict[str, object]:
    told: dict[str, object] = {
        "access_token": made.token,
        "token_type": "bearer",
        "expires_in": made.expires_in_seconds,
        "scope": " ".join(made.scopes),
    }
    return told if made.refresh_token is None else told | {"refresh_token": made.refresh_token}
