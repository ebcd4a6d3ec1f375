"""Keys change while processes run: the new one signs, the old one verifies until its tokens have expired."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from orgbridge.services.errors import TokenRefused, UnusableKey
from orgbridge.services.passwords import HashCost
from orgbridge.store.database import Database
from orgbridge.wiring.identity import People, build_people
from tests.support.clocks import HandClock
from tests.support.local_house import lone_settings

_PASSWORD = "correct horse battery"


@dataclass(slots=True, kw_only=True)
class Site:
    """A database, and as many processes over as many folders as a test wants."""

    folder: Path
    url: str
    clock: HandClock
    databases: list[Database]

    def process(self, name: str = "data", key: Path | None = None) -> People:
        """Start a process over a folder, perhaps with a key of its own."""
        (self.folder / name).mkdir(exist_ok=True)
        self.databases.append(Database(self.url))
        settings = lone_settings(self.folder / name, jwt_private_key_path=key)
        return build_people(settings, self.databases[-1], self.clock, HashCost(time_cost=1, memory_kib=64))


@pytest.fixture
async def site(store_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """Give a site with the user ada."""
    made = Site(folder=tmp_path, url=store_url, clock=HandClock(), databases=[])
    await made.process().identity.create_user("ada", _PASSWORD, scopes=["records:read"])
    yield made
    for database in made.databases:
        await database.close()


async def _token(people: People) -> str:
    return (await people.identity.sign_in("ada", _PASSWORD)).token


def _kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def _write_key(path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


async def test_a_rotation_is_noticed_by_running_processes_and_old_tokens_stay_good(site: Site) -> None:
    """The other process signs with the new key a few seconds later; the old token works until it expires."""
    here, there = site.process(), site.process()
    old = await _token(there)
    site.clock.move(1)
    state = await here.keys.rotate()
    assert state.state == "signing"
    assert state.kid != _kid(old)
    new = await _token(here)
    assert _kid(new) == state.kid
    # At once, although `there` has not looked for the new key yet.
    await there.identity.caller(new, [])
    site.clock.move(6)
    assert _kid(await _token(there)) == state.kid
    for people in (here, there, site.process()):
        await people.identity.caller(old, [])
    assert [key["kid"] for key in here.keys.ring.jwks()["keys"]] == [state.kid, _kid(old)]
    assert [key.state for key in await here.keys.list()] == ["verifying", "signing"]
    (path,) = (site.folder / "data" / "keys").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_old_key_stops_verifying_once_its_tokens_are_gone(site: Site) -> None:
    """An hour and the life of a token later the key set has the new key only."""
    here = site.process()
    old = await _token(here)
    site.clock.move(1)
    await here.keys.rotate()
    site.clock.move(1800 + 3600 + 6)
    await here.keys.refresh()
    assert [key["kid"] for key in here.keys.ring.jwks()["keys"]] == [here.keys.kid]
    with pytest.raises(TokenRefused):
        await here.identity.caller(old, [])
    assert [key.state for key in await here.keys.list()] == ["expired", "signing"]


async def test_long_tokens_keep_their_key_for_as_long(site: Site) -> None:
    """A token of thirty days outlives rotations by thirty days and not by the usual half hour."""
    here = site.process()
    made = await here.identity.local_admin_token("local-admin", timedelta(days=30))
    await here.keys.rotate()
    site.clock.move(29 * 86_400)
    await here.identity.caller(made.token, ["admin"])
    await site.process().identity.caller(made.token, ["admin"])


async def test_a_key_is_listed_before_its_first_token(site: Site) -> None:
    """Nothing was signed yet, and the list has the key that will sign."""
    here = site.process()
    (state,) = await here.keys.list()
    assert (state.kid, state.state, state.algorithm) == (here.keys.kid, "signing", "EdDSA")


async def test_a_stolen_key_is_revoked_everywhere(site: Site) -> None:
    """Rotation with revocation refuses the old tokens here at once and in the other process within seconds."""
    here, there = site.process(), site.process()
    old = await _token(here)
    await there.identity.caller(old, [])
    await here.keys.rotate(revoke_old=True)
    with pytest.raises(TokenRefused):
        await here.identity.caller(old, [])
    site.clock.move(6)
    with pytest.raises(TokenRefused):
        await there.identity.caller(old, [])
    with pytest.raises(TokenRefused):
        await site.process().identity.caller(old, [])


async def test_machines_with_keys_of_their_own_take_each_others_tokens(site: Site) -> None:
    """Public keys meet in the store: two folders, two keys, no configuration."""
    one, two = site.process("one"), site.process("two")
    first, second = await _token(one), await _token(two)
    assert _kid(first) != _kid(second)
    await one.identity.caller(second, [])
    await two.identity.caller(first, [])


async def test_a_configured_key_is_rotated_by_replacing_its_file(site: Site) -> None:
    """`keys rotate` leaves it alone and says so; a new file signs within seconds, a broken one changes nothing."""
    path = site.folder / "jwt.pem"
    _write_key(path)
    here = site.process(key=path)
    old = await _token(here)
    with pytest.raises(UnusableKey, match="JWT_PRIVATE_KEY_PATH"):
        await here.keys.rotate()
    path.write_bytes(b"half a key")
    site.clock.move(6)
    assert _kid(await _token(here)) == _kid(old)
    _write_key(path)
    site.clock.move(6)
    new = await _token(here)
    assert _kid(new) != _kid(old)
    await here.identity.caller(old, [])


async def test_a_revoked_key_signs_nothing(site: Site) -> None:
    """A process whose only key was revoked refuses to sign in rather than to hand out tokens that nobody takes."""
    path = site.folder / "jwt.pem"
    _write_key(path)
    here = site.process(key=path)
    token = await _token(here)
    assert await here.keys.revoke(_kid(token))
    assert not await here.keys.revoke("no-such-key")
    site.clock.move(3600 * 2)
    with pytest.raises(UnusableKey, match="revoked"):
        await _token(here)


async def test_a_key_of_another_algorithm_verifies_with_its_own_only(site: Site) -> None:
    """After a change of JWT_ALGORITHM both keys verify, and neither takes the other's algorithm."""
    here = site.process("one")
    old = await _token(here)
    (site.folder / "two").mkdir()
    site.databases.append(Database(site.url))
    settings = lone_settings(site.folder / "two", jwt_algorithm="ES256")
    there = build_people(settings, site.databases[-1], site.clock)
    new = await _token(there)
    await there.identity.caller(old, [])
    await here.identity.caller(new, [])
    claims = jwt.decode(new, options={"verify_signature": False})
    other = ec.generate_private_key(ec.SECP256R1())
    forged = jwt.encode(claims, other, algorithm="ES256", headers={"kid": _kid(old), "typ": "at+jwt"})
    with pytest.raises(TokenRefused):
        await there.identity.caller(forged, [])
