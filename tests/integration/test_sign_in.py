"""Sign-ins that last, throttling, service accounts and signing out. On SQLite and PostgreSQL, with a clock of ours."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from orgbridge.api.clients import client_credentials
from orgbridge.services.errors import (
    ClientRefused,
    IdentityError,
    NotOurs,
    RefreshTokenInvalid,
    ScopeNotGranted,
    SignInThrottled,
    TokenRefused,
    TokenRequestInvalid,
    WrongCredentials,
    WrongPassword,
)
from orgbridge.services.passwords import HashCost, Passwords
from orgbridge.services.sessions import Origin
from orgbridge.services.tokens import AccessToken
from orgbridge.services.users import NewUser
from orgbridge.store.database import Database
from orgbridge.store.identity_records import Revoked
from orgbridge.wiring.identity import People, build_people
from tests.support.clocks import HandClock
from tests.support.local_house import lone_settings

_PASSWORD = "correct horse battery"
_CHEAP = HashCost(time_cost=1, memory_kib=64)
_HOME, _AWAY = Origin(address="192.0.2.1", agent="tests"), Origin(address="203.0.113.9")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The services over one database, twice, as two processes have them."""

    here: People
    there: People
    clock: HandClock
    database: Database


@pytest.fixture
async def house(store_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """Give two processes and the user ada."""
    settings, clock = lone_settings(tmp_path / "data"), HandClock()
    (tmp_path / "data").mkdir()
    databases = [Database(store_url), Database(store_url)]
    here, there = (build_people(settings, database, clock, _CHEAP) for database in databases)
    await here.identity.create_user("ada", _PASSWORD, scopes=["records:read", "bulk:read"])
    yield House(here=here, there=there, clock=clock, database=databases[0])
    for database in databases:
        await database.close()


async def _sign_in(house: House, password: str = _PASSWORD, origin: Origin = _HOME, name: str = "ada") -> AccessToken:
    return await house.here.identity.sign_in(name, password, None, origin)


def _refresh_of(made: AccessToken) -> str:
    assert made.refresh_token is not None
    return made.refresh_token


async def test_a_refresh_token_is_good_once_and_brings_the_next(house: House) -> None:
    """Each renewal gives a new pair of the same sign-in, at any process."""
    first = await _sign_in(house)
    second = await house.there.identity.refresh(_refresh_of(first))
    third = await house.here.identity.refresh(_refresh_of(second))
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    sids = {jwt.decode(made.token, options={"verify_signature": False})["sid"] for made in (first, second, third)}
    assert len(sids) == 1
    assert (await house.there.identity.caller(third.token, ["records:read"])).username == "ada"


async def test_reuse_ends_the_family_with_its_access_tokens(house: House) -> None:
    """A used refresh token that comes back ends the sign-in: the newest tokens of it are refused everywhere."""
    first = await _sign_in(house)
    second = await house.here.identity.refresh(_refresh_of(first))
    other = await _sign_in(house)
    await house.there.identity.caller(second.token, [])
    with pytest.raises(RefreshTokenInvalid):
        await house.here.identity.refresh(_refresh_of(first))
    with pytest.raises(RefreshTokenInvalid):
        await house.here.identity.refresh(_refresh_of(second))
    with pytest.raises(TokenRefused):
        await house.here.identity.caller(second.token, [])
    house.clock.move(6)
    with pytest.raises(TokenRefused):
        await house.there.identity.caller(second.token, [])
    # Another sign-in of the same user is another family.
    assert (await house.there.identity.caller(other.token, [])).username == "ada"
    await house.here.identity.refresh(_refresh_of(other))


async def test_of_many_uses_at_once_at_most_one_wins(house: House) -> None:
    """Ten renewals of one token at the same moment, in two processes: one gets tokens, and the family ends."""
    made = await _sign_in(house)
    results = await asyncio.gather(
        *(people.identity.refresh(_refresh_of(made)) for people in [house.here, house.there] * 5),
        return_exceptions=True,
    )
    won = [result for result in results if isinstance(result, AccessToken)]
    assert len(won) == 1
    assert all(isinstance(result, RefreshTokenInvalid) for result in results if result is not won[0])
    with pytest.raises(RefreshTokenInvalid):
        await house.here.identity.refresh(_refresh_of(won[0]))


async def test_a_sign_in_ends_when_idle_and_in_any_case(house: House) -> None:
    """Seven days without use end it; used every day it ends after thirty."""
    idle = await _sign_in(house)
    busy = await _sign_in(house)
    for _ in range(7):
        house.clock.move(86_400)
        busy = await house.here.identity.refresh(_refresh_of(busy))
    house.clock.move(1)
    with pytest.raises(RefreshTokenInvalid):
        await house.here.identity.refresh(_refresh_of(idle))
    for _ in range(22):
        house.clock.move(86_400)
        busy = await house.here.identity.refresh(_refresh_of(busy))
    house.clock.move(86_399)
    with pytest.raises(RefreshTokenInvalid):
        await house.here.identity.refresh(_refresh_of(busy))


async def test_refreshing_cannot_widen_and_follows_what_the_user_has(house: House) -> None:
    """A sign-in for one scope stays with it; a scope that the user loses is gone from the next token."""
    narrow = await house.here.identity.sign_in("ada", _PASSWORD, ["records:read"], _HOME)
    narrow = await house.here.identity.refresh(_refresh_of(narrow))
    assert narrow.scopes == ("records:read",)
    with pytest.raises(ScopeNotGranted):
        await house.here.identity.refresh(_refresh_of(narrow), ["bulk:read"])
    whole = await _sign_in(house)
    ada = (await house.here.users.find("ada")).user
    await house.here.users.update(ada.id, {"scopes": ["bulk:read"]}, expected=ada.revision)
    assert (await house.here.identity.refresh(_refresh_of(whole))).scopes == ("bulk:read",)


async def test_a_disabled_user_gets_no_further_token(house: House) -> None:
    """The public implementation lets disabled users refresh; here the sign-in ends, and stays ended when enabled."""
    made = await _sign_in(house)
    ada = (await house.here.users.find("ada")).user
    await house.there.users.update(ada.id, {"disabled": True}, expected=None)
    with pytest.raises(RefreshTokenInvalid):
        await house.here.identity.refresh(_refresh_of(made))
    with pytest.raises(WrongCredentials):
        await _sign_in(house)
    await house.there.users.update(ada.id, {"disabled": False}, expected=None)
    with pytest.raises(RefreshTokenInvalid):
        await house.here.identity.refresh(_refresh_of(made))


async def test_signing_out_ends_the_sign_in_or_one_token(house: House) -> None:
    """Revoking a refresh token ends its family; revoking an access token ends that one; nonsense ends nothing."""
    first, second = await _sign_in(house), await _sign_in(house)
    await house.here.identity.revoke("nonsense")
    await house.here.identity.revoke(_refresh_of(first))
    with pytest.raises(TokenRefused):
        await house.here.identity.caller(first.token, [])
    await house.here.identity.caller(second.token, [])
    await house.here.identity.revoke(second.token)
    await house.here.identity.revoke(second.token)
    with pytest.raises(TokenRefused):
        await house.here.identity.caller(second.token, [])
    renewed = await house.here.identity.refresh(_refresh_of(second))
    await house.here.identity.caller(renewed.token, [])


async def test_no_token_stands_in_the_store(house: House) -> None:
    """Refresh tokens and client secrets are kept as hashes: what the store has opens nothing."""
    made = await _sign_in(house)
    _, secret = await house.here.service_accounts.create(NewUser(username="nightly", scopes=["bulk:read"]))
    async with house.database.unit(write=False) as unit:
        assert await unit.sessions.find_by_token(_refresh_of(made)) is None
        (kept,) = await unit.sessions.secrets(secret.record.user_id)
    assert secret.secret not in repr(kept)


async def test_sessions_are_listed_and_ended_one_by_one(house: House) -> None:
    """The newest first, page by page; nobody ends another's."""
    made = [await _sign_in(house) for _ in range(3)]
    ada = (await house.here.users.find("ada")).user
    sessions = house.here.identity.sessions
    page = await sessions.page(ada.id, cursor=None, limit=2)
    rest = await sessions.page(ada.id, cursor=page.next_cursor, limit=2)
    listed = [session.id for session in [*page.items, *rest.items]]
    assert (len(listed), listed, rest.next_cursor) == (3, sorted(listed, reverse=True), None)
    assert {session.agent for session in page.items} == {"tests"}
    with pytest.raises(NotOurs):
        await sessions.end("user_none", listed[0], Revoked.ADMIN)
    for session in listed:
        await sessions.end(ada.id, session, Revoked.ADMIN)
    assert (await sessions.page(ada.id, cursor=None, limit=10)).items == []
    for token in made:
        with pytest.raises(TokenRefused):
            await house.here.identity.caller(token.token, [])


async def test_changing_the_password_ends_the_other_sign_ins(house: House) -> None:
    """The present password is needed; afterwards only the sign-in that asked goes on."""
    mine, other = await _sign_in(house), await _sign_in(house)
    caller = await house.here.identity.caller(mine.token, [])
    with pytest.raises(WrongPassword):
        await house.here.identity.change_password(caller, "wrong password", "another password", _HOME)
    await house.here.identity.change_password(caller, _PASSWORD, "another password", _HOME)
    await house.here.identity.caller(mine.token, [])
    with pytest.raises(TokenRefused):
        await house.here.identity.caller(other.token, [])
    with pytest.raises(WrongCredentials):
        await _sign_in(house)
    await _sign_in(house, "another password")


# Throttling


async def _fail(house: House, count: int, name: str = "ada", origin: Origin = _HOME) -> list[type[IdentityError]]:
    kinds: list[type[IdentityError]] = []
    for _ in range(count):
        try:
            await house.here.identity.sign_in(name, "wrong password", None, origin)
        except IdentityError as error:
            kinds.append(type(error))
    return kinds


@pytest.mark.parametrize("name", ["ada", "nobody"])
async def test_failures_make_the_next_try_wait_longer_and_longer(house: House, name: str) -> None:
    """Five are free; then one, two, four seconds and so on; a user and nobody are treated alike."""
    assert await _fail(house, 5, name) == [WrongCredentials] * 5
    waits = []
    for _ in range(5):
        with pytest.raises(SignInThrottled) as caught:
            await house.there.identity.sign_in(name, "wrong password", None, _HOME)
        assert caught.value.retry_after_seconds is not None
        waits.append(round(caught.value.retry_after_seconds))
        house.clock.move(caught.value.retry_after_seconds)
        assert await _fail(house, 1, name) == [WrongCredentials]
    assert waits == [1, 2, 4, 8, 16]


async def test_tries_at_once_are_all_counted(house: House) -> None:
    """Thirty guesses at the same moment, in two processes, are five guesses and twenty-five waits."""
    results = await asyncio.gather(
        *(
            people.identity.sign_in("ada", f"guess {number}", None, _HOME)
            for number, people in enumerate([house.here, house.there] * 15)
        ),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["SignInThrottled"] * 25 + ["WrongCredentials"] * 5


async def test_the_right_password_has_to_wait_too_and_then_pardons(house: House) -> None:
    """During a wait nobody learns whether a guess was right; a success begins anew."""
    await _fail(house, 5)
    with pytest.raises(SignInThrottled):
        await _sign_in(house)
    house.clock.move(1)
    await _sign_in(house)
    assert await _fail(house, 5) == [WrongCredentials] * 5


async def test_nobody_locks_a_user_out_of_a_known_place(house: House) -> None:
    """Somebody with a thousand addresses makes strangers wait; the user signs in from where they did before."""
    await _sign_in(house)
    for number in range(40):
        await _fail(house, 1, origin=Origin(address=f"198.51.100.{number}"))
    with pytest.raises(SignInThrottled) as caught:
        await _sign_in(house, origin=_AWAY)
    assert caught.value.retry_after_seconds is not None
    assert caught.value.retry_after_seconds <= 300
    await _sign_in(house, origin=_HOME)
    # From an unknown place they get in once the wait is over, or when an administrator pardons.
    await house.here.users.unlock((await house.here.users.find("ada")).user.id)
    await _sign_in(house, origin=_AWAY)


async def test_an_address_that_tries_many_names_waits(house: House) -> None:
    """Fifty different names are free from one address; the next one waits, also when it is right."""
    for number in range(50):
        await _fail(house, 1, name=f"name-{number}", origin=_AWAY)
    with pytest.raises(SignInThrottled):
        await _sign_in(house, origin=_AWAY)
    await _sign_in(house, origin=_HOME)


async def test_an_ipv6_network_is_one_address(house: House) -> None:
    """Whoever has a /64 has as many tries as whoever has one address."""
    kinds = [(await _fail(house, 1, origin=Origin(address=f"2001:db8::{number:x}")))[0] for number in range(8)]
    assert kinds == [WrongCredentials] * 5 + [SignInThrottled] * 3


async def test_failures_are_forgotten_after_an_hour(house: House) -> None:
    """Somebody who mistypes now and then never waits."""
    for _ in range(3):
        assert await _fail(house, 4) == [WrongCredentials] * 4
        house.clock.move(3_601)


# Hashes


async def test_a_hash_of_another_cost_is_renewed_at_the_next_sign_in(house: House) -> None:
    """A hash made with other work is replaced when the password is known, and then stays."""
    ada = (await house.here.users.find("ada")).user
    async with house.database.unit() as unit:
        await unit.users.update(ada.id, password_hash=await Passwords().hash(_PASSWORD))
    await _sign_in(house)
    renewed = (await house.here.users.find("ada")).user.password_hash
    assert renewed.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    await _sign_in(house)
    assert (await house.here.users.find("ada")).user.password_hash == renewed


# Service accounts


async def test_a_service_account_signs_in_by_secret(house: House) -> None:
    """The token says which client it is, has no refresh token, and carries the rights of the account."""
    view, made = await house.here.service_accounts.create(NewUser(username="nightly", roles=["reader"]))
    token = await house.there.identity.client_sign_in(view.user.id, made.secret, None, _HOME)
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert (claims["client_id"], claims["sub"], token.refresh_token) == (view.user.id, view.user.id, None)
    caller = await house.there.identity.caller(token.token, ["records:read"])
    assert (caller.kind, caller.roles) == ("service_account", ("reader",))
    for client_id, secret in ((view.user.id, "wrong"), ("svc_none", made.secret), ("", "")):
        with pytest.raises(ClientRefused):
            await house.here.identity.client_sign_in(client_id, secret, None, _HOME)
    with pytest.raises(WrongCredentials):
        await _sign_in(house, made.secret, name="nightly")


async def test_secrets_are_changed_without_a_pause_and_expire(house: House) -> None:
    """Two secrets work side by side until one is deleted; one with an end ends; five is the most."""
    view, first = await house.here.service_accounts.create(NewUser(username="nightly", scopes=["bulk:read"]))
    second = await house.here.service_accounts.add_secret(view.user.id, lifetime=timedelta(days=1))
    for secret in (first.secret, second.secret):
        await house.here.identity.client_sign_in(view.user.id, secret, None, _HOME)
    await house.here.service_accounts.delete_secret(view.user.id, first.record.id)
    with pytest.raises(ClientRefused):
        await house.here.identity.client_sign_in(view.user.id, first.secret, None, _HOME)
    house.clock.move(86_401)
    with pytest.raises(ClientRefused):
        await house.here.identity.client_sign_in(view.user.id, second.secret, None, _HOME)


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_clients_say_who_they_are_in_either_way_and_not_in_both() -> None:
    """The header's halves are form-encoded, so that a colon may stand in either (RFC 6749 section 2.3.1)."""
    given = client_credentials(_basic("svc%3Aone:s%2Bcret+x"), "", "")
    assert (given.client_id, given.client_secret) == ("svc:one", "s+cret x")
    assert client_credentials("", "a", "b").client_secret == "b"
    for header, name, secret in (("", "", ""), ("", "a", ""), (_basic("a:b"), "", "b"), (_basic("a:b"), "c", "")):
        with pytest.raises(TokenRequestInvalid):
            client_credentials(header, name, secret)
    for header in ("Bearer abc", "Basic !!!", _basic("no colon"), "Basic /w=="):
        with pytest.raises(ClientRefused):
            client_credentials(header, "", "")
