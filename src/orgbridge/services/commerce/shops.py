"""The webstore as a caller's own Salesforce user sees it: whose session, which store, for which account.

Laws:
1. A caller buys as the caller's own Salesforce user or not at all; never as the integration user.
2. Every call names the account that is bought for.
3. Which store it is, is said: by the caller, by WEBSTORE_ID, or because the account can buy in one store only. Nothing
   is chosen among several.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar

from orgbridge.client import Store, StoreContext
from orgbridge.kit.clock import Clock
from orgbridge.kit.errors import ErrorKind
from orgbridge.kit.notes import note
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.uses import call_for
from orgbridge.services.commerce.refusals import refusals_told
from orgbridge.services.errors import InvalidRequest, ServiceError
from orgbridge.services.scopes import Caller
from orgbridge.soql import bind
from orgbridge.wire.ids import to_18

_PREFIX = "0ZE"
_STORES = (
    "SELECT WebStoreId FROM WebStoreBuyerGroup WHERE BuyerGroupId IN "
    "(SELECT BuyerGroupId FROM BuyerGroupMember WHERE BuyerId = :account) LIMIT 200"
)
#: How long it is believed which stores an account can buy in, and for how many accounts.
_BELIEVED_SECONDS, _KEPT = 300.0, 1000


class NoBuyer(ServiceError):
    """Your user acts as no Salesforce user: an administrator gives it one (sf_username), and you buy as that one."""

    code: ClassVar[str] = "commerce.no_buyer"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class StoreUnknown(ServiceError):
    """Which webstore is meant cannot be told: name it, or have WEBSTORE_ID set."""

    code: ClassVar[str] = "commerce.store_unknown"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class Shops:
    """Webstores for callers."""

    def __init__(self, orgs: Orgs, clock: Clock, webstore_id: str | None = None, org: str = "default") -> None:
        self._orgs = orgs
        self._clock = clock
        self._webstore_id = webstore_id
        self._org = org
        self._known: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()

    async def store(self, caller: Caller, account_id: str, webstore_id: str | None = None) -> Store:
        """Return a webstore as the caller's Salesforce user.

        Args:
            caller: Who asks.
            account_id: For which account; the caller was found to be granted it.
            webstore_id: Which store; None to tell it.

        Raises:
            NoBuyer: The caller has no Salesforce user.
            InvalidRequest: The store's id is none.
            StoreUnknown: It cannot be told which store is meant.
            BuyersNotConfigured: There is no key to sign users in with.
            UpstreamAuth: Salesforce does not let the user in.
            ClientError: Salesforce could not be asked.
        """
        if caller.sf_username is None:
            raise NoBuyer
        call_for(caller.username)
        wanted = await self._store_id(account_id, webstore_id)
        note(webstore_id=wanted, account_id=account_id)
        with refusals_told():
            salesforce = await self._orgs.buyer(caller.sf_username, self._org)
        return salesforce.commerce.store(StoreContext(webstore_id=wanted, account_id=account_id))

    async def _store_id(self, account_id: str, webstore_id: str | None) -> str:
        given = webstore_id or self._webstore_id
        if given is not None:
            found = to_18(given)
            if found is None or not found.startswith(_PREFIX):
                raise InvalidRequest(f"{'webstore_id' if webstore_id else 'WEBSTORE_ID'} is no id of a WebStore.")
            return found
        stores = await self._stores_of(account_id)
        if len(stores) != 1:
            raise StoreUnknown(
                f"The account can buy in {len(stores) or 'no'} webstores: "
                + ("name one by webstore_id." if stores else "have its buyer group added to a store."),
                details=[{"webstore_id": one, "message": "a store of the account's buyer groups"} for one in stores],
            )
        return stores[0]

    async def _stores_of(self, account_id: str) -> tuple[str, ...]:
        known = self._known.get(account_id)
        if known is not None and self._clock.monotonic() - known[0] < _BELIEVED_SECONDS:
            return known[1]
        soql = bind(_STORES, {"account": account_id})
        page = await self._orgs.get(self._org).salesforce.query.page(soql)
        stores = tuple(sorted({str(record["WebStoreId"]) for record in page.records}))
        if stores:
            self._known[account_id] = (self._clock.monotonic(), stores)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return stores
