"""Carts put together: the services, and the sweep of their mirror that the worker does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.identifiers import new_identifier
from orgbridge.kit.logs import get_logger
from orgbridge.services.commerce.accounts import AccountService
from orgbridge.services.commerce.cart_batches import CartBatchService
from orgbridge.services.commerce.cart_desks import CartConfig, CartDesks
from orgbridge.services.commerce.cart_mirror import CartMirror, MirrorSweep
from orgbridge.services.commerce.cart_rights import CartRights
from orgbridge.services.commerce.cart_transfers import CartTransferService
from orgbridge.services.commerce.carts import CartService
from orgbridge.services.commerce.shops import Shops
from orgbridge.services.commerce.sights import Sight
from orgbridge.services.commerce.turns import Turns
from orgbridge.wiring.house import House
from orgbridge.wiring.settings import Settings

_TASK = "cart-mirror"
#: Between two sweeps; the lease of the one worker that does them lasts longer.
_SWEEP_SECONDS = 300.0
log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carts:
    """What the faces call about carts."""

    shops: Shops
    desks: CartDesks
    rights: CartRights
    carts: CartService
    batches: CartBatchService
    transfers: CartTransferService
    mirror: CartMirror


def build_carts(settings: Settings, house: House, accounts: AccountService) -> Carts:
    """Return the services of carts."""
    orgs, clock = house.orgs, house.clock
    config = CartConfig(machine_field=settings.orgbridge_cart_machine_field)
    patience = replace(config.patience, seconds=settings.orgbridge_cart_seconds)
    config = replace(config, patience=patience)
    mirror, turns = CartMirror(house.database, clock), Turns()
    shops = Shops(orgs, clock, settings.webstore_id)
    rights = CartRights(orgs)
    desks = CartDesks(shops, accounts, mirror, clock, config)
    carts = CartService(desks, rights, orgs, turns)
    batches = CartBatchService(desks, carts, rights, turns)
    transfers = CartTransferService(desks, batches, rights, accounts, Sight(orgs), turns)
    return Carts(
        shops=shops, desks=desks, rights=rights, carts=carts, batches=batches, transfers=transfers, mirror=mirror
    )


@asynccontextmanager
async def mirror_swept(house: House) -> AsyncIterator[None]:
    """Keep the mirror of carts like Salesforce while the block lasts; of several workers one does it."""
    task = asyncio.create_task(_sweep(house), name=_TASK)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _sweep(house: House) -> None:
    sweep = MirrorSweep(house.database, house.orgs, house.clock)
    holder = new_identifier("sweep", house.clock.now())
    while True:
        await house.clock.sleep(_SWEEP_SECONDS)
        try:
            now = house.clock.now()
            async with house.database.unit() as unit:
                mine = await unit.tasks.take(_TASK, holder, now, now + timedelta(seconds=2 * _SWEEP_SECONDS))
            if mine:
                await sweep.run()
        except OrgbridgeError as error:
            log.warning("cart_mirror_not_swept", code=error.code)
