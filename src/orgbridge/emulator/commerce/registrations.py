"""Guests who register as buyers at checkout: an account, its user and the addresses.

Source: facts/commerce/checkout.md section 1, row 11, and section 6; the reference of Commerce Webstore Buyer
Registration and its sample, where the addresses are an object's `addresses`. Assumed: an account with a contact stands
for the person account, which the emulated org does not have; the user name is the e-mail address; the account may buy
and its user may enter the store at once, in no buyer group; a store that guests may not browse registers nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from orgbridge.emulator.commerce import inputs
from orgbridge.emulator.commerce.addressbook import ADDRESS_COLUMNS
from orgbridge.emulator.commerce.contexts import BUYER_PERMISSION_SETS
from orgbridge.emulator.commerce.deals import Deal, bad_input, required
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.schema.profiles import COMMUNITY
from orgbridge.emulator.storage.counters import get_meta
from orgbridge.kit.json import JSON

_GUESTS = "OptionsGuestBrowsingEnabled"
_REGISTRATION: Shape = {
    "addressList": 61,
    "captchaToken": 61,
    "email": 61,
    "firstName": 61,
    "lastName": 61,
    "phoneNumber": 61,
}
_ADDRESS: Shape = {**inputs.ADDRESS, "companyName": 61}
_NEEDED = ("country", "name", "street")
_NOTIFICATIONS = {"DefaultGroupNotificationFrequency": "N", "DigestFrequency": "N", "ReputationPoints": 0}


def register(deal: Deal, given: JSON) -> str:
    """Make a guest a buyer of the store; return the account's id. Of the captcha's token nothing is kept.

    Raises:
        SFError: Something is missing, or the store has no guests, or the user name is taken. The transaction is not
            to be kept.
    """
    body = inputs.check(_REGISTRATION, given, deal.version)
    if _GUESTS not in deal.buyer.store.options:
        raise deal.policy.no_access.error("Guests can't register in this web store.")
    person = {name: required(body, name) for name in _REGISTRATION if name != "addressList"}
    addresses = _addresses(deal, body)
    name = f"{person['firstName']} {person['lastName']}"
    owner = deal.org.admin_id
    account = {
        "Name": name,
        "Phone": person["phoneNumber"],
        "OwnerId": owner,
        "IsBuyer": True,
        "IsCustomerPortal": True,
    }
    (account_id,) = deal.add("Account", [account])
    deal.add("BuyerAccount", [{"Name": name, "BuyerId": account_id, "IsActive": True, "BuyerStatus": "Active"}])
    deal.add("ContactPointAddress", [{**address, "ParentId": account_id} for address in addresses])
    _admit(deal, _user(deal, account_id, person))
    return account_id


def _addresses(deal: Deal, body: Mapping[str, JSON]) -> list[dict[str, JSON]]:
    given = body.get("addressList")
    listed = given.get("addresses") if isinstance(given, Mapping) else given
    if not isinstance(listed, list) or not listed:
        raise bad_input("You must specify a value for the addressList parameter.")
    rows: list[dict[str, JSON]] = []
    for place, one in enumerate(listed):
        address = inputs.check(_ADDRESS, one, deal.version)
        for name in _NEEDED:
            required(address, name)
        values = {column: inputs.text(address, name) for name, column in ADDRESS_COLUMNS.items()}
        rows.append({**values, "AddressType": "Shipping", "IsDefault": place == 0})
    return rows


def _user(deal: Deal, account_id: str, person: Mapping[str, str]) -> str:
    """Make the contact and the user; return the user's id."""
    shared = {"FirstName": person["firstName"], "LastName": person["lastName"], "Email": person["email"]}
    contact = {**shared, "Phone": person["phoneNumber"], "AccountId": account_id, "OwnerId": deal.org.admin_id}
    (contact_id,) = deal.add("Contact", [contact])
    user = {
        **shared,
        "Username": person["email"],
        "Alias": person["firstName"].lower()[:8],
        "ContactId": contact_id,
        "ProfileId": get_meta(deal.connection, f"profile_id.{COMMUNITY.name}"),
        "IsPortalEnabled": True,
        "TimeZoneSidKey": "GMT",
        "LocaleSidKey": "en_US",
        "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US",
    }
    return deal.add("User", [user])[0]


def _admit(deal: Deal, user_id: str) -> None:
    """Give a user the permission set of buyers, and membership of the store's sites."""
    sets = deal.rows("PermissionSet", {"Name": BUYER_PERMISSION_SETS[0]})
    rights = [{"PermissionSetId": one["Id"], "AssigneeId": user_id, "IsActive": True} for one in sets]
    sites = deal.rows("WebStoreNetwork", {"WebStoreId": deal.buyer.store.id})
    members = [{"NetworkId": site["NetworkId"], "MemberId": user_id, **_NOTIFICATIONS} for site in sites]
    for sobject, rows in (("PermissionSetAssignment", rights), ("NetworkMember", members)):
        if rows:
            deal.add(sobject, rows)
