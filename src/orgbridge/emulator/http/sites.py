"""Experience Cloud sites: the path that each answers under, beside the org's own, and who may use it.

A site's path stands in front of the org's: `/parts-eu/services/oauth2/token`, `/parts-eu/services/data/v62.0/…`.

Source: facts/commerce/auth.md sections 1 and 2. Assumed: which addresses answer there (tokens and the API), and that
a user who is no member of the site is told that the session is not good there.
"""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.emulator.commerce.contexts import own_account
from orgbridge.emulator.storage.database import Connection, Storage

_LIVE = "\"Network\" n WHERE n.IsDeleted = 0 AND n.Status = 'Live' AND n.UrlPathPrefix IS NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One site."""

    #: `0DB…`.
    id: str
    #: First piece of its path.
    prefix: str


def split_site(raw_path: str) -> tuple[str, str] | None:
    """Return the first piece of a path and the rest, where the rest is one that sites answer; else None."""
    prefix, slash, rest = raw_path.lstrip("/").partition("/")
    lowered = rest.lower()
    if not slash or not (lowered.startswith(("services/oauth2/", "services/data/")) or lowered == "services/data"):
        return None
    return prefix, f"/{rest}"


def find_site(storage: Storage, prefix: str) -> Site | None:
    """Return the live site of a path, or None. Case does not matter."""
    with storage.read() as connection:
        sql = f"SELECT n.Id, n.UrlPathPrefix FROM {_LIVE} AND lower(n.UrlPathPrefix) = ?"  # noqa: S608 fixed
        row = connection.execute(sql, (prefix.lower(),)).fetchone()
    return None if row is None else Site(id=row[0], prefix=row[1])


def site_of(connection: Connection, user_id: str) -> Site | None:
    """Return the first site that a contact's user is a member of; None for users of the org itself."""
    if own_account(connection, user_id)[0] is None:
        return None
    sql = (
        f"SELECT n.Id, n.UrlPathPrefix FROM {_LIVE} AND n.Id IN"  # noqa: S608 fixed
        ' (SELECT m.NetworkId FROM "NetworkMember" m WHERE m.MemberId = ? AND m.IsDeleted = 0) ORDER BY n.Id'
    )
    row = connection.execute(sql, (user_id,)).fetchone()
    return None if row is None else Site(id=row[0], prefix=row[1])


def may_enter(storage: Storage, site: Site, user_id: str) -> bool:
    """Tell whether a user may use a site: its members, and users of the org itself."""
    with storage.read() as connection:
        if own_account(connection, user_id)[0] is None:
            return True
        sql = 'SELECT 1 FROM "NetworkMember" WHERE NetworkId = ? AND MemberId = ? AND IsDeleted = 0'
        return connection.execute(sql, (site.id, user_id)).fetchone() is not None
