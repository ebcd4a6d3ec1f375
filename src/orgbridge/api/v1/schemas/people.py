"""Shapes of users, service accounts, roles, organizations, plants and machines."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool, StrictInt

from orgbridge.services.scopes import Scope

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s\x00-\x1f](.*[^\s\x00-\x1f])?$")]
PlaceName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f](.*[^\s\x00-\x1f])?$")]
RoleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", examples=["sales"])]
Password = Annotated[SecretStr, Field(min_length=8, max_length=1024, examples=["correct horse battery staple"])]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$", examples=["ada@example.com"])]
Text = Annotated[str, Field(min_length=1, max_length=200)]
_Scopes = Annotated[list[Scope], Field(max_length=50, description="Rights besides those of the roles.")]
_Roles = Annotated[list[RoleName], Field(max_length=100, description="Names of roles.")]
_Ids = Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=10_000)]
_Granted = _Ids | Literal["*"]


class UserNew(BaseModel):
    """A user to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"username": "ada", "password": "correct horse battery staple", "roles": ["integrator"]}]
        },
    )

    username: Name = Field(description="Sign-in name.")
    password: Password | None = Field(None, description="Absent for somebody who signs in at the external issuer.")
    scopes: _Scopes = Field(default_factory=list)
    roles: _Roles = Field(default_factory=list)
    is_admin: StrictBool = Field(False, description="May do everything.")
    display_name: Text | None = None
    email: Email | None = None
    external_subject: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, description="`sub` at the external issuer."
    )
    sf_username: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        None, description="The Salesforce user that the user acts as."
    )


class UserChange(BaseModel):
    """What is to change of a user; what is absent stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"disabled": True}]})

    username: Name = Field("", description="Sign-in name.", validate_default=False)
    scopes: _Scopes = Field(default_factory=list)
    roles: _Roles = Field(default_factory=list)
    is_admin: StrictBool = Field(False, description="May do everything.")
    disabled: StrictBool = Field(False, description="May not sign in; all sign-ins end within seconds.")
    display_name: Text | None = None
    email: Email | None = None
    external_subject: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    sf_username: Annotated[str, Field(min_length=1, max_length=128)] | None = None


class AccountNew(BaseModel):
    """A service account to be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "nightly-load", "roles": ["integrator"]}]}
    )

    name: Name = Field(description="Unique among users and service accounts.")
    scopes: _Scopes = Field(default_factory=list)
    roles: _Roles = Field(default_factory=list)
    display_name: Text | None = None
    secret_expires_in_days: Annotated[StrictInt, Field(ge=1, le=3650)] | None = Field(
        None, description="When the first secret ends; null for never."
    )


class AccountChange(BaseModel):
    """What is to change of a service account; what is absent stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"roles": ["reader"]}]})

    name: Name = Field("", description="Unique among users and service accounts.", validate_default=False)
    scopes: _Scopes = Field(default_factory=list)
    roles: _Roles = Field(default_factory=list)
    disabled: StrictBool = Field(False, description="May not sign in; its tokens end within seconds.")
    display_name: Text | None = None


class AccountReply(BaseModel):
    """A user or a service account."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "user_01jd6z7w7kq2m4t8v0x3y5z7b9",
                    "username": "ada",
                    "kind": "user",
                    "display_name": "Ada",
                    "email": "ada@example.com",
                    "scopes": [],
                    "roles": ["integrator"],
                    "effective_scopes": ["bulk:read", "bulk:write", "records:read", "records:write"],
                    "is_admin": False,
                    "disabled": False,
                    "external_subject": None,
                    "sf_username": None,
                    "has_password": True,
                    "password_changed_at": None,
                    "created_at": "2026-11-22T09:00:00+00:00",
                    "updated_at": "2026-11-22T09:00:00+00:00",
                }
            ]
        }
    )

    id: str = Field(description="Our id; for a service account the client id.")
    username: str = Field(description="Sign-in name, or name of the service account.")
    kind: str = Field(description="user or service_account")
    display_name: str | None = Field(description="For people.")
    email: str | None = Field(description="Where to reach the user.")
    scopes: list[str] = Field(description="Rights besides those of the roles.")
    roles: list[str] = Field(description="Names of roles.")
    effective_scopes: list[str] | None = Field(description="All rights; null in lists.")
    is_admin: bool = Field(description="May do everything.")
    disabled: bool = Field(description="May not sign in.")
    external_subject: str | None = Field(description="`sub` at the external issuer.")
    sf_username: str | None = Field(description="The Salesforce user that the user acts as.")
    has_password: bool = Field(description="Can sign in by password.")
    password_changed_at: str | None = Field(description="When the password was last set.")
    created_at: str = Field(description="When it was made.")
    updated_at: str | None = Field(description="When it last changed.")


class UserPage(BaseModel):
    """One page of users."""

    users: list[AccountReply]
    next_cursor: str | None


class AccountPage(BaseModel):
    """One page of service accounts."""

    service_accounts: list[AccountReply]
    next_cursor: str | None


class SecretReply(BaseModel):
    """What is known of a client secret."""

    id: str
    hint: str = Field(description="Its last characters.")
    created_at: str
    expires_at: str | None = Field(description="null for never.")


class NewSecretReply(SecretReply):
    """A client secret, shown this once."""

    client_id: str
    client_secret: str


class NewAccountReply(AccountReply):
    """A service account with its first secret, shown this once."""

    client_id: str
    client_secret: str
    secret_id: str


class SecretList(BaseModel):
    """The secrets of a service account."""

    secrets: list[SecretReply]


class SecretNew(BaseModel):
    """A client secret to be made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"expires_in_days": 90}]})

    expires_in_days: Annotated[StrictInt, Field(ge=1, le=3650)] | None = Field(None, description="null for never.")


class PasswordNew(BaseModel):
    """A password that an administrator sets."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"password": "correct horse battery staple"}]}
    )

    password: Password


class PasswordChange(BaseModel):
    """A password that a user changes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"current_password": "correct horse", "new_password": "correct horse battery staple"},
            ]
        },
    )

    current_password: Annotated[SecretStr, Field(min_length=1, max_length=1024)]
    new_password: Password


class GrantsShape(BaseModel):
    """What a user is granted; `*` stands for everything of its kind."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"organizations": [], "plants": [], "machines": []}]},
    )

    organizations: _Granted = Field(description="Ids, or `*`.")
    plants: _Granted = Field(description="Ids, or `*`.")
    machines: _Granted = Field(description="Ids, or `*`.")


class SessionReply(BaseModel):
    """One sign-in."""

    id: str
    created_at: str
    used_at: str = Field(description="When a token was last made for it.")
    idle_until: str = Field(description="When it ends unless it is used.")
    expires_at: str = Field(description="When it ends in any case.")
    address: str = Field(description="Where the sign-in came from.")
    agent: str = Field(description="What the caller's program called itself.")
    scopes: list[str] | None = Field(description="What was asked for; null for all.")
    current: bool = Field(description="The one that this request came with.")


class SessionPage(BaseModel):
    """One page of sign-ins, newest first."""

    sessions: list[SessionReply]
    next_cursor: str | None


class RoleNew(BaseModel):
    """A role to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "sales", "scopes": ["records:read"], "description": "Sales desk"}]},
    )

    name: RoleName
    description: Annotated[str, Field(max_length=500)] = ""
    scopes: _Scopes
    policy: dict[str, Any] | None = Field(None, description="What the role is limited to; null limits nothing.")


class RoleChange(BaseModel):
    """What is to change of a role; what is absent stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"scopes": ["records:read"]}]})

    description: Annotated[str, Field(max_length=500)] = ""
    scopes: _Scopes = Field(default_factory=list)
    policy: dict[str, Any] | None = Field(None, description="null limits nothing.")


class RoleReply(BaseModel):
    """A role."""

    name: str
    description: str
    scopes: list[str]
    policy: dict[str, Any] | None
    built_in: bool = Field(description="Comes with the service and stays as it is.")
    created_at: str
    updated_at: str


class RolePage(BaseModel):
    """One page of roles."""

    roles: list[RoleReply]
    next_cursor: str | None


class PlaceNew(BaseModel):
    """An organization or a plant to be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Acme", "external_id": "C-1001"}]}
    )

    name: PlaceName
    external_id: PlaceName | None = Field(None, description="Its key in another system, unique.")


class PlaceChange(BaseModel):
    """What is to change of an organization or a plant; what is absent stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Acme Ltd"}]})

    name: PlaceName = Field("", validate_default=False)
    external_id: PlaceName | None = None


class MachineNew(PlaceNew):
    """A machine to be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Press 4", "serial_number": "SN-77"}]}
    )

    serial_number: PlaceName | None = Field(None, description="As on its plate.")
    asset_id: Annotated[str, Field(pattern=r"^02i[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$")] | None = Field(
        None, description="Salesforce's id of its Asset, unique."
    )


class MachineChange(PlaceChange):
    """What is to change of a machine; what is absent stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"serial_number": "SN-78"}]})

    serial_number: PlaceName | None = None
    asset_id: Annotated[str, Field(pattern=r"^02i[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$")] | None = None


class OrganizationReply(BaseModel):
    """An organization."""

    id: str
    name: str
    external_id: str | None
    created_at: str
    updated_at: str


class PlantReply(OrganizationReply):
    """A plant."""

    organization_id: str


class MachineReply(OrganizationReply):
    """A machine."""

    plant_id: str
    serial_number: str | None
    asset_id: str | None


class OrganizationPage(BaseModel):
    """One page of organizations."""

    organizations: list[OrganizationReply]
    next_cursor: str | None


class PlantPage(BaseModel):
    """One page of plants."""

    plants: list[PlantReply]
    next_cursor: str | None


class MachinePage(BaseModel):
    """One page of machines."""

    machines: list[MachineReply]
    next_cursor: str | None
