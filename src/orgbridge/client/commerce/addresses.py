"""Addresses of the account that is bought for.

Source: facts/commerce/catalog.md section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from orgbridge.client.commerce.resources import StoreResource
from orgbridge.client.commerce.values import flag, items, needed, text
from orgbridge.client.errors import MalformedReply, NotFound
from orgbridge.client.transport.requests import segment
from orgbridge.kit.json import JSON

_PAGE, _MAX_PAGES = 100, 100


class AddressType(StrEnum):
    """What an address is for."""

    SHIPPING = "Shipping"
    BILLING = "Billing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address as a buyer gives it."""

    #: Whose, e.g. a person or a department.
    name: str
    #: Street and number; lines end with a line feed.
    street: str | None = None
    #: City.
    city: str | None = None
    #: Postal code.
    postal_code: str | None = None
    #: ISO code of the state.
    region: str | None = None
    #: ISO code of the country.
    country: str | None = None
    #: Company (v57).
    company_name: str | None = None
    #: First name (v57).
    first_name: str | None = None
    #: Last name (v57).
    last_name: str | None = None
    #: Telephone (v57).
    phone_number: str | None = None

    def to_json(self) -> dict[str, JSON]:
        """Return it as Connect takes it, without what was not given."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {_WIRE[name]: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAddress:
    """An address in the account's book."""

    #: Its id.
    address_id: str
    #: What it is for.
    type: str | None
    #: True for the one that is taken when none is named.
    is_default: bool
    #: The address.
    address: Address


_WIRE = {
    "name": "name",
    "street": "street",
    "city": "city",
    "postal_code": "postalCode",
    "region": "region",
    "country": "country",
    "company_name": "companyName",
    "first_name": "firstName",
    "last_name": "lastName",
    "phone_number": "phoneNumber",
}


class Addresses(StoreResource):
    """Addresses."""

    async def all(self, address_type: AddressType | None = None, *, default_only: bool = False) -> list[AccountAddress]:
        """Return the account's addresses, every page of them.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        found: list[AccountAddress] = []
        token: str | None = None
        for _ in range(_MAX_PAGES):
            params: Mapping[str, str | int | None] = {
                "addressType": address_type.value if address_type is not None else None,
                "defaultOnly": "true" if default_only else None,
                "pageSize": _PAGE,
                "pageToken": token,
            }
            body = await self.read(self._path(), params)
            found += [parse_account_address(item) for item in items(body, "items")]
            token = text(body, "nextPageToken")
            if token is None:
                return found
        raise MalformedReply(f"Salesforce's account has more than {_MAX_PAGES} pages of addresses.")

    async def create(self, address: Address, address_type: AddressType, *, is_default: bool = False) -> AccountAddress:
        """Put an address into the book. Not repeated when the reply was lost.

        Raises:
            ConnectionFailed: With `sent` true it may be there.
            ClientError: Salesforce refused, or could not be reached.
        """
        body = {**address.to_json(), "addressType": address_type.value, "isDefault": is_default}
        return parse_account_address(await self.change("POST", self._path(), body))

    async def change_address(
        self, address_id: str, address: Address, address_type: AddressType, *, is_default: bool = False
    ) -> AccountAddress:
        """Change an address.

        Raises:
            NotFound: There is no such address.
            ClientError: Salesforce refused, or could not be reached.
        """
        body = {**address.to_json(), "addressType": address_type.value, "isDefault": is_default}
        return parse_account_address(await self.change("PATCH", self._path(address_id), body, repeatable=True))

    async def delete(self, address_id: str) -> None:
        """Take an address out of the book.

        Raises:
            NotFound: There is no such address.
            ClientError: Salesforce refused, or could not be reached.
        """
        try:
            await self.send("DELETE", self._path(address_id), repeatable=True)
        except NotFound as error:
            if not error.repeated:
                raise

    def _path(self, address_id: str | None = None) -> str:
        if self.context.account_id is None:
            raise ValueError("addresses belong to an account: the context names none")
        path = f"accounts/{segment(self.context.account_id)}/addresses"
        return path if address_id is None else f"{path}/{segment(address_id)}"


def parse_address(body: Mapping[str, Any]) -> Address:
    """Return an address; codes of country and state are in fields of their own up to v58."""
    return Address(
        name=text(body, "name") or "",
        street=text(body, "street"),
        city=text(body, "city"),
        postal_code=text(body, "postalCode"),
        region=text(body, "regionCode") or text(body, "region"),
        country=text(body, "countryCode") or text(body, "country"),
        company_name=text(body, "companyName"),
        first_name=text(body, "firstName"),
        last_name=text(body, "lastName"),
        phone_number=text(body, "phoneNumber"),
    )


def parse_account_address(body: Mapping[str, Any]) -> AccountAddress:
    """Return an address of the book.

    Raises:
        MalformedReply: It has no id.
    """
    return AccountAddress(
        address_id=needed(body, "addressId", "addresses"),
        type=text(body, "addressType"),
        is_default=flag(body, "isDefault"),
        address=parse_address(body),
    )
