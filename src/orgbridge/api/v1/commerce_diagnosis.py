"""Why a user can, or cannot, buy."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.replies import json_reply
from orgbridge.api.security import SignedIn, services_of
from orgbridge.api.v1.schemas.diagnosis import DiagnosisReply
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.kit.json import JSON
from orgbridge.services.commerce.diagnosis import Patient
from orgbridge.services.commerce.diagnosis_links import Link

router = APIRouter(prefix="/salesforce_account", tags=["accounts"], route_class=StrictRoute)

_User = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=255,
        description="Sign-in name; empty: yours. Others need the scope admin.",
        examples=["anna"],
    ),
]
_Sku = Annotated[
    str | None,
    Query(min_length=1, max_length=180, description="SKU or product code of a product.", examples=["MP-0010"]),
]
_Organization = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=200,
        description="Id, name or key of an organization.",
        examples=["org_01jd6z7w7kq2m4t8v0x3y5z7b9"],
    ),
]
_Account = Annotated[
    str | None,
    Query(
        max_length=18,
        description="An account of it; empty: that of the user's contact.",
        examples=["001000000000001AAA"],
    ),
]
_Store = Annotated[
    str | None,
    Query(
        max_length=18, description="The webstore; empty: the only one, or WEBSTORE_ID.", examples=["0ZE000000000001AAA"]
    ),
]


@router.get(
    "/diagnosis",
    name="diagnosis",
    response_model=DiagnosisReply,
    responses=problems(400, 404, 502),
    summary="See why a user can, or cannot, buy",
)
async def diagnosis(
    request: Request,
    caller: SignedIn,
    user: _User = None,
    sku: _Sku = None,
    organization: _Organization = None,
    account_id: _Account = None,
    webstore_id: _Store = None,
) -> Response:
    """Walk the chain from a user of this service to its cart in Salesforce; nothing is changed.

    Each link is `ok`, `broken` or `unknown`; `headline` is the first broken one, the one to mend.
    """
    patient = Patient(
        username=user or caller.username,
        sku=sku,
        organization=organization,
        account_id=account_id,
        webstore_id=webstore_id,
    )
    found = await services_of(request).diagnosis.diagnose(caller, patient)
    return json_reply(
        {
            "user": found.username,
            "sf_username": found.sf_username,
            "organization_id": found.organization_id,
            "account_id": found.account_id,
            "webstore_id": found.webstore_id,
            "sku": found.sku,
            "headline": _link(found.headline) if found.headline is not None else None,
            "links": [_link(one) for one in found.links],
        }
    )


def _link(one: Link) -> dict[str, JSON]:
    return {"link": one.name.value, "state": one.state.value, "detail": one.detail, "remedy": one.remedy}
