"""The shape of every error, and the errors that routes declare."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:orgbridge:error:salesforce.invalid",
                    "title": "Bad Request",
                    "status": 400,
                    "detail": "Salesforce answered: Required fields are missing: [Name] (REQUIRED_FIELD_MISSING, ...)",
                    "instance": "/api/v1/records/create",
                    "code": "salesforce.invalid",
                    "request_id": "req_01jd6z7w7kq2m4t8v0x3y5z7b9",
                    "errors": [],
                    "retryable": False,
                    "upstream": [
                        {
                            "errorCode": "REQUIRED_FIELD_MISSING",
                            "message": "Required fields are missing: [Name]",
                            "fields": ["Name"],
                        }
                    ],
                }
            ]
        }
    )

    type: str = Field(description="Names the kind of error.")
    title: str = Field(description="The HTTP status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is the matter, and how to mend it.")
    instance: str = Field(description="Path of the request.")
    code: str = Field(description="Stable text for machines.")
    request_id: str = Field(description="Also in the X-Request-ID header and in the log.")
    errors: list[dict[str, Any]] = Field(description="Places in the request or in the input.")
    retryable: bool = Field(description="True when the identical call may succeed later.")
    upstream: list[dict[str, Any]] = Field(description="Salesforce's own errors: errorCode, message, fields.")


_MEANINGS = {
    400: "The request cannot be carried out as it stands",
    401: "A valid bearer token is needed",
    403: "The token lacks a scope, or the thing is out of bounds",
    404: "There is no such thing",
    409: "It conflicts with the present state",
    412: "It was changed since it was read",
    413: "The body is too large",
    422: "The request is not as documented",
    428: "If-Match is needed",
    429: "A limit is used up",
    500: "The service met a fault of its own",
    502: "Salesforce refused, or its outcome is not known",
    503: "Salesforce or the database cannot be reached",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the declaration of errors for a route: those given, and those that every guarded route has."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({401, 403, 422, 500, 503, *statuses})
    }
