"""Errors of the protocol, and the one place that turns any error into a reply.

    SFError (schema)   JSON list of errorCode and message
    OAuthFault         JSON object of error and error_description
    TextFault          plain text, as the identity services answer
    ReplyNow           a finished reply that ends the call, such as 300 or 304

Source: facts/salesforce/errors.md section 1, auth.md sections 3 and 4.
"""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response

from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.schema.errors import SFError

_log = logging.getLogger(__name__)


class OAuthFault(Exception):
    """The token endpoint refuses."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        self.error = error
        self.description = description
        self.status = status
        super().__init__(f"{error}: {description}")


class TextFault(Exception):
    """An endpoint that refuses in plain text."""

    def __init__(self, text: str, status: int) -> None:
        self.text = text
        self.status = status
        super().__init__(text)


class ReplyNow(Exception):
    """A reply that is no error of a row or a query, raised from deep inside a call."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__("reply now")


def not_found() -> SFError:
    """Return the error for whatever is not there."""
    return SFError("NOT_FOUND", "The requested resource does not exist")


def session_invalid() -> SFError:
    """Return the error for a token that is not good any more, or that is missing."""
    return SFError("INVALID_SESSION_ID", "Session expired or invalid")


def render(error: Exception, *, pretty: bool = False, bulk: bool = False) -> Response:
    """Return the reply for an error.

    Args:
        error: What was raised; anything unknown is logged and becomes UNKNOWN_EXCEPTION.
        pretty: Indent the JSON.
        bulk: Leave out `fields`, which readers of Bulk errors do not know.
    """
    match error:
        case SFError():
            body: dict[str, object] = {"message": error.message, "errorCode": error.code}
            if error.fields is not None and not bulk:
                body["fields"] = list(error.fields)
            if error.extra is not None and not bulk:
                body |= error.extra
            headers = {"WWW-Authenticate": "Token"} if error.status == 401 else {}
            return json_reply([body], error.status, headers=headers, pretty=pretty)
        case OAuthFault():
            return json_reply({"error": error.error, "error_description": error.description}, error.status)
        case TextFault():
            return PlainTextResponse(error.text, error.status)
        case ReplyNow():
            return error.response
        case ClientDisconnect():
            return Response(status_code=400)  # Nobody reads it: the connection is gone.
        case _:
            _log.error("a request could not be answered", exc_info=error)
            text = "An unexpected error occurred. Please include this ErrorId if you contact support: 0-0 (0)"
            return json_reply([{"message": text, "errorCode": "UNKNOWN_EXCEPTION"}], 500)
