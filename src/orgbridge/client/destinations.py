"""Where a session may be sent that a token endpoint handed out, and what kind of place that is. No I/O here."""

from __future__ import annotations

from urllib.parse import urlsplit

from orgbridge.kit.networks import is_inside

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_this_machine(url: str) -> bool:
    """Return whether a URL leads to this machine by its loopback."""
    return urlsplit(url).hostname in _LOOPBACK


def may_follow(token_url: str, instance_url: str) -> bool:
    """Return whether calls may go where a token reply says, seen from where the token came.

    A reply that was tampered with could lead the session, and the requests of this machine, elsewhere: to plain http,
    to the cloud's own metadata service, to machines of the house. What comes by https stays with https, and what comes
    from a name or a public address does not lead to an address of this machine or its neighbours.
    """
    origin, target = urlsplit(token_url), urlsplit(instance_url)
    if origin.hostname == target.hostname and origin.scheme == target.scheme:
        return True
    if origin.scheme == "https" and target.scheme != "https":
        return False
    if target.username is not None or target.password is not None:
        return False
    return is_inside(origin.hostname or "") or not is_inside(target.hostname or "")
