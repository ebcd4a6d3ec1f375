"""Organizations, their plants and these plants' machines."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from orgbridge.api.bodies import StrictRoute
from orgbridge.api.conditions import IfMatch, etag, expected_revision
from orgbridge.api.lists import Cursor, Limit, page_reply
from orgbridge.api.replies import json_reply
from orgbridge.api.security import Administrator, services_of
from orgbridge.api.v1.schemas.people import (
    MachineChange,
    MachineNew,
    MachinePage,
    MachineReply,
    OrganizationPage,
    OrganizationReply,
    PlaceChange,
    PlaceNew,
    PlantPage,
    PlantReply,
)
from orgbridge.api.v1.schemas.problems import problems
from orgbridge.services.portraits import Place, place_portrait

router = APIRouter(prefix="/organizations", tags=["organizations"], route_class=StrictRoute)
_PATTERN = r"^[A-Za-z0-9_]{1,64}$"

OrganizationId = Annotated[
    str,
    Path(pattern=_PATTERN, description="Id of an organization.", examples=["org_01jd6z7w7kq2m4t8v0x3y5z7b9"]),
]
PlantId = Annotated[
    str, Path(pattern=_PATTERN, description="Id of a plant.", examples=["plant_01jd6z7w7kq2m4t8v0x3y5z7b9"])
]
MachineId = Annotated[
    str, Path(pattern=_PATTERN, description="Id of a machine.", examples=["machine_01jd6z7w7kq2m4t8v0x3y5z7b9"])
]


def _place_reply(place: Place, location: str | None = None) -> Response:
    """Return an organization, plant or machine with the ETag that a change needs; a new one with its address."""
    if location is None:
        return json_reply(place_portrait(place), headers=etag(place.revision))
    return json_reply(place_portrait(place), status=201, headers={**etag(place.revision), "Location": location})


@router.get("", response_model=OrganizationPage, responses=problems(400), summary="List organizations")
async def organizations(request: Request, caller: Administrator, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Return one page of organizations, by name."""
    page = await services_of(request).organizations.organizations(cursor=cursor, limit=limit)
    return page_reply(request, "organizations", [place_portrait(item) for item in page.items], page.next_cursor)


@router.post(
    "",
    status_code=201,
    response_model=OrganizationReply,
    responses=problems(400, 409, 413),
    summary="Make an organization",
)
async def create_organization(request: Request, body: PlaceNew, caller: Administrator) -> Response:
    """Make an organization."""
    made = await services_of(request).organizations.add_organization(body.model_dump())
    location = str(request.app.url_path_for("organization", organization_id=made.id))
    return _place_reply(made, location)


@router.get(
    "/{organization_id}", response_model=OrganizationReply, responses=problems(404), summary="See an organization"
)
async def organization(request: Request, caller: Administrator, organization_id: OrganizationId) -> Response:
    """Return an organization with the ETag that a change needs."""
    found = await services_of(request).organizations.organization(organization_id)
    return _place_reply(found)


@router.patch(
    "/{organization_id}",
    response_model=OrganizationReply,
    responses=problems(400, 404, 409, 412, 413, 428),
    summary="Change an organization",
)
async def change_organization(
    request: Request,
    body: PlaceChange,
    caller: Administrator,
    organization_id: OrganizationId,
    if_match: IfMatch = None,
) -> Response:
    """Change what the body names."""
    changes, expected = body.model_dump(exclude_unset=True), expected_revision(if_match)
    changed = await services_of(request).organizations.change_organization(organization_id, changes, expected=expected)
    return _place_reply(changed)


@router.delete(
    "/{organization_id}", status_code=204, responses=problems(404, 409, 412, 428), summary="Delete an organization"
)
async def delete_organization(
    request: Request, caller: Administrator, organization_id: OrganizationId, if_match: IfMatch = None
) -> Response:
    """Delete an organization without plants, and the grants of it."""
    expected = expected_revision(if_match)
    await services_of(request).organizations.delete_organization(organization_id, expected=expected)
    return Response(status_code=204)


@router.get("/{organization_id}/plants", response_model=PlantPage, responses=problems(400, 404), summary="List plants")
async def plants(
    request: Request, caller: Administrator, organization_id: OrganizationId, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Return one page of plants of an organization, by name."""
    page = await services_of(request).organizations.plants(organization_id, cursor=cursor, limit=limit)
    return page_reply(request, "plants", [place_portrait(item) for item in page.items], page.next_cursor)


@router.post(
    "/{organization_id}/plants",
    status_code=201,
    response_model=PlantReply,
    responses=problems(400, 404, 409, 413),
    summary="Make a plant",
)
async def create_plant(
    request: Request, body: PlaceNew, caller: Administrator, organization_id: OrganizationId
) -> Response:
    """Make a plant of an organization."""
    made = await services_of(request).organizations.add_plant(organization_id, body.model_dump())
    location = str(request.app.url_path_for("plant", organization_id=organization_id, plant_id=made.id))
    return _place_reply(made, location)


@router.get(
    "/{organization_id}/plants/{plant_id}", response_model=PlantReply, responses=problems(404), summary="See a plant"
)
async def plant(
    request: Request, caller: Administrator, organization_id: OrganizationId, plant_id: PlantId
) -> Response:
    """Return a plant with the ETag that a change needs."""
    found = await services_of(request).organizations.plant(organization_id, plant_id)
    return _place_reply(found)


@router.patch(
    "/{organization_id}/plants/{plant_id}",
    response_model=PlantReply,
    responses=problems(400, 404, 409, 412, 413, 428),
    summary="Change a plant",
)
async def change_plant(
    request: Request,
    body: PlaceChange,
    caller: Administrator,
    organization_id: OrganizationId,
    plant_id: PlantId,
    if_match: IfMatch = None,
) -> Response:
    """Change what the body names."""
    changes, expected = body.model_dump(exclude_unset=True), expected_revision(if_match)
    changed = await services_of(request).organizations.change_plant(
        organization_id, plant_id, changes, expected=expected
    )
    return _place_reply(changed)


@router.delete(
    "/{organization_id}/plants/{plant_id}",
    status_code=204,
    responses=problems(404, 409, 412, 428),
    summary="Delete a plant",
)
async def delete_plant(
    request: Request,
    caller: Administrator,
    organization_id: OrganizationId,
    plant_id: PlantId,
    if_match: IfMatch = None,
) -> Response:
    """Delete a plant without machines, and the grants of it."""
    expected = expected_revision(if_match)
    await services_of(request).organizations.delete_plant(organization_id, plant_id, expected=expected)
    return Response(status_code=204)


@router.get(
    "/{organization_id}/plants/{plant_id}/machines",
    response_model=MachinePage,
    responses=problems(400, 404),
    summary="List machines",
)
async def machines(
    request: Request,
    caller: Administrator,
    organization_id: OrganizationId,
    plant_id: PlantId,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Return one page of machines of a plant, by name."""
    page = await services_of(request).organizations.machines(organization_id, plant_id, cursor=cursor, limit=limit)
    return page_reply(request, "machines", [place_portrait(item) for item in page.items], page.next_cursor)


@router.post(
    "/{organization_id}/plants/{plant_id}/machines",
    status_code=201,
    response_model=MachineReply,
    responses=problems(400, 404, 409, 413),
    summary="Make a machine",
)
async def create_machine(
    request: Request, body: MachineNew, caller: Administrator, organization_id: OrganizationId, plant_id: PlantId
) -> Response:
    """Make a machine of a plant."""
    made = await services_of(request).organizations.add_machine(organization_id, plant_id, body.model_dump())
    location = str(
        request.app.url_path_for("machine", organization_id=organization_id, plant_id=plant_id, machine_id=made.id)
    )
    return _place_reply(made, location)


@router.get(
    "/{organization_id}/plants/{plant_id}/machines/{machine_id}",
    response_model=MachineReply,
    responses=problems(404),
    summary="See a machine",
)
async def machine(
    request: Request, caller: Administrator, organization_id: OrganizationId, plant_id: PlantId, machine_id: MachineId
) -> Response:
    """Return a machine with the ETag that a change needs."""
    found = await services_of(request).organizations.machine(organization_id, plant_id, machine_id)
    return _place_reply(found)


@router.patch(
    "/{organization_id}/plants/{plant_id}/machines/{machine_id}",
    response_model=MachineReply,
    responses=problems(400, 404, 409, 412, 413, 428),
    summary="Change a machine",
)
async def change_machine(
    request: Request,
    body: MachineChange,
    caller: Administrator,
    organization_id: OrganizationId,
    plant_id: PlantId,
    machine_id: MachineId,
    if_match: IfMatch = None,
) -> Response:
    """Change what the body names."""
    changes, expected = body.model_dump(exclude_unset=True), expected_revision(if_match)
    changed = await services_of(request).organizations.change_machine(
        organization_id, plant_id, machine_id, changes, expected=expected
    )
    return _place_reply(changed)


@router.delete(
    "/{organization_id}/plants/{plant_id}/machines/{machine_id}",
    status_code=204,
    responses=problems(404, 409, 412, 428),
    summary="Delete a machine",
)
async def delete_machine(
    request: Request,
    caller: Administrator,
    organization_id: OrganizationId,
    plant_id: PlantId,
    machine_id: MachineId,
    if_match: IfMatch = None,
) -> Response:
    """Delete a machine, and the grants of it."""
    expected = expected_revision(if_match)
    await services_of(request).organizations.delete_machine(organization_id, plant_id, machine_id, expected=expected)
    return Response(status_code=204)
