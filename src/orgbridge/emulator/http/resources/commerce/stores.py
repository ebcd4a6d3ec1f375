"""The store and its visitor: session context, application context, and the store itself.

Source: facts/commerce/catalog.md section 5.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.commerce import versions
from orgbridge.emulator.commerce.contexts import BuyerContext, Store, check_visitor, find_store
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.http.resources.commerce.buyers import WS, need_version, reading
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON

_SESSION: Shape = {
    "accountId": 57,
    "accountName": 57,
    "buyerGroups": 58,
    "guestUser": 54,
    "profile": 62,
    "userId": 54,
    "userName": (54, 61),
}
_APPLICATION: Shape = {
    "cartCalculateEnabled": 60,
    "catalogSnapshotVersionId": 54,
    "checkoutSettings": 61,
    "clientSidePaymentConfiguration": 54,
    "country": 55,
    "defaultCurrency": 54,
    "giftingConfig": 64,
    "guestBrowsingEnabled": 57,
    "guestCartEnabled": 58,
    "guestCartCheckoutEnabled": (54, 57),
    "guestCheckoutEnabled": 58,
    "inventoryConfiguration": 58,
    "managedCheckoutVersion": 62,
    "markets": 58,
    "orderStatuses": 62,
    "placeOrderV2Enabled": 64,
    "productConfig": 65,
    "propertiesEx": 54,
    "sessionDrivenCurrency": 57,
    "shippingCountries": 55,
    "shopperConsentEnabled": 64,
    "skipPhoneNumberValidationEnabled": 64,
    "splitShipmentEnabled": 60,
    "subscriptionConfig": 63,
    "supportedCurrencies": 54,
    "taxType": 55,
    "usesSingleEntitlementPolicy": 54,
    "usesUniversalPricebooks": 62,
}


async def session_context(call: Call) -> Response:
    """Answer GET session-context."""
    need_version(call, 54)
    version = call.version

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        sql = 'SELECT FirstName, LastName, Username, Name FROM "User" WHERE Id = ?'
        first, last, username, name = connection.execute(sql, (buyer.user_id,)).fetchone()
        values = {
            "accountId": buyer.account_id,
            "accountName": buyer.account_name,
            "buyerGroups": [{"id": group.id, "name": group.name} for group in buyer.groups],
            "guestUser": False,
            "profile": {"firstName": first, "lastName": last, "userName": username},
            "userId": buyer.user_id,
            "userName": name,
        }
        return versions.body(_SESSION, version, values)

    return call.json(await reading(call, work))


async def application_context(call: Call) -> Response:
    """Answer GET application-context."""
    need_version(call, 54)
    version = call.version
    store = await _store(call)
    on = store.options
    values: dict[str, JSON] = {
        "cartCalculateEnabled": "OptionsCartCalculateEnabled" in on,
        "country": store.country or None,
        "defaultCurrency": store.currency,
        "guestBrowsingEnabled": "OptionsGuestBrowsingEnabled" in on,
        "guestCartEnabled": "OptionsGuestCartEnabled" in on,
        "guestCartCheckoutEnabled": "OptionsGuestCheckoutEnabled" in on,
        "guestCheckoutEnabled": "OptionsGuestCheckoutEnabled" in on,
        "placeOrderV2Enabled": False,
        "propertiesEx": {},
        "sessionDrivenCurrency": False,
        "shippingCountries": [store.country] if store.country else [],
        "shopperConsentEnabled": False,
        "skipPhoneNumberValidationEnabled": False,
        "splitShipmentEnabled": "OptionsSplitShipmentEnabled" in on,
        "supportedCurrencies": list(store.currencies),
        "taxType": store.tax_type,
        "usesSingleEntitlementPolicy": False,
        "usesUniversalPricebooks": False,
        "orderStatuses": [{"label": name, "value": name} for name in _ORDER_STATUSES],
    }
    return call.json(versions.body(_APPLICATION, version, values))


#: Source: facts/commerce/orders.md section 4; Assumed: which of them a new org has.
_ORDER_STATUSES = ("Created", "Approved", "Waiting to Fulfill", "Fulfilled", "Canceled")


async def webstore(call: Call) -> Response:
    """Answer GET on a store's own address, where the settings say that there is such a resource."""
    if not call.parts.commerce.policy.webstore_resource:
        raise not_found()
    store = await _store(call)
    return call.json(
        {
            "id": store.id,
            "name": store.name,
            "type": store.type,
            "defaultCurrency": store.currency,
            "defaultLanguage": store.languages[0],
            "supportedCurrencies": list(store.currencies),
            "supportedLanguages": list(store.languages),
        }
    )


async def _store(call: Call) -> Store:
    """Return the store of the path; whoever is a buyer nowhere in it learns nothing of it."""
    user_id = call.user_id

    def run() -> Store:
        with call.parts.storage.read() as connection:
            store = find_store(connection, call.parts.commerce.policy, call.args["webstore"])
            check_visitor(connection, call.parts.commerce.policy, store, user_id)
            return store

    return await call.thread(run)


ROUTES = (
    Route(pattern=WS, handlers={"GET": webstore}),
    Route(pattern=f"{WS}/session-context", handlers={"GET": session_context}),
    Route(pattern=f"{WS}/application-context", handlers={"GET": application_context}),
)
