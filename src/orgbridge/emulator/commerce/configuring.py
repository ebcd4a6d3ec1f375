"""What a saved configuration does to a line of a cart: quantity, attributes, and the lines of its parts.

Source: the resource's one line in the reference: it applies a saved configuration context to a cart item; the object
reference of ProductRelatedComponent for what its columns say. Assumed: both properties of the body; that the line
becomes what the configuration says, whatever it was before; that a product is configurable when its
`ConfigureDuringSale` is Allowed; that parts are the components with the role BundleComponent; that attributes change no
price; that a line from a quote keeps what was agreed and is not configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from orgbridge.emulator.commerce import bundles, inputs, lines, quotedlines, savedconfigurations
from orgbridge.emulator.commerce.deals import Deal, Row, bad_input, missing, required
from orgbridge.emulator.commerce.entitlements import product_id_of
from orgbridge.emulator.commerce.money import of_row, quantity_text
from orgbridge.emulator.commerce.offers import entitled
from orgbridge.emulator.commerce.savedconfigurations import Node
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

_BODY: Shape = {"cartItemId": 66, "configurationId": 66}


def apply(deal: Deal, cart: Row, given: JSON) -> str:
    """Let a line of a cart be as a saved configuration says; return the line's id.

    Raises:
        SFError: The line or the configuration is not there, or the product cannot be configured so. The transaction is
            not to be kept.
    """
    if not deal.policy.revenue_cloud:
        raise SFError("API_DISABLED_FOR_ORG", "Products can't be configured in this org.", 403)
    body = inputs.check(_BODY, given, deal.version)
    line = lines.line_of(deal, cart, required(body, "cartItemId"))
    key = required(body, "configurationId")
    saved = savedconfigurations.find(deal.connection, deal.buyer.user_id, key)
    if saved is None:
        raise missing("saved configuration", key[:40])
    node = savedconfigurations.node_of(saved)
    product = _product(deal, line, node)
    quantity = of_row(line["Quantity"]) if node.quantity is None else bundles.whole(deal, product, node.quantity)
    lines.check_quantity(deal, cart, line, quantity)
    parts = _parts(deal, product, node, quantity)
    if len(lines.product_lines(deal, cart["Id"])) + len(parts) > deal.policy.cart_lines:
        raise deal.policy.too_many.error(f"A cart takes {deal.policy.cart_lines} items at most.")
    lines.drop(deal, bundles.below(deal, [line["Id"]]))
    former = bundles.attributes_of(deal, bundles.CART, [line["Id"]]).get(line["Id"], [])
    deal.remove([row["Id"] for row in former], hard=True)
    change = {"Quantity": quantity, "ChildProductCount": len(parts), "ConfigureDuringSale": "Allowed"}
    kind = "Bundle" if parts else product.get("ProductClass") or "Simple"
    deal.change("CartItem", [{"Id": line["Id"], **change, "ProductClass": kind}])
    made = deal.add("CartItem", [bundles.part(line, *one) for one in parts]) if parts else []
    _note_attributes(deal, {line["Id"]: node, **dict(zip(made, node.parts, strict=True))})
    lines.finish(deal, cart["Id"])
    return str(line["Id"])


def _product(deal: Deal, line: Row, node: Node) -> Row:
    product = deal.get("Product2", line["Product2Id"])
    if node.product is None or product_id_of(node.product) != product["Id"]:
        raise bad_input("The saved configuration is of another product.")
    if product["ConfigureDuringSale"] != "Allowed":
        raise bad_input(f"{product['Name']} can't be configured.")
    if line["Id"] in quotedlines.terms_of(deal, [line]):
        raise bad_input(f"{product['Name']} has a price that was agreed and can't be configured.")
    if product["Id"] not in entitled(deal, [product["Id"]]):
        raise deal.policy.not_entitled.error("You don't have access to this product.")
    return product


def _parts(deal: Deal, product: Row, node: Node, quantity: Decimal) -> list[tuple[Row, Row, Decimal]]:
    """Return the parts of a configuration: the product of each, its component, and how many there are in all.

    Raises:
        SFError: One is no component of the product or not to be had, or its quantity is wrong, or a required one is
            missing.
    """
    components = bundles.components_of(deal, product["Id"])
    wanted = [product_id_of(part.product or "") for part in node.parts]
    if len(set(wanted)) < len(wanted):
        raise bad_input("The saved configuration has a part twice.")
    for needed, component in components.items():
        if component["IsComponentRequired"] and needed not in wanted:
            raise bad_input(f"The saved configuration lacks the required part {needed}.")
    products, seen = deal.by_id("Product2", [key for key in wanted if key]), entitled(deal, [k for k in wanted if k])
    parts = []
    for key, part in zip(wanted, node.parts, strict=True):
        found = components.get(key or "")
        if key is None or found is None or key not in products:
            raise bad_input(f"{(part.product or 'A node')[:40]} is no part of {product['Name']}.")
        if key not in seen:
            raise deal.policy.not_entitled.error("You don't have access to a part of this product.")
        number = _number(products[key], found, part.quantity)
        pieces = number * quantity if found["QuantityScaleMethod"] == bundles.PROPORTIONAL else number
        parts.append((products[key], found, bundles.whole(deal, products[key], pieces)))
    return parts


def _number(product: Row, component: Row, given: Decimal | None) -> Decimal:
    usual = Decimal(1) if component["Quantity"] is None else of_row(component["Quantity"])
    number = usual if given is None else given
    least, most = component["MinQuantity"], component["MaxQuantity"]
    if number != usual and not component["IsQuantityEditable"]:
        raise bad_input(f"The quantity of {product['Name']} is {quantity_text(usual)} and can't be changed.")
    if (least is not None and number < of_row(least)) or (most is not None and number > of_row(most)):
        raise bad_input(f"The quantity {quantity_text(number)} of {product['Name']} isn't allowed.")
    return number


def _note_attributes(deal: Deal, nodes: Mapping[str, Node]) -> None:
    rows = [
        {"CartItemId": line, "AttributeName": name, "AttributeValue": value, "IsPriceImpacting": impacting}
        for line, node in nodes.items()
        for name, value, impacting in node.attributes
    ]
    if rows:
        deal.add(bundles.CART[0], rows)
