"""Addresses of commerce, one tuple per family of resources."""

from __future__ import annotations

from orgbridge.emulator.http.resources.commerce import (
    cart_actions,
    cart_items,
    carts,
    checkouts,
    delivery_groups,
    discounts,
    sales,
    stores,
    summaries,
)

ROUTES = (
    *stores.ROUTES,
    *carts.ROUTES,
    *cart_items.ROUTES,
    *cart_actions.ROUTES,
    *checkouts.ROUTES,
    *delivery_groups.ROUTES,
    *discounts.ROUTES,
    *sales.ROUTES,
    *summaries.ROUTES,
)
