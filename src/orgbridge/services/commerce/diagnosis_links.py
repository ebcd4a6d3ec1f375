"""The chain from a user of this service to a cart, link by link: what each is, and where it is mended. Pure.

Source: facts/commerce/catalog.md section 7 (buyer enablement), auth.md section 4. The paths through Setup are those of
a B2B store on Lightning Web Runtime; Assumed where a label differs between releases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class LinkState(StrEnum):
    """What was found of a link."""

    OK = "ok"
    BROKEN = "broken"
    #: Not visible to this service, or not looked at because it hangs on a broken one.
    UNKNOWN = "unknown"


class LinkName(StrEnum):
    """A link, in the order of the chain."""

    USER = "user"
    SCOPES = "scopes"
    GRANT = "grant"
    MAPPING = "mapping"
    ACCOUNT = "account"
    SF_USERNAME = "sf_username"
    SF_USER = "salesforce_user"
    ACTIVE = "user_active"
    LICENCE = "licence"
    CONTACT = "contact"
    SIGN_IN = "sign_in"
    ACCESS = "account_access"
    BUYER_ACCOUNT = "buyer_account"
    BUYER_GROUP = "buyer_group"
    ENTITLEMENT = "entitlement_policy"
    PRODUCT = "product"
    ENTITLED = "product_entitled"
    PRICE_BOOK = "price_book"
    PRICE = "price"
    STORE = "web_store"
    SITE = "site_member"
    PERMISSION = "permission_set"
    CART = "cart"


_L = LinkName
#: What to do about each when it is broken.
REMEDIES: Final[Mapping[LinkName, str]] = MappingProxyType(
    {
        _L.USER: "Make the user (`orgbridge users create`), or enable it again.",
        _L.SCOPES: "Give the user the role buyer, or the scopes carts:read and carts:write.",
        _L.GRANT: "Grant the user the organization (`orgbridge users grant`); with several, name the one meant.",
        _L.MAPPING: "Map the organization to its account (`orgbridge mappings set`, PUT /salesforce_account/mappings).",
        _L.ACCOUNT: "Undelete the account, or map the organization to the one that it was merged into.",
        _L.SF_USERNAME: "Give the user of this service the Salesforce user's Username (sf_username).",
        _L.SF_USER: "Correct sf_username; or, in Salesforce, open the contact and choose Enable Customer User.",
        _L.ACTIVE: "Setup > Users > the user > Edit > Active.",
        _L.LICENCE: "Setup > Users > the user > Edit: a Customer or Partner Community licence with a profile of that "
        "licence. Buyers with a licence of the org itself see no store.",
        _L.CONTACT: "A buyer is a contact's user: open the contact in Salesforce and choose Enable Customer User; the "
        "contact needs an account.",
        _L.SIGN_IN: "Setup > External Client App Manager (or Manage Connected Apps) > the app > Policies: "
        "pre-authorise the buyer's profile, and see that its certificate belongs to ORGBRIDGE_SALESFORCE_JWT_KEY.",
        _L.ACCESS: "The contact must belong to the account that is bought for; or open the account and delegate it to "
        "the user with Buy For (External Managed Accounts).",
        _L.BUYER_ACCOUNT: "Open the account in Salesforce and choose Enable As Buyer; its buyer account must be active "
        "with the status Active.",
        _L.BUYER_GROUP: "Commerce app > Buyer Groups > a group > Related > Buyer Group Members: add the account.",
        _L.ENTITLEMENT: "Commerce app > Entitlement Policies: assign an active policy with View Products in Catalog to "
        "the buyer group.",
        _L.PRODUCT: "See that the product is there under this SKU and active: Products > the product > Active.",
        _L.ENTITLED: "Commerce app > Entitlement Policies > a policy of the buyer group > Products: add the product.",
        _L.PRICE_BOOK: "Commerce app > the store or the buyer group > Price Books: assign an active price book.",
        _L.PRICE: "Price Books > a price book of the store or the buyer group: add an active entry for the product; "
        "and let an entitlement policy show prices (View Prices in Catalog).",
        _L.STORE: "Commerce app > the store > Buyer Access: add the buyer group; Setup > Digital Experiences: the "
        "store's site must be live.",
        _L.SITE: "Setup > Digital Experiences > the store's site > Workspaces > Administration > Members: add the "
        "buyer's profile or permission set.",
        _L.PERMISSION: "Setup > Users > the user > Permission Set Assignments: add Buyer or Buyer Manager.",
        _L.CART: "Salesforce refuses the cart although nothing above is broken: its words say why. See Setup > Sharing "
        "Settings and the store's Buyer Access.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link as it was found."""

    name: LinkName
    state: LinkState
    #: What was seen.
    detail: str

    @property
    def remedy(self) -> str | None:
        """What to do; None for a link that is not broken."""
        return REMEDIES[self.name] if self.state is LinkState.BROKEN else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The chain of one user."""

    username: str
    sf_username: str | None
    organization_id: str | None
    account_id: str | None
    webstore_id: str | None
    sku: str | None
    links: Sequence[Link]

    @property
    def headline(self) -> Link | None:
        """The first broken link; None when none was found broken."""
        return next((one for one in self.links if one.state is LinkState.BROKEN), None)


def ok(name: LinkName, detail: str) -> Link:
    """Return a link that holds."""
    return Link(name=name, state=LinkState.OK, detail=detail)


def broken(name: LinkName, detail: str) -> Link:
    """Return a link that does not."""
    return Link(name=name, state=LinkState.BROKEN, detail=detail)


def unknown(name: LinkName, detail: str) -> Link:
    """Return a link that nothing can be said of."""
    return Link(name=name, state=LinkState.UNKNOWN, detail=detail)


def judged(name: LinkName, holds: bool, good: str, bad: str) -> Link:
    """Return a link that holds or does not."""
    return ok(name, good) if holds else broken(name, bad)
