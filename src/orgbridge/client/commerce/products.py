"""Products of a webstore as a buyer may see them: what the buyer may not see is as if it were not there.

Source: facts/commerce/catalog.md sections 1 and 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orgbridge.client.commerce.product_values import Product, ProductFound, parse_found, parse_product
from orgbridge.client.commerce.resources import StoreResource
from orgbridge.client.commerce.values import count, items, joined, part, text
from orgbridge.client.errors import MalformedReply
from orgbridge.client.transport.requests import segment

#: Most products of one call; beyond it the URL grows too long. Assumed: the reference names no number.
LISTED_PRODUCTS = 100
_SEARCH_PAGE, _SEARCH_REACH = 100, 5000
_DEFAULT_FIELDS = ("Name", "StockKeepingUnit", "ProductCode", "IsActive")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPage:
    """One page of a search."""

    #: In the order of the search.
    products: tuple[Product, ...]
    #: How many there are in all.
    total: int
    #: ISO code of the prices of the store.
    currency: str | None


class Products(StoreResource):
    """Products."""

    async def get(self, product_id: str, *, fields: Sequence[str] = _DEFAULT_FIELDS) -> Product:
        """Return a product with its quantity rule.

        Raises:
            NotFound: There is none, or the buyer may not see it.
            ClientError: Salesforce refused, or could not be reached.
        """
        found = parse_product(await self.read(f"products/{segment(product_id)}", {"fields": joined(fields) or None}))
        if found is None:
            raise MalformedReply("Salesforce's product has no id.")
        return found

    async def by_ids(
        self, product_ids: Sequence[str], *, fields: Sequence[str] = _DEFAULT_FIELDS
    ) -> list[ProductFound]:
        """Return the answers for up to 100 products by id; those that the buyer may not see may be left out.

        Raises:
            ValueError: There are none or more than 100. Nothing was sent.
            ClientError: Salesforce refused, or could not be reached.
        """
        return await self._listed("ids", product_ids, fields)

    async def by_skus(self, skus: Sequence[str], *, fields: Sequence[str] = _DEFAULT_FIELDS) -> list[ProductFound]:
        """Return the answers for up to 100 products by SKU; those that the buyer may not see may be left out.

        Raises:
            ValueError: There are none or more than 100, or one holds a comma. Nothing was sent.
            ClientError: Salesforce refused, or could not be reached.
        """
        if any("," in sku for sku in skus):
            raise ValueError("a SKU with a comma cannot be asked for in a list")
        return await self._listed("skus", skus, fields)

    async def search(
        self,
        term: str | None,
        *,
        category_id: str | None = None,
        page: int = 0,
        page_size: int = 20,
        fields: Sequence[str] = _DEFAULT_FIELDS,
    ) -> ProductPage:
        """Return one page of the products that a search finds. Only what is in the live index is found.

        Args:
            term: Up to 32 words; None for a category as a whole.
            category_id: Only in this category.
            page: From 0 on; `page` times `page_size` reaches 5,000.
            page_size: 1 to 100.
            fields: Fields to see.

        Raises:
            ValueError: A bound was passed. Nothing was sent.
            ClientError: Salesforce refused, or could not be reached.
        """
        if page < 0 or not 1 <= page_size <= _SEARCH_PAGE or page * page_size > _SEARCH_REACH:
            raise ValueError(f"pages of 1 to {_SEARCH_PAGE} products, {_SEARCH_REACH} products in all")
        body: dict[str, object] = {"page": page, "pageSize": page_size, "fields": list(fields), "includePrices": False}
        if term is not None:
            body["searchTerm"] = term
        if category_id is not None:
            body["categoryId"] = category_id
        # It only reads, so that it may be repeated although it is a POST.
        found = part(await self.change("POST", "search/product-search", body, repeatable=True), "productsPage")
        products = [product for item in items(found, "products") if (product := parse_product(item)) is not None]
        return ProductPage(
            products=tuple(products), total=count(found, "total") or 0, currency=text(found, "currencyIsoCode")
        )

    async def categories(self, parent_id: str | None = None) -> list[dict[str, str | None]]:
        """Return the categories below one, or the topmost ones: `id` and their fields.

        Raises:
            ClientError: Salesforce refused, or could not be reached.
        """
        body = await self.read("product-categories/children", {"parentProductCategoryId": parent_id})
        found = []
        for item in items(body, "productCategories"):
            product_fields = part(item, "fields")
            found.append({"id": text(item, "id"), **{name: text(product_fields, name) for name in product_fields}})
        return found

    async def _listed(self, by: str, keys: Sequence[str], fields: Sequence[str]) -> list[ProductFound]:
        if not 1 <= len(keys) <= LISTED_PRODUCTS:
            raise ValueError(f"a list has 1 to {LISTED_PRODUCTS} products, not {len(keys)}")
        params = {
            by: joined(keys),
            "fields": joined(fields) or None,
            "excludeMedia": "true",
            "includeQuantityRule": "true" if self.version >= 63 else None,
        }
        return [parse_found(item) for item in items(await self.read("products", params), "products")]
