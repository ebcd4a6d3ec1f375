"""A visit to any org, real or emulated, for one command: who signs in, and what is brought home."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from orgbridge.emulator.app import DEFAULT_USER, EmulatorConfig
from orgbridge.kit.clock import SystemClock
from orgbridge.kit.json import JSON, dumps
from orgbridge.orgs.connections import OrgConnection
from orgbridge.store.database import Database
from orgbridge.wiring.settings import AuthFlow, Settings, load_settings
from orgbridge.wiring.startup import org_config


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A session at an org, and the words that it was signed in with."""

    #: Where the org's API is.
    instance_url: str
    #: Token of the session.
    access_token: str = field(repr=False)
    #: `client_id`, `client_secret`, `username`, `password`, as far as the settings have them.
    words: dict[str, str] = field(repr=False)


def visit_settings(base_url: str | None) -> Settings:
    """Return the settings with which a command signs in.

    Args:
        base_url: The org's address; None takes SALESFORCE_TOKEN_URL. Without SALESFORCE_CLIENT_ID in the settings, the
            published credentials of an emulated org are used.

    Raises:
        SettingsError: A setting is missing or wrong.
    """
    overrides: dict[str, JSON] = {}
    if base_url is not None:
        overrides["salesforce_token_url"] = f"{base_url.rstrip('/')}/services/oauth2/token"
        if load_settings(needs_salesforce=False).client_id is None:
            org = EmulatorConfig()
            overrides |= {
                "salesforce_auth_flow": AuthFlow.PASSWORD,
                "salesforce_client_id": org.client_id,
                "salesforce_client_secret": org.client_secret,
                "salesforce_username": DEFAULT_USER.username,
                "salesforce_password": DEFAULT_USER.password + DEFAULT_USER.security_token,
                # Everybody knows these.
                "orgbridge_salesforce_http_hosts": [urlsplit(base_url).hostname],
            }
    return load_settings(**overrides)


async def sign_in(base_url: str | None) -> Visit:
    """Sign in as the settings say.

    Raises:
        SettingsError: A setting is missing or wrong. Nothing was sent.
        ClientError: The org cannot be reached, or refuses.
    """
    settings = visit_settings(base_url)
    async with _connected(settings) as connection:
        token = await connection.salesforce.tokens.get()
        known = {
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
            "username": settings.username,
            "password": settings.password,
        }
        return Visit(
            instance_url=token.instance_url.rstrip("/"),
            access_token=token.access_token.reveal(),
            words={name: value for name, value in known.items() if value},
        )


async def pull_describes(
    base_url: str | None, names: Sequence[str], folder: Path, told: Callable[[str], None]
) -> list[Path]:
    """Write the descriptions of objects as Salesforce gives them, one file `NAME.json` each.

    Args:
        base_url: As `visit_settings`.
        names: API names; none for every object that the user may see and query.
        folder: Where to; made when it is not there. Files are whole or absent.
        told: Called with the name of each object that is written.

    Returns:
        The files, in the order of the names.

    Raises:
        SettingsError: A setting is missing or wrong. Nothing was sent.
        NotFound: There is no object of a name. Files of those before it are written.
        ClientError: The org cannot be reached, or refuses.
    """
    async with _connected(visit_settings(base_url)) as connection:
        describe = connection.salesforce.describe
        wanted = list(names)
        if not wanted:
            listed = await describe.global_()
            wanted = [item["name"] for item in listed["sobjects"] if item.get("queryable") and item.get("keyPrefix")]
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        written = []
        for name in wanted:
            described = await describe.sobject(name)
            path = folder / f"{described['name']}.json"
            await asyncio.to_thread(_write, path, dumps(described))
            written.append(path)
            told(str(described["name"]))
        return written


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[OrgConnection]:
    # A refresh token may have been replaced since it was set; which is good now is in the store.
    replaced = settings.auth_flow is AuthFlow.REFRESH_TOKEN
    database = Database(settings.database_url) if replaced else None
    connection = OrgConnection(org_config(settings), SystemClock(), database)
    try:
        yield connection
    finally:
        await connection.close()
        if database is not None:
            await database.close()


def _write(path: Path, data: bytes) -> None:
    half = path.with_name(path.name + ".half")
    half.write_bytes(data)
    half.replace(path)
