"""Addresses of commerce, one tuple per family of resources."""

from __future__ import annotations

from orgbridge.emulator.http.resources.commerce import cart_items, carts, checkouts, stores

ROUTES = (
    *stores.ROUTES,
    *carts.ROUTES,
    *cart_items.ROUTES,
    *checkouts.ROUTES,
)
