"""Shapes of composite calls, in Salesforce's own spelling, so that what was made for Salesforce fits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from orgbridge.wire.limits import COMPOSITE_SUBREQUESTS


class SubrequestShape(BaseModel):
    """One subrequest."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["GET", "POST", "PATCH", "DELETE"] = Field(description="Upper case.")
    url: str = Field(
        min_length=1,
        max_length=400_000,
        description="Below /services/data/vXX.X/, or with it; the service's own API version is used.",
        examples=["sobjects/Account"],
    )
    referenceId: str = Field(  # noqa: N815 - Salesforce's own key
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$", max_length=255, description="Name of the result.", examples=["account"]
    )
    body: dict[str, Any] | None = Field(None, description="Fields of a record, or a collection.")
    httpHeaders: dict[str, Annotated[str, Field(max_length=1_000)]] | None = Field(  # noqa: N815 - Salesforce's own key
        None, description="If-Match and its like, Sforce-Auto-Assign, Sforce-Duplicate-Rule-Header, Sforce-Mru."
    )


class CompositeRequest(BaseModel):
    """Up to 25 subrequests, which may refer to each other's results as `@{name.id}`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "allOrNone": True,
                    "compositeRequest": [
                        {
                            "method": "POST",
                            "url": "sobjects/Account",
                            "referenceId": "account",
                            "body": {"Name": "New Account"},
                        },
                        {
                            "method": "POST",
                            "url": "sobjects/Contact",
                            "referenceId": "contact",
                            "body": {"LastName": "Ada", "AccountId": "@{account.id}"},
                        },
                    ],
                }
            ]
        },
    )

    allOrNone: StrictBool = Field(False, description="Undo all when one fails.")  # noqa: N815 - Salesforce's own key
    collateSubrequests: StrictBool = Field(  # noqa: N815 - Salesforce's own key
        True, description="Let Salesforce run like subrequests together."
    )
    compositeRequest: list[SubrequestShape] = Field(  # noqa: N815 - Salesforce's own key
        min_length=1, max_length=COMPOSITE_SUBREQUESTS, description="In the order in which they run."
    )


class SubrequestReply(BaseModel):
    """What became of one subrequest."""

    body: Any = Field(description="A result, a list of errors, or null.")
    httpHeaders: dict[str, str] = Field(description="Its own headers.")  # noqa: N815 - Salesforce's own key
    httpStatusCode: int = Field(description="Its own status.")  # noqa: N815 - Salesforce's own key
    referenceId: str = Field(description="Its name.")  # noqa: N815 - Salesforce's own key


class CompositeReply(BaseModel):
    """What became of the subrequests, in their order. The call is 200 even when every one of them failed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "compositeResponse": [
                        {
                            "body": {"id": "001Ob0000000001AAA", "success": True, "errors": []},
                            "httpHeaders": {"Location": "/services/data/v67.0/sobjects/Account/001Ob0000000001AAA"},
                            "httpStatusCode": 201,
                            "referenceId": "account",
                        }
                    ]
                }
            ]
        }
    )

    compositeResponse: list[SubrequestReply] = Field(  # noqa: N815 - Salesforce's own key
        description="One per subrequest."
    )
