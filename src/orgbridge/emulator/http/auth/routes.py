"""Addresses of signing in and out."""

from __future__ import annotations

from orgbridge.emulator.http.auth import authorize, browser, devices, identity, soap, tokens
from orgbridge.emulator.http.routing import Access, Handler, Route


def _open(pattern: str, **handlers: Handler) -> Route:
    return Route(pattern=pattern, handlers=handlers, access=Access.OPEN)


_OAUTH = "/services/oauth2"
ROUTES = (
    _open(f"{_OAUTH}/token", POST=tokens.token, GET=tokens.token_by_get),
    _open(f"{_OAUTH}/revoke", POST=tokens.revoke, GET=tokens.revoke),
    _open(f"{_OAUTH}/introspect", POST=tokens.introspect),
    _open(f"{_OAUTH}/userinfo", GET=identity.userinfo, POST=identity.userinfo),
    _open(f"{_OAUTH}/authorize", GET=authorize.authorize, POST=authorize.authorize),
    _open(f"{_OAUTH}/success", GET=authorize.success),
    _open(f"{_OAUTH}/singleaccess", POST=browser.single_access),
    _open("/login", GET=browser.show_login, POST=browser.log_in),
    _open("/secur/logout.jsp", GET=browser.log_out),
    _open("/secur/frontdoor.jsp", GET=browser.front_door, POST=browser.front_door),
    _open("/setup/connect", GET=devices.connect, POST=devices.connect),
    _open("/.well-known/openid-configuration", GET=identity.openid_configuration),
    _open("/id/keys", GET=identity.keys),
    _open("/id/{org}/{user}", GET=identity.identity),
    _open("/services/Soap/u/{version}", POST=soap.partner),
    _open("/services/Soap/u/{version}/{org}", POST=soap.partner),
    _open("/services/Soap/c/{version}", POST=soap.enterprise),
    _open("/services/Soap/c/{version}/{org}", POST=soap.enterprise),
    *(
        _open(f"/services/Soap/{face}/{{version}}{more}", POST=soap.elsewhere)
        for face in ("m", "T", "s")
        for more in ("", "/{org}", "/{org}/{job}")
    ),
)
