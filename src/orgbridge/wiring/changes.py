"""Changes of orders and carts put together: what a worker follows, and what may be asked for."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.change_audiences import ChangeAudiences
from orgbridge.services.commerce.change_looks import ChangeLooks
from orgbridge.services.commerce.change_owners import ChangeOwners
from orgbridge.services.commerce.changes import ChangeConfig, ChangeFollower
from orgbridge.services.commerce.trees import AccountTrees
from orgbridge.wiring.house import House
from orgbridge.wiring.settings import Settings


def build_audiences(settings: Settings, house: House) -> ChangeAudiences | None:
    """Return who is told of changes; None where they are not followed."""
    if not settings.orgbridge_changes_seconds:
        return None
    return ChangeAudiences(house.database, house.orgs)


def build_follower(settings: Settings, house: House) -> ChangeFollower | None:
    """Return what follows changes; None where nobody is to."""
    audiences = build_audiences(settings, house)
    if audiences is None:
        return None
    database, orgs, clock = house.database, house.orgs, house.clock
    config = ChangeConfig(seconds=settings.orgbridge_changes_seconds)
    owners = ChangeOwners(database, AccountService(database, AccountTrees(orgs, clock)))
    return ChangeFollower(database, ChangeLooks(orgs, config.org), audiences, owners, clock, config)


def change_companions(settings: Settings, house: House) -> list[Callable[[], Coroutine[object, object, None]]]:
    """Return what a worker does about changes beside its loads."""
    follower = build_follower(settings, house)
    return [follower.run] if follower is not None else []
