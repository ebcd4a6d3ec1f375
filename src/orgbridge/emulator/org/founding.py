"""The rows that every org has from its first minute: itself, an administrator, the standard price book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orgbridge.emulator.org.contexts import Context
from orgbridge.emulator.org.lookups import rows_by_id
from orgbridge.emulator.org.outcomes import ValueMode
from orgbridge.emulator.org.saving import Saving
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.schema.profiles import ProfileRights
from orgbridge.emulator.storage.counters import get_meta, set_meta
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.ids import make_id

#: Sign-in name of the first administrator.
ADMIN_USERNAME = "admin@local.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """Ids of the rows that every org has."""

    #: The org.
    org_id: str
    #: The first administrator.
    admin_id: str
    #: The standard price book.
    standard_pricebook_id: str


def found_org(
    saving: Saving, catalogue: Catalogue, connection: Connection, now: datetime, profiles: Sequence[ProfileRights]
) -> Founding:
    """Make the org's first rows where they are not there, and return their ids (empty for unknown objects).

    Args:
        saving: Saves them.
        catalogue: The objects of the org; its record types get a row each.
        connection: The open write transaction.
        now: The instant for system fields.
        profiles: The profiles beside the administrator's.
    """
    # The administrator creates the rows, itself among them: its id is known before it is there.
    context = Context(connection=connection, user_id=make_id("005", 1), now=now, system=True)

    def once(key: str, sobject: str, record: Mapping[str, object]) -> str:
        known = get_meta(connection, key)
        target = catalogue.sobject(sobject)
        if known is not None or target is None:
            return known or ""
        (outcome,) = saving.insert(
            context, target, tuple(record), [[value] for value in record.values()], ValueMode.JSON
        )
        if outcome.id is None:
            raise RuntimeError(f"the org's {sobject} could not be made: {outcome.errors}")
        set_meta(connection, key, outcome.id)
        return outcome.id

    org_id = once(
        "org_id",
        "Organization",
        {
            "Name": "Orgbridge Local Org",
            "DefaultLocaleSidKey": "en_US",
            "LanguageLocaleKey": "en_US",
            "TimeZoneSidKey": "GMT",
            "OrganizationType": "Developer Edition",
            "InstanceName": "OB0",
        },
    )
    profile = once("admin_profile_id", "Profile", {"Name": "System Administrator", "UserType": "Standard"})
    admin_id = once(
        "admin_id",
        "User",
        {
            "Username": ADMIN_USERNAME,
            "FirstName": "Ada",
            "LastName": "Admin",
            "Email": ADMIN_USERNAME,
            "Alias": "admin",
            "ProfileId": profile,
            "TimeZoneSidKey": "GMT",
            "LocaleSidKey": "en_US",
            "EmailEncodingKey": "UTF-8",
            "LanguageLocaleKey": "en_US",
            "UserType": "Standard",
        },
    )
    pricebook = once(
        "standard_pricebook_id", "Pricebook2", {"Name": "Standard Price Book", "IsActive": True, "IsStandard": True}
    )
    owned = {"": profile}
    for rights in profiles:
        made = once(f"profile_id.{rights.name}", "Profile", {"Name": rights.name, "UserType": rights.user_type})
        owned[rights.name] = made
    sets = {
        name: once(f"profile_set_id.{name}", "PermissionSet", _own_set(name, made, profiles))
        for name, made in owned.items()
    }
    once(
        "admin_assignment_id",
        "PermissionSetAssignment",
        {"PermissionSetId": sets[""], "AssigneeId": admin_id, "IsActive": True},
    )
    add_record_types(saving, catalogue, context)
    return Founding(org_id=org_id, admin_id=admin_id, standard_pricebook_id=pricebook)


def _own_set(name: str, profile_id: str, profiles: Sequence[ProfileRights]) -> Mapping[str, object]:
    """Return the permission set that stands for a profile, as every profile has one in its users' assignments.

    Assumed: which user permissions a profile without a file gives: all to administrators, of a site's users none.
    """
    rights = next((one for one in profiles if one.name == name), None)
    inside = rights is None or rights.user_type == "Standard"
    return {
        "Name": f"X{profile_id}",
        "Label": profile_id,
        "ProfileId": profile_id,
        "IsOwnedByProfile": True,
        "PermissionsApiEnabled": inside,
        "PermissionsViewSetup": inside,
        "PermissionsBulkApiHardDelete": rights is None or rights.hard_delete,
        "PermissionsModifyAllData": rights is None,
        "PermissionsViewAllData": rights is None,
    }


def add_record_types(saving: Saving, catalogue: Catalogue, context: Context) -> None:
    """Give the record types of all objects their rows, as far as they are not there."""
    target = catalogue.sobject("RecordType")
    kinds = [(sobject, kind) for sobject in catalogue.sobjects() for kind in sobject.record_types]
    if target is None or not kinds:
        return
    there = rows_by_id(context.connection, target, [kind.id for _, kind in kinds], ())
    new = [(sobject, kind) for sobject, kind in kinds if kind.id not in there]
    saving.insert_known(
        context,
        target,
        [kind.id for _, kind in new],
        {
            "Name": [kind.name for _, kind in new],
            "DeveloperName": [kind.developer_name for _, kind in new],
            "SobjectType": [sobject.name for sobject, _ in new],
            "IsActive": [int(kind.active) for _, kind in new],
        },
    )
