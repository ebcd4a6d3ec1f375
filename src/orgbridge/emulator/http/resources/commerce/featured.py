"""Products that go with a product: spare parts, additions, what is bought beside it.

Source: facts/commerce/catalog.md section 1; the reference of Commerce Webstore Product Featured Products (64) and its
sample. Assumed: the keys, which are the relations' names as the sample has them, `sparePart` for Spare Part; that
parts of bundles and sets are no featured products; that products which the buyer may not see are left out.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from orgbridge.emulator.commerce.catalog import products_of
from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.commerce.entitlements import product_id_of, rights_of
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce import bodies
from orgbridge.emulator.http.resources.commerce.buyers import WS, need_version, reading, words
from orgbridge.emulator.http.resources.commerce.products import detail, seen_product, wanted_fields
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON

_SINCE = 64
#: Products of each relation that are shown. Assumed.
_MOST = 100
_WORD = re.compile(r"[A-Za-z0-9]+")
_RELATED = (
    'SELECT t.Name, c.ChildProductId FROM "ProductRelatedComponent" c JOIN "ProductRelationshipType" t'
    " ON t.Id = c.ProductRelationshipTypeId WHERE c.ParentProductId = ? AND c.IsDeleted = 0 AND t.IsDeleted = 0"
    " AND COALESCE(t.AssociatedProductRoleCat, '') NOT IN ('BundleComponent', 'SetComponent')"
    " AND c.ChildProductId IS NOT NULL ORDER BY c.Sequence, c.Id"
)


def key_of(name: str) -> str:
    """Return the key of a relation: `sparePart` for Spare Part."""
    first, *others = [str(word) for word in _WORD.findall(name)] or [name]
    return first[0].lower() + first[1:] + "".join(word[0].upper() + word[1:] for word in others)


async def featured(call: Call) -> Response:
    """Answer GET products/{id}/featured-products."""
    need_version(call, _SINCE)
    sobject, policy, given = seen_product(call), call.parts.commerce.policy, call.args["id"]
    names, wanted = wanted_fields(call, sobject), {name.lower() for name in words(call, "relationshipTypes")}

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        product_id = product_id_of(given)
        if product_id is None or not products_of(connection, rights_of(connection, buyer, [product_id])):
            raise bodies.missing_product(policy, given)
        related: dict[str, list[str]] = {}
        for relation, child in connection.execute(_RELATED, (product_id,)):
            key = key_of(relation)
            if not wanted or {key.lower(), relation.lower()} & wanted:
                related.setdefault(key, []).append(child)
        rights = rights_of(connection, buyer, {child for children in related.values() for child in children})
        seen = products_of(connection, rights)
        shown: dict[str, JSON] = {}
        for key, children in related.items():
            mine = [child for child in dict.fromkeys(children) if child in seen][:_MOST]
            shown[key] = [detail(call, connection, buyer, seen[one], rights[one], sobject, names) for one in mine]
        return {"featuredProductsByRelationshipType": shown}

    return call.json(await reading(call, work))


ROUTES = (Route(pattern=f"{WS}/products/{{id}}/featured-products", handlers={"GET": featured}),)
