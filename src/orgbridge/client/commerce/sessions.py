"""Who the buyer is in a webstore, for whom the buyer may buy, and how the webstore is set up.

Source: facts/commerce/catalog.md section 5.
"""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.client.commerce.resources import StoreResource
from orgbridge.client.commerce.values import flag, items, needed, text


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerSession:
    """The buyer whose token the calls carry."""

    #: Id of the User.
    user_id: str | None
    #: The account that is bought for; None before v57.
    account_id: str | None
    #: Its name.
    account_name: str | None
    #: True for a guest.
    guest: bool
    #: Ids of the buyer groups that decide about products and prices (v58).
    buyer_group_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedAccount:
    """An account that the buyer may buy for."""

    #: Id of the account.
    account_id: str
    #: Its name.
    name: str | None
    #: True for the buyer's own.
    is_own: bool
    #: Id of the row that allows it; None for the buyer's own.
    grant_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """How a webstore is set up."""

    #: ISO code of the currency where none is named.
    default_currency: str | None
    #: ISO codes.
    currencies: tuple[str, ...]
    #: ISO codes of the countries that it ships to.
    countries: tuple[str, ...]
    #: `Automatic`, `Gross`, `Net`.
    tax_type: str | None
    #: True where guests have carts.
    guest_carts: bool
    #: True where an order is placed by an action (v64).
    places_by_action: bool


class Sessions(StoreResource):
    """The buyer's session."""

    async def current(self) -> BuyerSession:
        """Return who the buyer is.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        body = await self.read("session-context")
        return BuyerSession(
            user_id=text(body, "userId"),
            account_id=text(body, "accountId"),
            account_name=text(body, "accountName"),
            guest=flag(body, "guestUser"),
            buyer_group_ids=tuple(needed(item, "id", "buyer groups") for item in items(body, "buyerGroups")),
        )

    async def accounts(self) -> list[ManagedAccount]:
        """Return the accounts that the buyer may buy for, the own one among them.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        body = await self.read("external-managed-accounts", {"includeMyAccount": "true"})
        return [
            ManagedAccount(
                account_id=needed(item, "accountId", "managed accounts"),
                name=text(item, "accountName"),
                is_own=flag(item, "isMyAccount"),
                grant_id=text(item, "externalManagedAccountId"),
            )
            for item in items(body, "externalManagedAccounts", "managedAccounts", "accounts")
        ]

    async def settings(self) -> StoreSettings:
        """Return how the webstore is set up.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        body = await self.read("application-context")
        currencies, countries = body.get("supportedCurrencies"), body.get("shippingCountries")
        return StoreSettings(
            default_currency=text(body, "defaultCurrency"),
            currencies=tuple(map(str, currencies)) if isinstance(currencies, list) else (),
            countries=tuple(map(str, countries)) if isinstance(countries, list) else (),
            tax_type=text(body, "taxType"),
            guest_carts=flag(body, "guestCartEnabled"),
            places_by_action=flag(body, "placeOrderV2Enabled"),
        )
