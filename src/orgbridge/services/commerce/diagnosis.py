"""Why a user can, or cannot, buy: the chain from the user of this service to the cart, walked link by link.

Laws:
1. Nothing is changed, here or in Salesforce: not even a cart is made.
2. What is not visible to this service is `unknown` and never taken for broken or whole.
3. A link that hangs on a missing one is `unknown`, so that the first broken link is the one to mend.

The rows are read by the integration user; the sign-in and the cart as the buyer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from orgbridge.client import Salesforce, StoreContext
from orgbridge.client.errors import (
    AccessRefused,
    AuthenticationFailed,
    ClientError,
    InvalidSession,
    NotFound,
    SalesforceError,
    SignInLimited,
    SignInUnavailable,
    UnknownWebstore,
)
from orgbridge.kit.notes import note
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.errors import BuyersNotConfigured
from orgbridge.orgs.uses import call_for
from orgbridge.services.commerce.accounts import AccountService, check_account_id
from orgbridge.services.commerce.diagnosis_facts import ChainFacts, ChainReader
from orgbridge.services.commerce.diagnosis_links import Diagnosis, Link, LinkName, broken, judged, ok, unknown
from orgbridge.services.commerce.errors import AccountGone, OrganizationUnknown
from orgbridge.services.commerce.trees import AccountTrees
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.principals import Principal, read_principal
from orgbridge.services.scopes import Caller, Everything, Scope
from orgbridge.store.account_records import MappedOrganization
from orgbridge.store.database import Database
from orgbridge.wire.ids import to_18

_L = LinkName
_NEEDED: Final = (Scope.CARTS_READ, Scope.CARTS_WRITE)
#: Kinds of users that a store lets in. Source: facts/commerce/auth.md section 4; Assumed: the names of older licences.
_COMMUNITY: Final = frozenset(
    {"CspLitePortal", "CustomerSuccess", "PowerCustomerSuccess", "PowerPartner", "HighVolumePortal", "Partner"}
)
_BUYER_SETS: Final = frozenset({"B2BBuyer", "B2BBuyerManager"})
_STORE_PREFIX: Final = "0ZE"
_CANDIDATES: Final = 50
_HIDDEN: Final = "not visible to the integration user"
_HANGS: Final = "not looked at: it hangs on a link above"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Who is looked at, for whom and where."""

    username: str
    sku: str | None = None
    #: Id, name or key of an organization; None where the user is granted only one.
    organization: str | None = None
    #: An account of it; None for that of the user's contact, else the mapped one.
    account_id: str | None = None
    #: None for WEBSTORE_ID, else the only one of the account.
    webstore_id: str | None = None


class DiagnosisService:
    """Walks chains."""

    def __init__(
        self,
        database: Database,
        orgs: Orgs,
        accounts: AccountService,
        trees: AccountTrees,
        *,
        webstore_id: str | None = None,
        org: str = "default",
    ) -> None:
        self._database = database
        self._orgs = orgs
        self._accounts = accounts
        self._trees = trees
        self._webstore_id = webstore_id
        self._org = org
        self._reader = ChainReader(orgs, org)

    async def diagnose(self, caller: Caller, patient: Patient) -> Diagnosis:
        """Return the chain of a user.

        Args:
            caller: The user itself, or an administrator.
            patient: Who.

        Raises:
            ScopeMissing: It is somebody else, and the caller is no administrator.
            InvalidRequest: An id is none.
            ClientError: Salesforce could not be asked at all.
        """
        if patient.username != caller.username:
            caller.need(Scope.ADMIN)
        call_for(caller.username)
        store = _store_id(patient.webstore_id) or _store_id(self._webstore_id)
        named = check_account_id(patient.account_id) if patient.account_id else None
        links: list[Link] = []
        principal = await self._principal(patient.username)
        sf_username = self._user_links(links, patient, principal)
        place = await self._place(links, patient.organization, principal)
        mapped = place.mapping.account_id if place is not None and place.mapping is not None else None
        owned = await self._owned(mapped) if mapped is not None and named is None else None
        facts = await self._reader.read(
            account_id=named or mapped, sf_username=sf_username, sku=patient.sku, webstore_id=store, owned=owned
        )
        note(ids=[patient.username], account_id=facts.account_id)
        links += [self._account(facts, mapped), self._sf_name(principal, sf_username)]
        links += _sf_user_links(facts, sf_username)
        sign_in, salesforce = await self._sign_in(sf_username)
        links.append(sign_in)
        links += _buyer_links(facts)
        links += _product_links(facts, patient.sku)
        links += _store_links(facts)
        cart = await _cart(salesforce, facts)
        links += [_permission(facts, cart), cart]
        return Diagnosis(
            username=patient.username,
            sf_username=sf_username,
            organization_id=place.organization.id if place is not None else None,
            account_id=facts.account_id,
            webstore_id=facts.webstore_id,
            sku=patient.sku,
            links=links,
        )

    # This service

    async def _principal(self, username: str) -> Principal | None:
        async with self._database.unit(write=False) as unit:
            user = await unit.users.get_by_username(username)
            return await read_principal(unit, user.id) if user is not None else None

    def _user_links(self, links: list[Link], patient: Patient, principal: Principal | None) -> str | None:
        """Add what is to be said of the user, and return its Salesforce user name."""
        if principal is None:
            links.append(broken(_L.USER, f"this service has no user {patient.username!r}"))
            links.append(unknown(_L.SCOPES, _HANGS))
            # A name like this may be one of Salesforce: the rest of its chain is worth seeing.
            return patient.username if "@" in patient.username else None
        user = principal.user
        links.append(judged(_L.USER, not user.disabled, "there, and may sign in", "disabled: it may not sign in"))
        missing = [scope.value for scope in _NEEDED if scope not in principal.scopes]
        links.append(judged(_L.SCOPES, not missing, "may see and fill carts", f"lacks {', '.join(missing)}"))
        return user.sf_username

    async def _place(
        self, links: list[Link], text: str | None, principal: Principal | None
    ) -> MappedOrganization | None:
        """Add what is to be said of grant and mapping, and return the organization."""
        granted = principal.organizations if principal is not None else frozenset[str]()
        place: MappedOrganization | None = None
        async with self._database.unit(write=False) as unit:
            if text is not None:
                found = await unit.accounts.organization(text)
                exact = [one for one in found if one.organization.id == text] or found
                if not exact:
                    raise OrganizationUnknown
                if len(exact) > 1:
                    raise InvalidRequest(f"Several organizations are called {text!r}: name one by its id.")
                place = exact[0]
                holds = place.organization.id in granted
                said = f"granted {place.organization.name}", f"not granted {place.organization.name}"
                grant = judged(_L.GRANT, holds, *said) if principal is not None else unknown(_L.GRANT, _HANGS)
            elif principal is None:
                grant = unknown(_L.GRANT, _HANGS)
            else:
                ids = None if isinstance(granted, Everything) else granted
                page = await unit.accounts.page(granted=ids, mapped_only=False, cursor=None, limit=_CANDIDATES)
                mapped = [one for one in page.items if one.mapping is not None] or page.items
                place = mapped[0] if len(mapped) == 1 else None
                if place is not None:
                    grant = ok(_L.GRANT, f"granted {place.organization.name}")
                elif mapped:
                    names = ", ".join(one.organization.name for one in mapped[:5])
                    grant = unknown(_L.GRANT, f"granted several organizations ({names}): name the one that is meant")
                else:
                    grant = broken(_L.GRANT, "granted no organization")
        links.append(grant)
        if place is None:
            links.append(unknown(_L.MAPPING, _HANGS))
        else:
            mapping = place.mapping
            good = f"mapped to {mapping.account_id}" if mapping is not None else ""
            links.append(judged(_L.MAPPING, mapping is not None, good, "mapped to no Salesforce account"))
        return place

    async def _owned(self, mapped: str) -> frozenset[str]:
        """Return the accounts of an organization: the mapped one and those below that are nobody else's."""
        try:
            below = [node.id for node in await self._trees.below([mapped])]
            owners = [await self._accounts.owner(one) for one in below[:_CANDIDATES]]
        except (SalesforceError, AccountGone):
            return frozenset({mapped})
        mine = {one for one, owner in zip(below, owners, strict=False) if owner and owner.account_id == mapped}
        return frozenset(mine | {mapped})

    # Salesforce

    def _account(self, facts: ChainFacts, mapped: str | None) -> Link:
        if facts.account_id is None:
            return unknown(_L.ACCOUNT, _HANGS)
        rows = facts.rows.get("account")
        if rows is None:
            return unknown(_L.ACCOUNT, f"Account is {_HIDDEN}")
        what = "the mapped account" if facts.account_id == mapped else "the account"
        gone = f"{what} {facts.account_id} was deleted or merged, or is {_HIDDEN}"
        return judged(_L.ACCOUNT, bool(rows), f"{what} {facts.account_id} is there", gone)

    def _sf_name(self, principal: Principal | None, sf_username: str | None) -> Link:
        if principal is None and sf_username is None:
            return unknown(_L.SF_USERNAME, _HANGS)
        said = (
            f"acts as {sf_username}" if principal is not None else f"taken for a user name of Salesforce: {sf_username}"
        )
        return judged(_L.SF_USERNAME, sf_username is not None, said, "acts as no Salesforce user")

    async def _sign_in(self, sf_username: str | None) -> tuple[Link, Salesforce | None]:
        if sf_username is None:
            return unknown(_L.SIGN_IN, _HANGS), None
        try:
            # Whoever looks has perhaps just mended the cause of a refusal.
            salesforce = await self._orgs.buyer(sf_username, self._org, anew=True)
        except BuyersNotConfigured as error:
            return broken(_L.SIGN_IN, error.message), None
        except (SignInUnavailable, SignInLimited) as error:
            return unknown(_L.SIGN_IN, error.message), None
        except AuthenticationFailed as error:
            return broken(_L.SIGN_IN, f"Salesforce refuses the sign-in by JWT: {error.cause} {error.remedy}"), None
        except ClientError as error:
            return unknown(_L.SIGN_IN, error.message), None
        return ok(_L.SIGN_IN, "signed in by JWT bearer"), salesforce


def _sf_user_links(facts: ChainFacts, sf_username: str | None) -> Iterable[Link]:
    names = (_L.SF_USER, _L.ACTIVE, _L.LICENCE, _L.CONTACT)
    if sf_username is None:
        return [unknown(name, _HANGS) for name in names]
    rows = facts.rows.get("user")
    if rows is None:
        return [unknown(name, f"User is {_HIDDEN}") for name in names]
    if not rows:
        gone = broken(_L.SF_USER, f"Salesforce has no user {sf_username}, or it is {_HIDDEN}")
        return [gone, *(unknown(name, _HANGS) for name in names[1:])]
    user = rows[0]
    kind, contact = str(user.get("UserType") or ""), user.get("Contact") or {}
    profile = str((user.get("Profile") or {}).get("Name") or "")
    own = contact.get("AccountId") if user.get("ContactId") else None
    if user.get("ContactId") and not own:
        said = "its contact has no account, or was deleted"
    else:
        said = "is no contact's user"
    return [
        ok(_L.SF_USER, f"{user['Id']}"),
        judged(_L.ACTIVE, bool(user.get("IsActive")), "active", "not active"),
        judged(
            _L.LICENCE, kind in _COMMUNITY, f"{kind}, profile {profile}", f"{kind}, profile {profile}: no community's"
        ),
        judged(_L.CONTACT, own is not None, f"contact {user.get('ContactId')} of account {own}", said),
    ]


def _buyer_links(facts: ChainFacts) -> Iterable[Link]:
    names = (_L.BUYER_ACCOUNT, _L.BUYER_GROUP)
    user = facts.first("user")
    own = (user.get("Contact") or {}).get("AccountId")
    if facts.account_id is None or own is None:
        yield unknown(_L.ACCESS, _HANGS)
    elif own == facts.account_id:
        yield ok(_L.ACCESS, "the contact's own account is bought for")
    elif facts.rows.get("delegated") is None:
        yield unknown(_L.ACCESS, f"the contact's account is {own}; delegated accounts are {_HIDDEN}")
    else:
        bad = f"the contact's account is {own}, and {facts.account_id} is not delegated to the user"
        yield judged(_L.ACCESS, bool(facts.rows["delegated"]), "delegated to the user, to buy for", bad)
    if facts.account_id is None:
        yield from (unknown(name, _HANGS) for name in names)
        return
    buyers = facts.rows.get("buyer")
    if buyers is None:
        yield unknown(_L.BUYER_ACCOUNT, f"BuyerAccount is {_HIDDEN}")
    elif not buyers:
        yield broken(_L.BUYER_ACCOUNT, f"the account {facts.account_id} is not enabled as a buyer account")
    else:
        active, status = bool(buyers[0].get("IsActive")), buyers[0].get("BuyerStatus")
        bad = f"the buyer account is {'' if active else 'not '}active, with the status {status}"
        yield judged(_L.BUYER_ACCOUNT, active and status == "Active", "enabled and active", bad)
    groups = facts.rows.get("groups")
    if groups is None:
        yield unknown(_L.BUYER_GROUP, f"BuyerGroupMember is {_HIDDEN}")
    else:
        yield judged(_L.BUYER_GROUP, bool(groups), f"in {len(groups)} buyer group(s)", "in no buyer group")


def _product_links(facts: ChainFacts, sku: str | None) -> Iterable[Link]:
    policies = facts.rows.get("policies")
    if "policies" not in facts.rows:
        yield unknown(_L.ENTITLEMENT, _HANGS)
    elif policies is None:
        yield unknown(_L.ENTITLEMENT, f"entitlement policies are {_HIDDEN}")
    else:
        good, bad = "an active policy shows products", "no active policy of the buyer groups shows products"
        yield judged(_L.ENTITLEMENT, bool(facts.policies()), good, bad)
    product = facts.first("product")
    if sku is not None:
        products = facts.rows.get("product")
        if products is None:
            yield unknown(_L.PRODUCT, f"Product2 is {_HIDDEN}")
        else:
            bad = f"{sku} is not active" if products else f"there is no product {sku}"
            yield judged(_L.PRODUCT, bool(product.get("IsActive")), f"{sku} is there and active", bad)
        entitled = facts.rows.get("entitled")
        if "entitled" not in facts.rows:
            yield unknown(_L.ENTITLED, _HANGS)
        elif entitled is None:
            yield unknown(_L.ENTITLED, f"CommerceEntitlementProduct is {_HIDDEN}")
        else:
            yield judged(
                _L.ENTITLED, bool(entitled), "in a policy of the buyer groups", f"{sku} is in none of the policies"
            )
    yield from _price_links(facts, sku)


def _price_links(facts: ChainFacts, sku: str | None) -> Iterable[Link]:
    if "books" not in facts.rows and "store_books" not in facts.rows:
        yield unknown(_L.PRICE_BOOK, _HANGS)
    elif not facts.books() and None in (facts.rows.get("books", []), facts.rows.get("store_books", [])):
        yield unknown(_L.PRICE_BOOK, f"price books of stores and buyer groups are {_HIDDEN}")
    else:
        count = len(facts.books())
        bad = "neither the store nor a buyer group has an active price book"
        yield judged(_L.PRICE_BOOK, bool(count), f"{count} active price book(s)", bad)
    if sku is None:
        return
    entries = facts.rows.get("entries")
    if "entries" not in facts.rows:
        yield unknown(_L.PRICE, _HANGS)
    elif entries is None:
        yield unknown(_L.PRICE, f"PricebookEntry is {_HIDDEN}")
    elif not entries:
        yield broken(_L.PRICE, f"{sku} has no active price in these price books")
    elif facts.policies() and not facts.shows_prices():
        yield broken(_L.PRICE, f"{sku} has a price, and no policy shows prices")
    else:
        yield ok(_L.PRICE, f"{sku} has a price")


def _store_links(facts: ChainFacts) -> Iterable[Link]:
    assigned = facts.rows.get("stores")
    if "stores" not in facts.rows:
        yield unknown(_L.STORE, _HANGS)
    elif assigned is None:
        yield unknown(_L.STORE, f"WebStoreBuyerGroup is {_HIDDEN}")
    elif not assigned:
        yield broken(_L.STORE, "no store serves the account's buyer groups")
    elif facts.webstore_id is None:
        names = ", ".join(sorted({str(row["WebStoreId"]) for row in assigned}))
        yield unknown(_L.STORE, f"several stores serve the account ({names}): name one by webstore_id")
    else:
        yield _store(facts, {str(row["WebStoreId"]) for row in assigned})
    sites, members = facts.rows.get("sites"), facts.rows.get("memberships")
    if "sites" not in facts.rows or "memberships" not in facts.rows:
        yield unknown(_L.SITE, _HANGS)
    elif sites is None or members is None:
        yield unknown(_L.SITE, f"WebStoreNetwork or NetworkMember is {_HIDDEN}")
    elif not sites:
        yield unknown(_L.SITE, "the store has no site that is known")
    else:
        joined = {row["NetworkId"] for row in members} & {row["NetworkId"] for row in sites}
        yield judged(_L.SITE, bool(joined), "a member of the store's site", "no member of the store's site")


def _store(facts: ChainFacts, assigned: set[str]) -> Link:
    store, found, sites = facts.webstore_id, facts.rows.get("store"), facts.rows.get("sites")
    if found is not None and not found:
        return broken(_L.STORE, f"there is no store {store}, or it is {_HIDDEN}")
    if store not in assigned:
        return broken(_L.STORE, f"the store {store} does not serve the account's buyer groups")
    statuses = [str((row.get("Network") or {}).get("Status") or "") for row in sites or []]
    if statuses and "Live" not in statuses:
        return broken(_L.STORE, f"the site of the store {store} is not live: {', '.join(statuses)}")
    if found is None or not statuses:
        return unknown(_L.STORE, f"the store {store} serves a buyer group; whether its site is live is {_HIDDEN}")
    return ok(_L.STORE, f"{store} serves the account's buyer group, and its site is live")


async def _cart(salesforce: Salesforce | None, facts: ChainFacts) -> Link:
    if salesforce is None or facts.webstore_id is None or facts.account_id is None:
        return unknown(_L.CART, _HANGS)
    context = StoreContext(webstore_id=facts.webstore_id, account_id=facts.account_id)
    try:
        cart = await salesforce.commerce.store(context).carts.find()
    except (AccessRefused, InvalidSession, UnknownWebstore, NotFound) as error:
        return broken(_L.CART, f"Salesforce refuses: {error.message}")
    except ClientError as error:
        return unknown(_L.CART, error.message)
    return ok(_L.CART, "can be read" if cart is not None else "can be read: there is none yet")


def _permission(facts: ChainFacts, cart: Link) -> Link:
    rows = facts.rows.get("permissions")
    if "permissions" not in facts.rows:
        return unknown(_L.PERMISSION, _HANGS)
    if rows is None:
        return unknown(_L.PERMISSION, f"PermissionSetAssignment is {_HIDDEN}")
    names = {str((row.get("PermissionSet") or {}).get("Name") or "") for row in rows}
    if names & _BUYER_SETS:
        return ok(_L.PERMISSION, f"has {', '.join(sorted(names & _BUYER_SETS))}")
    if cart.state is not cart.state.BROKEN:
        # A set of the org's own may grant the same, and the cart says more than a name.
        return unknown(_L.PERMISSION, "has neither B2BBuyer nor B2BBuyerManager; another set may grant the same")
    return broken(_L.PERMISSION, "has neither B2BBuyer nor B2BBuyerManager, and the cart is refused")


def _store_id(text: str | None) -> str | None:
    if text is None:
        return None
    found = to_18(text)
    if found is None or not found.startswith(_STORE_PREFIX):
        raise InvalidRequest("webstore_id is no id of a WebStore.")
    return found
