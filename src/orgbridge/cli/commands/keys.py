"""`orgbridge keys`: the keys that sign our tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import JSONFlag, run
from orgbridge.cli.errors import UsageError
from orgbridge.cli.people import StoreOption, YesOption, confirm
from orgbridge.cli.terminal import Terminal

app = typer.Typer(name="keys", help="The keys that sign this service's tokens.", no_args_is_help=True)

_COLUMNS = ("kid", "algorithm", "state", "created_at", "tokens_until")


@app.command("list")
def list_keys(data: StoreOption = None, as_json: JSONFlag = False) -> None:
    """List the keys, oldest first: which one signs, and which still verify."""
    terminal, found = Terminal(as_json=as_json), run(_list(data))
    if terminal.as_json:
        terminal.document({"keys": found})
    else:
        terminal.table(_COLUMNS, [[key[column] for column in _COLUMNS] for key in found], fold=False)


async def _list(data: Path | None) -> list[dict[str, Any]]:
    # Imported here so that `load` and `jobs`, run by the thousand in scripts, do not wait for the whole house.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        return [_told(state) for state in await people.keys.list()]


@app.command()
def rotate(
    revoke_old: Annotated[
        bool, typer.Option("--revoke-old", help="Refuse the old key's tokens at once: it is in wrong hands.")
    ] = False,
    yes: YesOption = False,
    data: StoreOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Make a new key that signs from now on; the old one verifies until its tokens have expired.

    Running processes sign with the new key within seconds. With JWT_PRIVATE_KEY_PATH replace that file instead.
    """
    if revoke_old:
        confirm("Refuse every token that the present key has signed?", yes)
    terminal, made = Terminal(as_json=as_json), run(_rotate(revoke_old, data))
    if terminal.as_json:
        terminal.document(made)
    else:
        terminal.note("the new key signs from now on")
        terminal.result(str(made["kid"]))


async def _rotate(revoke_old: bool, data: Path | None) -> dict[str, Any]:
    # Imported here for the reason above.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        return _told(await people.keys.rotate(revoke_old=revoke_old))


@app.command()
def revoke(
    kid: Annotated[str, typer.Argument(help="The key, as `keys list` names it.")],
    yes: YesOption = False,
    data: StoreOption = None,
) -> None:
    """Refuse every token of a key from now on."""
    confirm(f"Refuse every token that {kid} has signed?", yes)
    if not run(_revoke(kid, data)):
        raise UsageError(f"There is no key {kid}; `orgbridge keys list` names them.")
    Terminal().note(f"the tokens of {kid} are refused within seconds")


async def _revoke(kid: str, data: Path | None) -> bool:
    # Imported here for the reason above.
    from orgbridge.wiring.administration import administration

    async with administration(data) as people:
        return await people.keys.revoke(kid)


def _told(state: Any) -> dict[str, Any]:
    return {
        "kid": state.kid,
        "algorithm": state.algorithm,
        "state": state.state,
        "created_at": state.created_at.isoformat(),
        "tokens_until": state.tokens_until.isoformat(),
    }
