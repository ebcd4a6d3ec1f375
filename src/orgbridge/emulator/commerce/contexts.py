"""Who buys, for whom, and where: the web store, the acting user, and the effective account.

Methods read an open connection and block: call them in threads, or where one row is read, as reads do elsewhere.

Source: facts/commerce/carts.md section 3 (`effectiveAccountId`) and section 6, catalog.md section 7, auth.md section 4.
Assumed: where the chain breaks, the refusal is `CommercePolicy.no_access`; an account without an active BuyerAccount
that was named as effective account is told as one that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.emulator.commerce.policy import CommercePolicy
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.ids import to_18

#: Permission sets that let a community user buy. Source: catalog.md section 7; Assumed: the second API name.
BUYER_PERMISSION_SETS = ("B2BBuyer", "B2BBuyerManager")
_OPTIONS = (
    "OptionsAutoFacetingEnabled", "OptionsCartAsyncProcessingEnabled", "OptionsCartCalculateEnabled",
    "OptionsCartToOrderAutoCustomFieldMapping", "OptionsDuplicateCartItemsEnabled", "OptionsGuestBrowsingEnabled",
    "OptionsGuestCartEnabled", "OptionsGuestCheckoutEnabled", "OptionsPreserveGuestCartEnabled",
    "OptionsSkipAdditionalEntitlementCheckForSearch", "OptionsSkuDetectionEnabled", "OptionsSplitShipmentEnabled",
)  # fmt: skip
_STORE_FIELDS = (
    "Id", "Name", "Type", "CurrencyIsoCode", "SupportedCurrencies", "SupportedLanguages", "DefaultLanguage", "Country",
    "PricingStrategy", "StrikethroughPricebookId", "OrderActivationStatus", "OrderLifeCycleType",
    "DefaultTaxLocaleType",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One web store."""

    #: `0ZE…`, 18 characters.
    id: str
    #: Its name.
    name: str
    #: `B2B` and the like.
    type: str
    #: Currency of its prices and carts when none is asked for.
    currency: str
    #: All currencies that it sells in.
    currencies: tuple[str, ...]
    #: Languages, the default one first.
    languages: tuple[str, ...]
    #: ISO code, or empty.
    country: str
    #: `LowestPrice` or `Priority`.
    pricing_strategy: str
    #: Price book of struck-through list prices, or None.
    strikethrough_pricebook_id: str | None
    #: Status of the orders that its carts become: `Activated` or `Draft`, empty when not set.
    order_status: str
    #: `MANAGED` or `UNMANAGED`.
    order_life_cycle: str
    #: `Gross` or `Net`.
    tax_type: str
    #: Names of the `Options…` fields that are on.
    options: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerGroup:
    """A buyer group that the effective account is in and that the store serves."""

    #: `0ZI…`.
    id: str
    #: Its name.
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerContext:
    """One user who buys for one account in one store."""

    #: Where.
    store: Store
    #: Who calls.
    user_id: str
    #: The contact of that user; None for users of the org itself.
    contact_id: str | None
    #: Account of that contact; None for users of the org itself.
    own_account_id: str | None
    #: The effective account: whose prices, products and carts are seen.
    account_id: str
    #: Its name.
    account_name: str
    #: Groups of that account in this store; with none the catalogue is empty.
    groups: tuple[BuyerGroup, ...]

    @property
    def group_ids(self) -> tuple[str, ...]:
        """Ids of the groups."""
        return tuple(group.id for group in self.groups)


def find_store(connection: Connection, policy: CommercePolicy, store_id: str) -> Store:
    """Return a web store by its id of 15 or 18 characters.

    Raises:
        SFError: There is no such store.
    """
    found = to_18(store_id)
    row = None
    if found is not None:
        names = ", ".join((*_STORE_FIELDS, *_OPTIONS))
        sql = f'SELECT {names} FROM "WebStore" WHERE Id = ? AND IsDeleted = 0'  # noqa: S608 fixed names
        row = connection.execute(sql, (found,)).fetchone()
    if row is None:
        raise policy.unknown_store.error(f"We couldn't find a web store with the ID {store_id}.")
    values = dict(zip((*_STORE_FIELDS, *_OPTIONS), row, strict=True))
    currency = values["CurrencyIsoCode"] or "USD"
    languages = _words(values["SupportedLanguages"])
    first = values["DefaultLanguage"]
    return Store(
        id=values["Id"],
        name=values["Name"],
        type=values["Type"] or "B2B",
        currency=currency,
        currencies=_words(values["SupportedCurrencies"]) or (currency,),
        languages=tuple(dict.fromkeys((*([first] if first else []), *languages))) or ("en_US",),
        country=values["Country"] or "",
        pricing_strategy=values["PricingStrategy"] or "LowestPrice",
        strikethrough_pricebook_id=values["StrikethroughPricebookId"],
        order_status=values["OrderActivationStatus"] or "",
        order_life_cycle=values["OrderLifeCycleType"] or "MANAGED",
        tax_type=values["DefaultTaxLocaleType"] or "Gross",
        options=frozenset(name for name in _OPTIONS if values[name]),
    )


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word for word in (text or "").replace(",", ";").split(";") if word)


def buyer_context(
    connection: Connection,
    policy: CommercePolicy,
    *,
    store_id: str,
    user_id: str,
    effective_account_id: str | None = None,
) -> BuyerContext:
    """Return who buys for whom.

    Args:
        connection: Open for reading.
        policy: How calls are refused.
        store_id: The web store of the path.
        user_id: Who calls.
        effective_account_id: The account that the call is for; None or empty for that of the user's contact.

    Raises:
        SFError: The store or the account is not there, or the user may not buy for it.
    """
    store = find_store(connection, policy, store_id)
    contact_id, own = own_account(connection, user_id)
    account_id = _effective(connection, policy, effective_account_id, own)
    if account_id != own and not _may_act_for(connection, policy, user_id, contact_id, account_id):
        raise policy.no_access.error("You don't have access to this account.")
    if not is_buyer_account(connection, account_id):
        if account_id == own:
            raise policy.no_access.error("Your account isn't enabled as a buyer account.")
        raise policy.unknown_account.error(f"We couldn't find a buyer account with the ID {account_id}.")
    check_visitor(connection, policy, store, user_id)
    (name,) = connection.execute('SELECT Name FROM "Account" WHERE Id = ?', (account_id,)).fetchone()
    return BuyerContext(
        store=store,
        user_id=user_id,
        contact_id=contact_id,
        own_account_id=own,
        account_id=account_id,
        account_name=name,
        groups=groups_of(connection, store.id, account_id),
    )


def own_account(connection: Connection, user_id: str) -> tuple[str | None, str | None]:
    """Return the contact of a user and that contact's account; None twice for a user of the org itself."""
    sql = 'SELECT u.ContactId, c.AccountId FROM "User" u LEFT JOIN "Contact" c ON c.Id = u.ContactId WHERE u.Id = ?'
    row = connection.execute(sql, (user_id,)).fetchone()
    return (None, None) if row is None else (row[0], row[1])


def is_buyer_account(connection: Connection, account_id: str) -> bool:
    """Tell whether an account is there and may buy."""
    sql = (
        'SELECT 1 FROM "BuyerAccount" b JOIN "Account" a ON a.Id = b.BuyerId WHERE b.BuyerId = ? AND b.IsActive = 1'
        " AND b.BuyerStatus = 'Active' AND b.IsDeleted = 0 AND a.IsDeleted = 0"
    )
    return connection.execute(sql, (account_id,)).fetchone() is not None


def managed_accounts(connection: Connection, user_id: str) -> list[tuple[str, str]]:
    """Return the accounts that a user may buy for beside the own one: ids of the DelegatedAccount and the account."""
    sql = (
        'SELECT d.Id, d.TargetId FROM "DelegatedAccount" d JOIN "Account" a ON a.Id = d.TargetId'
        " WHERE d.ManagedById = ? AND d.AccessBuyFor = 1 AND d.IsDeleted = 0 AND a.IsDeleted = 0 ORDER BY a.Name, d.Id"
    )
    return [(str(row[0]), str(row[1])) for row in connection.execute(sql, (user_id,))]


def groups_of(connection: Connection, store_id: str, account_id: str) -> tuple[BuyerGroup, ...]:
    """Return the buyer groups that an account is in and that a store serves."""
    sql = (
        'SELECT DISTINCT g.Id, g.Name FROM "BuyerGroupMember" m JOIN "BuyerGroup" g ON g.Id = m.BuyerGroupId'
        ' JOIN "WebStoreBuyerGroup" w ON w.BuyerGroupId = g.Id'
        " WHERE m.BuyerId = ? AND w.WebStoreId = ? AND m.IsDeleted = 0 AND g.IsDeleted = 0 AND w.IsDeleted = 0"
        " ORDER BY g.Id"
    )
    return tuple(BuyerGroup(id=row[0], name=row[1]) for row in connection.execute(sql, (account_id, store_id)))


def _effective(connection: Connection, policy: CommercePolicy, given: str | None, own: str | None) -> str:
    if not given:
        if own is None:
            raise policy.no_access.error("You must specify a value for the effectiveAccountId parameter.")
        return own
    found = to_18(given)
    sql = 'SELECT Id FROM "Account" WHERE Id = ? AND IsDeleted = 0'
    if found is None or connection.execute(sql, (found,)).fetchone() is None:
        raise policy.unknown_account.error(f"We couldn't find a buyer account with the ID {given}.")
    return found


def _may_act_for(
    connection: Connection, policy: CommercePolicy, user_id: str, contact_id: str | None, account_id: str
) -> bool:
    if contact_id is None:
        return policy.internal_users_buy
    return any(target == account_id for _, target in managed_accounts(connection, user_id))


def check_visitor(connection: Connection, policy: CommercePolicy, store: Store, user_id: str) -> None:
    """Refuse a community user without a buyer's permission set, or who is no member of a site of the store.

    Raises:
        SFError: The user may not enter the store.
    """
    if own_account(connection, user_id)[0] is None:
        return
    marks = ", ".join("?" * len(BUYER_PERMISSION_SETS))
    sql = (
        'SELECT 1 FROM "PermissionSetAssignment" a JOIN "PermissionSet" p ON p.Id = a.PermissionSetId'  # noqa: S608
        f" WHERE a.AssigneeId = ? AND p.Name IN ({marks}) AND a.IsDeleted = 0"
    )
    if connection.execute(sql, (user_id, *BUYER_PERMISSION_SETS)).fetchone() is None:
        raise policy.no_access.error("You don't have the permission to buy in this store.")
    sites = connection.execute(
        'SELECT n.NetworkId, m.Id FROM "WebStoreNetwork" n LEFT JOIN "NetworkMember" m ON m.NetworkId = n.NetworkId'
        " AND m.MemberId = ? AND m.IsDeleted = 0 WHERE n.WebStoreId = ? AND n.IsDeleted = 0",
        (user_id, store.id),
    ).fetchall()
    if sites and not any(member for _, member in sites):
        raise policy.no_access.error("You don't have access to this web store.")
