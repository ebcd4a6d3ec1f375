"""Addresses of commerce, one tuple per family of resources."""

from __future__ import annotations

from orgbridge.emulator.http.resources.commerce import cart_items, carts, stores

ROUTES = (
    *stores.ROUTES,
    *carts.ROUTES,
    *cart_items.ROUTES,
)
