"""Users, roles, sessions and places as plain values, told alike by the API and by the commands. Never a hash."""

from __future__ import annotations

from datetime import datetime

from orgbridge.kit.json import JSON
from orgbridge.services.users import Grants, UserView
from orgbridge.store.identity_records import (
    ClientSecretRecord,
    MachineRecord,
    OrganizationRecord,
    PlantRecord,
    RoleRecord,
    SessionRecord,
)

#: What a portrait of a place is made of.
Place = OrganizationRecord | PlantRecord | MachineRecord


def user_portrait(view: UserView) -> dict[str, JSON]:
    """Return a user or a service account."""
    user = view.user
    return {
        "id": user.id,
        "username": user.username,
        "kind": user.kind.value,
        "display_name": user.display_name,
        "email": user.email,
        "scopes": sorted(user.scopes),
        "roles": list(view.roles),
        "effective_scopes": list(view.effective_scopes) if view.effective_scopes is not None else None,
        "is_admin": user.is_admin,
        "disabled": user.disabled,
        "external_subject": user.external_subject,
        "sf_username": user.sf_username,
        "has_password": user.password_hash.startswith("$"),
        "password_changed_at": _instant(user.password_changed_at),
        "created_at": user.created_at.isoformat(),
        "updated_at": _instant(user.updated_at),
    }


def grants_portrait(grants: Grants) -> dict[str, JSON]:
    """Return what somebody is granted, `*` for everything of a kind."""
    return {
        "organizations": _ids(grants.organizations),
        "plants": _ids(grants.plants),
        "machines": _ids(grants.machines),
    }


def session_portrait(session: SessionRecord, current: str | None) -> dict[str, JSON]:
    """Return a sign-in.

    Args:
        session: The sign-in.
        current: The one that the caller came with.
    """
    return {
        "id": session.id,
        "created_at": session.created_at.isoformat(),
        "used_at": session.used_at.isoformat(),
        "idle_until": session.idle_until.isoformat(),
        "expires_at": session.expires_at.isoformat(),
        "address": session.address,
        "agent": session.agent,
        "scopes": list(session.scopes) if session.scopes is not None else None,
        "current": session.id == current,
    }


def secret_portrait(secret: ClientSecretRecord) -> dict[str, JSON]:
    """Return what is known of a client secret."""
    return {
        "id": secret.id,
        "hint": secret.hint,
        "created_at": secret.created_at.isoformat(),
        "expires_at": _instant(secret.expires_at),
    }


def role_portrait(role: RoleRecord) -> dict[str, JSON]:
    """Return a role."""
    return {
        "name": role.name,
        "description": role.description,
        "scopes": list(role.scopes),
        "policy": role.policy,
        "built_in": role.built_in,
        "created_at": role.created_at.isoformat(),
        "updated_at": role.updated_at.isoformat(),
    }


def place_portrait(place: Place) -> dict[str, JSON]:
    """Return an organization, a plant or a machine."""
    told: dict[str, JSON] = {"id": place.id, "name": place.name, "external_id": place.external_id}
    match place:
        case PlantRecord():
            told["organization_id"] = place.organization_id
        case MachineRecord():
            told |= {
                "plant_id": place.plant_id,
                "serial_number": place.serial_number,
                "asset_id": place.asset_id,
            }
        case OrganizationRecord():
            pass
    return told | {"created_at": place.created_at.isoformat(), "updated_at": place.updated_at.isoformat()}


def _instant(value: datetime | None) -> str | None:
    return value.isoformat() if value is not None else None


def _ids(ids: tuple[str, ...] | None) -> JSON:
    return "*" if ids is None else list(ids)
