"""Properties that bodies of callers may have, with the API version that first takes each.

Source: facts/commerce/carts.md sections 3 and 5, checkout.md section 6.
"""

from __future__ import annotations

from collections.abc import Mapping

from orgbridge.emulator.commerce.deals import Deal, bad_input
from orgbridge.emulator.commerce.versions import Shape, knows
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

CART: Shape = {
    "currencyIsoCode": 57,
    "customFields": 61,
    "effectiveAccountId": 49,
    "isSecondary": 53,
    "name": 49,
    "orderOwnerId": 58,
    "type": 49,
    "typeAsString": 59,
}
CART_ITEM: Shape = {
    "cartDeliveryGroupId": 59,
    "customFields": 61,
    "productId": 49,
    "productSellingModelId": 59,
    "quantity": 49,
    "subscriptionTerm": 59,
    "subType": 64,
    "type": 49,
}
COUPON: Shape = {"couponCode": 54, "customFields": 63}
ADDRESS: Shape = {
    "city": 55,
    "country": 55,
    "firstName": 57,
    "id": 55,
    "isDefault": 55,
    "lastName": 57,
    "name": 55,
    "postalCode": 55,
    "region": 55,
    "shipToPhoneNumber": 63,
    "street": 55,
}
START_ADDRESS: Shape = {
    "city": 61,
    "companyName": 61,
    "country": 61,
    "firstName": 61,
    "id": 61,
    "lastName": 61,
    "name": 61,
    "postalCode": 61,
    "region": 61,
    "shouldUseDefaultAddress": 61,
    "street": 61,
}
CHECKOUT_START: Shape = {"cartId": 55, "customFields": 62, "deliveryAddressInput": 61}
CHECKOUT: Shape = {
    "contactInfo": 55,
    "customFields": 60,
    "deliveryAddress": 55,
    "deliveryMethodId": 55,
    "desiredDeliveryDate": 55,
    "shippingInstructions": 55,
}
CONTACT: Shape = {
    "email": 55,
    "firstName": 55,
    "isoCountryCodeForPhoneNumber": 62,
    "lastName": 55,
    "phoneNumber": 55,
}
DELIVERY_GROUP: Shape = {
    "deliveryAddress": 53,
    "deliveryMethodId": 53,
    "desiredDeliveryDate": 53,
    "id": 53,
    "name": 60,
    "shippingInstructions": 53,
}
ARRANGEMENT: Shape = {
    "cartItemId": 60,
    "deliveryAddress": 60,
    "deliveryAddressId": 60,
    "deliveryGroupId": 60,
    "deliveryGroupName": 60,
    "productId": 60,
    "quantity": 60,
}
PAYMENT: Shape = {"billingAddress": 55, "paymentToken": 55, "paymentsData": 55, "requestType": 55}


def check(shape: Shape, given: JSON, version: int) -> dict[str, JSON]:
    """Return a body that has no property but those that the version knows.

    Raises:
        SFError: 400 JSON_PARSER_ERROR. Source: carts.md section 1, seen for `shippingAddress` in a checkout.
    """
    if not isinstance(given, Mapping):
        raise SFError("JSON_PARSER_ERROR", "The value must be a JSON object at [line:1, column:1]", 400)
    for name in given:
        if name not in shape or not knows(shape[name], version):
            raise SFError("JSON_PARSER_ERROR", f'Unrecognized field "{name}" at [line:1, column:1]', 400)
    return dict(given)


def text(body: Mapping[str, JSON], name: str) -> str | None:
    """Return a text of a body, or None where it has none.

    Raises:
        SFError: The value is something else.
    """
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise bad_input(f"The value of {name} must be a text.")


def flag(body: Mapping[str, JSON], name: str) -> bool:
    """Return a truth of a body, false where it has none; a text will do.

    Raises:
        SFError: The value is something else.
    """
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise bad_input(f"The value of {name} must be true or false.")


def custom_fields(deal: Deal, sobject: str, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the values of custom fields that a body gives for a row; standard fields are passed over.

    Raises:
        SFError: The value has another form, or the object has no such field.
    """
    given = body.get("customFields")
    if given is None:
        return {}
    values: dict[str, JSON] = {}
    for one in given if isinstance(given, list) else [given]:
        if not isinstance(one, Mapping):
            raise bad_input("customFields must be a list of objects.")
        attributes = one.get("attributes")
        kind = attributes.get("type") if isinstance(attributes, Mapping) else sobject
        if kind != sobject:
            raise bad_input(f"customFields of {kind} cannot be given here.")
        values |= {name: value for name, value in one.items() if name.lower().endswith("__c")}
    known = deal.org.sobject(sobject)
    for name in values:
        if known.field(name) is None:
            raise SFError("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject}")
    return values
