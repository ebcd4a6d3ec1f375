"""What all commerce resources begin with: the buyer of a call, its version, its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from orgbridge.emulator.commerce.contexts import BuyerContext, buyer_context
from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.storage.database import Connection

_T = TypeVar("_T")
#: What the addresses of a web store's resources begin with.
WS = "/services/data/{version}/commerce/webstores/{webstore}"


def need_version(call: Call, since: int, until: int | None = None) -> None:
    """Refuse a version of the API that does not have the resource.

    Raises:
        SFError: 404 NOT_FOUND.
    """
    if call.version < since or (until is not None and call.version > until):
        raise not_found()


def buyer_of(call: Call, connection: Connection, effective_account_id: str | None = None) -> BuyerContext:
    """Return who buys for whom: the store of the path, the caller, and `effectiveAccountId` of the query.

    A parameter without `=`, such as `?effectiveAccountId001…`, has another name and is passed over.

    Args:
        call: The call; its path names the store `{webstore}`.
        connection: Open for reading.
        effective_account_id: The account that a body names, before that of the query.

    Raises:
        SFError: The store or the account is not there, or the user may not buy for it.
    """
    return buyer_context(
        connection,
        call.parts.commerce.policy,
        store_id=call.args["webstore"],
        user_id=call.user_id,
        effective_account_id=effective_account_id or call.query("effectiveAccountId"),
    )


async def reading(call: Call, work: Callable[[Connection, BuyerContext], _T]) -> _T:
    """Do work for the buyer of a call on one snapshot, in a thread.

    Raises:
        SFError: As `buyer_of`.
    """

    def run() -> _T:
        with call.parts.storage.read() as connection:
            return work(connection, buyer_of(call, connection))

    return await call.thread(run)


async def writing(call: Call, work: Callable[[Connection, BuyerContext], _T]) -> _T:
    """Do work for the buyer of a call in one write transaction, in a thread; nothing is kept when it raises.

    Raises:
        SFError: As `buyer_of`.
    """

    def run() -> _T:
        with call.parts.storage.write() as connection:
            return work(connection, buyer_of(call, connection))

    return await call.thread(run)


def flag(call: Call, name: str, default: bool = False) -> bool:
    """Return a parameter that is `true` or `false`.

    Raises:
        SFError: It is something else.
    """
    text = call.query(name)
    if not text:
        return default
    if text.lower() not in ("true", "false"):
        raise call.parts.commerce.policy.bad_input.error(f"The value of the {name} parameter isn't valid: {text}")
    return text.lower() == "true"


def number(call: Call, name: str, default: int, least: int, most: int) -> int:
    """Return a parameter that is a whole number within bounds.

    Raises:
        SFError: It is something else.
    """
    text = call.query(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not least <= int(text) <= most:
        message = f"The value of the {name} parameter must be between {least} and {most}: {text}"
        raise call.parts.commerce.policy.bad_input.error(message)
    return int(text)


def words(call: Call, name: str) -> tuple[str, ...]:
    """Return the words of a parameter that is a list with commas."""
    return tuple(word.strip() for word in (call.query(name) or "").split(",") if word.strip())
