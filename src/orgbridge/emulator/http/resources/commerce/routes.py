"""Addresses of commerce, one tuple per family of resources."""

from __future__ import annotations

from orgbridge.emulator.http.resources.commerce import (
    accounts,
    addresses,
    cart_items,
    carts,
    categories,
    indexes,
    prices,
    products,
    search,
    stores,
    wishlists,
)

ROUTES = (
    *stores.ROUTES,
    *products.ROUTES,
    *categories.ROUTES,
    *prices.ROUTES,
    *search.ROUTES,
    *indexes.ROUTES,
    *wishlists.ROUTES,
    *addresses.ROUTES,
    *accounts.ROUTES,
    *carts.ROUTES,
    *cart_items.ROUTES,
)
