"""Search indexes of a store, for whoever looks after it.

Source: facts/commerce/catalog.md section 2. Assumed: members of sites are refused; the name of the list.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.commerce import versions
from orgbridge.emulator.commerce.contexts import find_store, own_account
from orgbridge.emulator.commerce.indexes import build_index, indexes_of
from orgbridge.emulator.commerce.versions import Shape
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.commerce.buyers import need_version
from orgbridge.emulator.http.routing import Route
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import JSON

_MANAGEMENT = "/services/data/{version}/commerce/management/webstores/{webstore}/search/indexes"
_INDEX: Shape = {
    "completionDate": 49,
    "createdDate": 49,
    "creationType": 49,
    "id": 49,
    "indexBuildType": 57,
    "indexStatus": 49,
    "indexUsage": 49,
    "isIncrementable": 57,
    "lastCatalogSnapshotTime": 57,
    "message": 49,
}


def _store_id(call: Call, connection: Connection) -> str:
    policy = call.parts.commerce.policy
    store = find_store(connection, policy, call.args["webstore"])
    if own_account(connection, call.user_id)[0] is not None:
        raise policy.no_access.error("You don't have access to the search indexes of this web store.")
    return store.id


def _shown(call: Call, index: dict[str, JSON], *, live: bool) -> dict[str, JSON]:
    values: dict[str, JSON] = {
        "completionDate": index["at"],
        "createdDate": index["at"],
        "creationType": "Manual",
        "id": index["id"],
        "indexBuildType": "Full",
        "indexStatus": "Completed",
        "indexUsage": "Live" if live else "OutOfUse",
        "isIncrementable": False,
        "lastCatalogSnapshotTime": index["at"],
    }
    return versions.body(_INDEX, call.version, values)


async def show_all(call: Call) -> Response:
    """Answer GET search/indexes."""
    need_version(call, 49)

    def work() -> list[JSON]:
        with call.parts.storage.read() as connection:
            known = indexes_of(connection, _store_id(call, connection))
        return [_shown(call, index, live=place == 0) for place, index in enumerate(known)]

    return call.json({"indexes": await call.thread(work)})


async def build(call: Call) -> Response:
    """Answer POST search/indexes."""
    need_version(call, 49)

    def work() -> dict[str, JSON]:
        with call.parts.storage.write() as connection:
            store_id = _store_id(call, connection)
            return _shown(call, build_index(connection, store_id, call.parts.clock.now()), live=True)

    return call.json(await call.thread(work), 201)


async def show(call: Call) -> Response:
    """Answer GET search/indexes/{id}."""
    need_version(call, 49)
    wanted = call.args["id"]

    def work() -> dict[str, JSON]:
        with call.parts.storage.read() as connection:
            known = indexes_of(connection, _store_id(call, connection))
        for place, index in enumerate(known):
            if str(index["id"])[:15] == wanted[:15]:
                return _shown(call, index, live=place == 0)
        raise call.parts.commerce.policy.missing.error(f"There is no search index with the ID {wanted}.")

    return call.json(await call.thread(work))


ROUTES = (
    Route(pattern=_MANAGEMENT, handlers={"GET": show_all, "POST": build}),
    Route(pattern=f"{_MANAGEMENT}/{{id}}", handlers={"GET": show}),
)
