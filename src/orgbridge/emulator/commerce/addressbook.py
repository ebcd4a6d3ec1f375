"""Addresses of an account's address book as rows.

Source: facts/commerce/sobjects.md, ContactPointAddress.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Properties of an address in Connect bodies, and the columns of ContactPointAddress that they stand for.
ADDRESS_COLUMNS: Final[Mapping[str, str]] = {
    "city": "City",
    "companyName": "CompanyName",
    "country": "Country",
    "firstName": "AddressFirstName",
    "lastName": "AddressLastName",
    "name": "Name",
    "postalCode": "PostalCode",
    "region": "State",
    "shipToPhoneNumber": "PhoneNumber",
    "street": "Street",
}
