"""Products and categories as rows: looked up, put into words, with their place in a store's catalogue.

Source: facts/commerce/catalog.md sections 1 and 7. Assumed: a category is a store's when its catalogue is; a product's
address name is its name in lower case with hyphens.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from orgbridge.emulator.commerce.amounts import exact
from orgbridge.emulator.commerce.entitlements import chunks
from orgbridge.emulator.schema.model import SObject
from orgbridge.emulator.schema.rendering import Stored
from orgbridge.emulator.storage.database import Connection
from orgbridge.emulator.storage.tables import quote
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.ids import to_18

#: Fields of a product that are shown where no others are asked for. Source: catalog.md section 2.
DEFAULT_FIELDS = ("Name", "Description", "StockKeepingUnit", "ProductCode", "Family")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
#: Categories above each other; a deeper tree is cut.
_DEEPEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What resources say of a product beside its fields."""

    #: `01t…`.
    id: str
    #: Its name.
    name: str
    #: Stock-keeping unit, or None.
    sku: str | None
    #: `Simple` and the like.
    product_class: str
    #: Whether it is configured while it is sold.
    configurable: bool

    @property
    def url_name(self) -> str:
        """Its name as part of an address."""
        return slug(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityRule:
    """How many pieces may be bought."""

    #: Steps; None for any.
    increment: Decimal | None
    #: At most; None for any.
    maximum: Decimal | None
    #: At least; None for any.
    minimum: Decimal | None

    def allows(self, quantity: Decimal) -> bool:
        """Tell whether a quantity keeps the rule; steps count from zero (Assumed)."""
        if self.minimum is not None and quantity < self.minimum:
            return False
        if self.maximum is not None and quantity > self.maximum:
            return False
        return not self.increment or quantity % self.increment == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One category of a store's catalogue."""

    #: `0ZG…`.
    id: str
    #: Its name.
    name: str
    #: What it is about, or None.
    description: str | None
    #: The one above, or None at the top.
    parent_id: str | None
    #: Whether menus show it.
    navigational: bool
    #: Place beside others.
    sort_order: int | None
    #: Products in it and below, as the row says.
    products: int | None

    @property
    def url_name(self) -> str:
        """Its name as part of an address."""
        return slug(self.name)


def slug(name: str) -> str:
    """Return a name as part of an address."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return _NOT_WORD.sub("-", plain).strip("-")


def products_of(connection: Connection, ids: Iterable[str]) -> dict[str, Product]:
    """Return products by id; those that are not there are not in it."""
    found: dict[str, Product] = {}
    for some in chunks(dict.fromkeys(ids)):
        names = "Id, Name, StockKeepingUnit, ProductClass, ConfigureDuringSale"
        sql = f'SELECT {names} FROM "Product2" WHERE Id IN ({_marks(some)})'  # noqa: S608
        for row in connection.execute(f"{sql} AND IsDeleted = 0", some):
            kind, configurable = row[3] or "Simple", row[4] == "Allowed"
            found[row[0]] = Product(id=row[0], name=row[1], sku=row[2], product_class=kind, configurable=configurable)
    return found


def ids_by_sku(connection: Connection, skus: Sequence[str]) -> dict[str, str]:
    """Return product ids by stock-keeping unit as it was written; of several products the first that was made."""
    found: dict[str, str] = {}
    for some in chunks(dict.fromkeys(skus)):
        sql = f'SELECT StockKeepingUnit, Id FROM "Product2" WHERE StockKeepingUnit IN ({_marks(some)})'  # noqa: S608
        for sku, product in connection.execute(f"{sql} AND IsDeleted = 0 ORDER BY Id", some):
            found.setdefault(sku, product)
    return found


def field_texts(
    connection: Connection, sobject: SObject, ids: Iterable[str], names: Sequence[str] | None
) -> dict[str, dict[str, str | None]]:
    """Return fields of rows as text, by id: what Connect's maps of fields hold.

    Args:
        connection: Open for reading.
        sobject: The object, as the caller may see it.
        ids: Ids of 18 characters.
        names: Fields in any case; None for all. Those that are not there are left out.
    """
    fields = sobject.stored_fields if names is None else tuple(filter(None, map(sobject.field, names)))
    fields = tuple(field for field in dict.fromkeys(fields) if field.is_stored and field.type is not FieldType.BASE64)
    found: dict[str, dict[str, str | None]] = {}
    columns = ", ".join(['"Id"', *(quote(field.name) for field in fields)])
    for some in chunks(dict.fromkeys(ids)):
        sql = f"SELECT {columns} FROM {quote(sobject.name)} WHERE Id IN ({_marks(some)})"  # noqa: S608
        for row in connection.execute(sql, some):
            found[row[0]] = {field.name: _text(field.type, value) for field, value in zip(fields, row[1:], strict=True)}
    return found


def _text(kind: FieldType, value: Stored) -> str | None:
    if value is None:
        return None
    if kind is FieldType.BOOLEAN:
        return "true" if value else "false"
    return str(value)


def quantity_rules(connection: Connection, ids: Iterable[str]) -> dict[str, QuantityRule]:
    """Return the quantity rules of products, by product; of several the first that was made."""
    found: dict[str, QuantityRule] = {}
    for some in chunks(dict.fromkeys(ids)):
        sql = (
            'SELECT p.ProductId, r.Increment, r.Maximum, r.Minimum FROM "ProductQuantityRule" p'  # noqa: S608
            ' JOIN "PurchaseQuantityRule" r ON r.Id = p.PurchaseQuantityRuleId'
            f" WHERE p.ProductId IN ({_marks(some)}) AND p.IsDeleted = 0 AND r.IsDeleted = 0 ORDER BY p.Id"
        )
        for product, increment, maximum, minimum in connection.execute(sql, some):
            rule = QuantityRule(increment=exact(increment), maximum=exact(maximum), minimum=exact(minimum))
            found.setdefault(product, rule)
    return found


def categories_of(connection: Connection, store_id: str) -> dict[str, Category]:
    """Return the categories of a store's catalogues by id, in their order."""
    sql = (
        "SELECT c.Id, c.Name, c.Description, c.ParentCategoryId, c.IsNavigational, c.SortOrder, c.NumberOfProducts"
        ' FROM "ProductCategory" c JOIN "WebStoreCatalog" w ON w.ProductCatalogId = c.CatalogId'
        " WHERE w.SalesStoreId = ? AND c.IsDeleted = 0 AND w.IsDeleted = 0"
        " ORDER BY c.SortOrder IS NULL, c.SortOrder, c.Name, c.Id"
    )
    return {
        row[0]: Category(
            id=row[0],
            name=row[1],
            description=row[2],
            parent_id=row[3],
            navigational=bool(row[4]),
            sort_order=row[5],
            products=row[6],
        )
        for row in connection.execute(sql, (store_id,))
    }


def path_of(categories: Mapping[str, Category], category_id: str) -> list[Category]:
    """Return the categories from the top down to one, itself the last; empty when it is not there."""
    path: list[Category] = []
    here = categories.get(category_id)
    while here is not None and len(path) < _DEEPEST:
        path.append(here)
        here = categories.get(here.parent_id or "")
    return path[::-1]


def below(categories: Mapping[str, Category], category_id: str) -> list[str]:
    """Return the ids of a category and of all below it."""
    found, waiting = [], [category_id]
    while waiting:
        here = waiting.pop()
        if here in categories and here not in found:
            found.append(here)
            waiting += [one.id for one in categories.values() if one.parent_id == here]
    return found


def primary_category(connection: Connection, product_id: str, store_id: str) -> str | None:
    """Return the category in which a store shows a product first, or None."""
    sql = (
        'SELECT p.ProductCategoryId FROM "ProductCategoryProduct" p JOIN "ProductCategory" c'
        ' ON c.Id = p.ProductCategoryId JOIN "WebStoreCatalog" w ON w.ProductCatalogId = c.CatalogId'
        " WHERE p.ProductId = ? AND w.SalesStoreId = ? AND p.IsDeleted = 0 AND c.IsDeleted = 0 AND w.IsDeleted = 0"
        " ORDER BY p.IsPrimaryCategory DESC, p.Id LIMIT 1"
    )
    row = connection.execute(sql, (product_id, store_id)).fetchone()
    return None if row is None else row[0]


def category_id_of(text: str) -> str | None:
    """Return the 18-character id of a category, or None when the text is no such id."""
    found = to_18(text)
    return found if found is not None and found.startswith("0ZG") else None


def _marks(ids: Sequence[str]) -> str:
    return ", ".join("?" * len(ids))
