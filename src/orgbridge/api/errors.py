"""Errors as RFC 9457 problem JSON. The one table from kind of error to HTTP status is here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from orgbridge.kit.errors import ErrorKind, OrgbridgeError
from orgbridge.kit.json import dumps
from orgbridge.kit.logs import get_logger
from orgbridge.services.errors import ClientRefused, NotSignedIn, ScopeMissing, trouble_of

PROBLEM_TYPE = "application/problem+json"
STATUS: dict[ErrorKind, int] = {
    ErrorKind.INVALID: 400,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.MISSING: 404,
    ErrorKind.CONFLICT: 409,
    ErrorKind.CONTRADICTION: 422,
    ErrorKind.STALE: 412,
    ErrorKind.UNCONDITIONAL: 428,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.LIMITED: 429,
    ErrorKind.INTERNAL: 500,
    ErrorKind.UPSTREAM: 502,
    ErrorKind.UNAVAILABLE: 503,
}
#: Codes of the errors that the framework raises by status alone.
_CODES = {
    400: "request.malformed",
    404: "route.not_found",
    405: "route.method_not_allowed",
    406: "request.not_acceptable",
    411: "request.length_required",
    413: "request.too_large",
    415: "request.media_type",
}
_DETAILS = {
    404: "There is nothing at this address; /docs lists what there is.",
    405: "This address does not take this method; the Allow header lists those it takes.",
}
#: What OAuth clients expect in `error`. Source: RFC 6749 section 5.2.
_OAUTH = {
    "identity.wrong_credentials": "invalid_grant",
    "identity.scope_not_granted": "invalid_scope",
    "identity.unsupported_grant": "unsupported_grant_type",
    "identity.token_request_invalid": "invalid_request",
    "identity.refresh_token_invalid": "invalid_grant",
    "identity.client_refused": "invalid_client",
}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
log = get_logger(__name__)


def problem(
    request_id: str,
    path: str,
    *,
    status: int,
    code: str,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    retryable: bool = False,
    upstream: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error reply in the one shape that every error has.

    Args:
        request_id: Id of the request, as in its log lines.
        path: Path of the request without its query string.
        status: HTTP status.
        code: Stable text for machines.
        detail: One or two sentences for people.
        errors: Places in the request.
        retryable: True when the identical call may succeed later.
        upstream: Salesforce's own faults.
        headers: Further headers.
    """
    body: dict[str, Any] = {
        "type": f"urn:orgbridge:error:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path,
        "code": code,
        "request_id": request_id,
        "errors": list(errors),
        "retryable": retryable,
        "upstream": list(upstream),
    }
    if code in _OAUTH:
        body |= {"error": _OAUTH[code], "error_description": detail}
    sent = dict(headers or {})
    sent["Cache-Control"] = "no-store"
    if status == 401:
        sent.setdefault("WWW-Authenticate", "Bearer")
    if status in (429, 503):
        sent.setdefault("Retry-After", "5")
    return Response(dumps(body), status_code=status, media_type=PROBLEM_TYPE, headers=sent)


def add_handlers(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    app.add_exception_handler(OrgbridgeError, _on_orgbridge_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def trouble_reply(request_id: str, path: str, error: OrgbridgeError) -> Response:
    """Return the problem for an error, and log one that is not the caller's."""
    trouble = trouble_of(error)
    sent = _challenge(error)
    if trouble.retry_after_seconds is not None:
        sent["Retry-After"] = str(max(1, math.ceil(trouble.retry_after_seconds)))
    if STATUS[trouble.kind] >= 500:
        log.warning("request_failed", code=trouble.code, detail=trouble.detail)
    return problem(
        request_id,
        path,
        status=STATUS[trouble.kind],
        code=trouble.code,
        detail=trouble.detail,
        errors=trouble.errors,
        retryable=trouble.retryable,
        upstream=trouble.upstream,
        headers=sent,
    )


async def _on_orgbridge_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OrgbridgeError), "registered for it"
    return trouble_reply(request_id_of(request), request.url.path, error)


def _challenge(error: OrgbridgeError) -> dict[str, str]:
    """Return what a refused caller is told about how to prove who it is. Source: RFC 6750 section 3, RFC 6749 5.2."""
    match error:
        case ScopeMissing():
            challenge = f'Bearer error="insufficient_scope", scope="{" ".join(error.missing)}"'
        case NotSignedIn() if error.token_given:
            challenge = 'Bearer error="invalid_token"'
        case ClientRefused():
            challenge = 'Basic realm="token"'
        case _:
            return {}
    return {"WWW-Authenticate": challenge}


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "registered for it"
    # The input itself is left out: it may be a password.
    places = [_place(item) for item in error.errors()[:100]]
    first = places[0] if places else {"location": "body", "message": "not as documented"}
    return problem(
        request_id_of(request),
        request.url.path,
        status=422,
        code="request.invalid",
        detail=f"{first['location']}: {first['message']}.",
        errors=places,
    )


def _place(item: Mapping[str, Any]) -> dict[str, Any]:
    if item["type"] == "json_invalid":
        # FastAPI's place is a byte that it does not know here; the reader's own words name it.
        return {"location": "body", "code": "json_invalid", "message": f"not JSON: {item['ctx']['error']}"}
    return {"location": ".".join(str(step) for step in item["loc"]), "code": item["type"], "message": item["msg"]}


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for it"
    status = error.status_code
    headers = dict(error.headers or {})
    if status == 405:
        headers["Allow"] = ", ".join(_methods(request))
    return problem(
        request_id_of(request),
        request.url.path,
        status=status,
        code=_CODES.get(status, f"http.{status}"),
        detail=_DETAILS.get(status, str(error.detail)),
        headers=headers,
    )


def _methods(request: Request) -> list[str]:
    """Return all methods of the request's address: the framework names those of the first route that it found.

    `/users/me` is an address of its own and not a user by the name of me: the template with the fewest parameters
    counts.
    """
    routes = request.app.router.routes
    taken = [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    paths = request.app.openapi()["paths"]
    templates = [template for template in paths if _fits(template, request.url.path)]
    if not templates:
        return taken
    documented = {method.upper() for method in paths[min(templates, key=lambda text: text.count("{"))]}
    return [method for method in taken if method in documented or (method == "HEAD" and "GET" in documented)]


def _fits(template: str, path: str) -> bool:
    steps, wanted = path.split("/"), template.split("/")
    return len(steps) == len(wanted) and all(
        step == part or (part.startswith("{") and bool(step)) for step, part in zip(steps, wanted, strict=True)
    )


def request_id_of(request: Request) -> str:
    """Return the id that the outermost middleware gave the request."""
    return str(request.scope.get("orgbridge_request_id", ""))
