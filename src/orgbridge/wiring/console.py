"""The console, put beside the API: only here do the two faces meet."""

from __future__ import annotations

from orgbridge.api.pages import Pages
from orgbridge.console import app as console
from orgbridge.console.cookies import PREFIX, token_of
from orgbridge.console.sign_in import SIGN_IN
from orgbridge.services.bundle import Services
from orgbridge.wiring.settings import Settings


def build_pages(settings: Settings, services: Services) -> Pages | None:
    """Return the console as the application takes it in; None when it is switched off."""
    if not settings.orgbridge_console:
        return None
    made = console.build_console(services, name=settings.app_name, version=settings.app_version)
    return Pages(
        prefix=PREFIX,
        routes=made.routes,
        token=token_of,
        signs_in=console.signs_in,
        changes=console.changes,
        is_bulk=console.is_bulk,
        is_free=console.is_free,
        streams=console.streams,
        dress=made.dress,
    )


def sign_in_url(service_url: str, ticket: str) -> str:
    """Return the address that signs somebody in, once."""
    return f"{service_url}{SIGN_IN}?ticket={ticket}"
