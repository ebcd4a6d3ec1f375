"""Shapes of the diagnosis of a buyer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class LinkReply(BaseModel):
    """A link of the chain from a user to its cart."""

    link: str = Field(description="Which, e.g. `buyer_account`.")
    state: Literal["ok", "broken", "unknown"] = Field(
        description="unknown: not visible to this service, or it hangs on a broken link."
    )
    detail: str = Field(description="What was seen.")
    remedy: str | None = Field(
        description="What to do about it, and where in Setup; null for a link that is not broken."
    )


class DiagnosisReply(BaseModel):
    """The chain of one user."""

    user: str = Field(description="Who was looked at.")
    sf_username: str | None = Field(description="The Salesforce user that this user acts as.")
    organization_id: str | None = Field(description="The organization, where it could be told.")
    account_id: str | None = Field(description="The account that would be bought for.")
    webstore_id: str | None = Field(description="The webstore, where it could be told.")
    sku: str | None = Field(description="The product, if one was named.")
    headline: LinkReply | None = Field(description="The first broken link; null when none is.")
    links: list[LinkReply] = Field(description="All links, from the user to the cart.")
