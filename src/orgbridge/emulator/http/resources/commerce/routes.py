"""Addresses of commerce, one tuple per family of resources."""

from __future__ import annotations

from orgbridge.emulator.http.resources.commerce import (
    accounts,
    addresses,
    cart_actions,
    cart_items,
    carts,
    categories,
    checkouts,
    delivery_groups,
    discounts,
    guests,
    indexes,
    prices,
    products,
    sales,
    search,
    shipments,
    stores,
    summaries,
    wishlist_carts,
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
    *wishlist_carts.ROUTES,
    *addresses.ROUTES,
    *accounts.ROUTES,
    *carts.ROUTES,
    *cart_items.ROUTES,
    *cart_actions.ROUTES,
    *checkouts.ROUTES,
    *delivery_groups.ROUTES,
    *discounts.ROUTES,
    *sales.ROUTES,
    *guests.ROUTES,
    *summaries.ROUTES,
    *shipments.ROUTES,
)
