"""Categories of a store: one, those below another, the way to one, and the menu.

Source: facts/commerce/catalog.md section 1. Assumed: whoever may enter the store sees all its categories; the
properties of a menu item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from orgbridge.emulator.commerce import versions
from orgbridge.emulator.commerce.catalog import (
    Category,
    categories_of,
    category_id_of,
    field_texts,
    path_of,
)
from orgbridge.emulator.commerce.contexts import BuyerContext
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce import bodies
from orgbridge.emulator.http.resources.commerce.buyers import WS, flag, need_version, number, reading, words
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON

#: Source: catalog.md section 1, "category `fields` carry".
_FIELDS = ("Name", "Description", "NumberOfProducts", "IsNavigational", "ParentCategoryId", "SortOrder")
_DETAIL: Shape = {"bannerImage": 49, "fields": 49, "id": 49, "mediaGroups": 49, "tileImage": 49, "urlName": 59}
_ITEM: Shape = {
    "actionType": 64,
    "actionValue": 64,
    "active": 64,
    "imageUrl": 64,
    "label": 64,
    "subMenu": 64,
    "target": 64,
}


async def category(call: Call) -> Response:
    """Answer GET product-categories/{id}."""
    need_version(call, 49)

    def work(connection: Connection, buyer: BuyerContext) -> JSON:
        found = _find(call, categories_of(connection, buyer.store.id), call.args["id"])
        return _details(call, connection, [found])[0]

    return call.json(await reading(call, work))


async def children(call: Call) -> Response:
    """Answer GET product-categories/children: those below a category, or those at the top."""
    need_version(call, 52)
    parent = call.query("parentProductCategoryId")

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        known = categories_of(connection, buyer.store.id)
        above = _find(call, known, parent).id if parent else None
        return {"productCategories": _details(call, connection, _below(known, above))}

    return call.json(await reading(call, work))


async def path(call: Call) -> Response:
    """Answer GET product-category-path/product-categories/{id}."""
    need_version(call, 49)

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        known = categories_of(connection, buyer.store.id)
        found = _find(call, known, call.args["id"])
        return bodies.category_path(path_of(known, found.id), call.version)

    return call.json(await reading(call, work))


async def menu(call: Call) -> Response:
    """Answer GET category-menu-items."""
    need_version(call, 64)
    most, levels = number(call, "maxItems", 100, 1, 1000), number(call, "maxLevels", 5, 1, 10)

    def work(connection: Connection, buyer: BuyerContext) -> dict[str, JSON]:
        known = categories_of(connection, buyer.store.id)
        items = _menu(known, None, levels, call.version)[:most]
        if flag(call, "addHomeMenuItem"):
            home: dict[str, JSON] = {"actionType": "InternalLink", "actionValue": "/", "active": True, "label": "Home"}
            items.insert(0, versions.body(_ITEM, call.version, home | {"subMenu": [], "target": "CurrentWindow"}))
        return {"menuItems": items}

    return call.json(await reading(call, work))


def _menu(known: Mapping[str, Category], above: str | None, levels: int, version: int) -> list[JSON]:
    if not levels:
        return []
    return [
        versions.body(
            _ITEM,
            version,
            {
                "actionType": "InternalLink",
                "actionValue": f"/category/{one.url_name}/{one.id}",
                "active": True,
                "label": one.name,
                "subMenu": _menu(known, one.id, levels - 1, version),
                "target": "CurrentWindow",
            },
        )
        for one in _below(known, above)
        if one.navigational
    ]


def _below(known: Mapping[str, Category], above: str | None) -> list[Category]:
    return [one for one in known.values() if one.parent_id == above]


def _find(call: Call, known: Mapping[str, Category], given: str) -> Category:
    found = known.get(category_id_of(given) or "")
    if found is None:
        raise call.parts.commerce.policy.missing.error(f"The category {given} isn't available.")
    return found


def _details(call: Call, connection: Connection, some: Sequence[Category]) -> list[JSON]:
    sobject = call.parts.org.sobject("ProductCategory")
    names = words(call, "fields") or _FIELDS
    texts = field_texts(connection, sobject, [one.id for one in some], names)
    media = not flag(call, "excludeMedia")
    return [
        versions.body(
            _DETAIL,
            call.version,
            {
                "bannerImage": bodies.default_image(call.version) if media else None,
                "fields": {} if flag(call, "excludeFields") else dict(texts[one.id]),
                "id": one.id,
                "mediaGroups": [],
                "tileImage": bodies.default_image(call.version) if media else None,
                "urlName": one.url_name,
            },
        )
        for one in some
    ]


ROUTES = (
    Route(pattern=f"{WS}/product-categories/children", handlers={"GET": children}),
    Route(pattern=f"{WS}/product-categories/{{id}}", handlers={"GET": category}),
    Route(pattern=f"{WS}/product-category-path/product-categories/{{id}}", handlers={"GET": path}),
    Route(pattern=f"{WS}/category-menu-items", handlers={"GET": menu}),
)
