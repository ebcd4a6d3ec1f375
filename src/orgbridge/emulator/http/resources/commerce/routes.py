"""Addresses of commerce, one tuple per family of resources."""

from __future__ import annotations

from orgbridge.emulator.http.resources.commerce import stores

ROUTES = (*stores.ROUTES,)
