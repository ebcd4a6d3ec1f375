"""Signing in, tokens, keys and what becomes of users. Real SQLite, no Salesforce."""

from __future__ import annotations

import asyncio
import stat
import statistics
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from orgbridge.services.errors import InvalidRequest, NotSignedIn, UnusableKey
from orgbridge.services.keys import KeyConfig, load_key_ring
from tests.integration.test_api_contract import check_problem
from tests.support.local_house import LoneService, lone_service


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[LoneService]:
    """Give a service with the user ada."""
    async with lone_service(tmp_path) as running:
        await _identity(running).create_user("ada", "correct horse", scopes=["records:read", "bulk:read"])
        yield running


def _identity(service: LoneService) -> Any:
    app: Any = service.client._transport.app  # type: ignore[attr-defined] # the transport we made
    return app.state.services.identity


async def _sign_in(service: LoneService, **form: str) -> Any:
    return await service.client.post("/token", data={"username": "ada", "password": "correct horse", **form})


async def test_a_user_signs_in_and_is_who_they_are(service: LoneService) -> None:
    """The form of OAuth gives a bearer token, and /users/me says whose it is."""
    reply = await _sign_in(service, grant_type="password")
    body = reply.json()
    assert (reply.status_code, body["token_type"], body["expires_in"]) == (200, "bearer", 1800)
    assert body["scope"] == "bulk:read records:read"
    assert reply.headers["cache-control"] == "no-store"
    me = await service.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert (me.json()["username"], me.json()["token_scopes"]) == ("ada", ["bulk:read", "records:read"])


async def test_a_token_can_be_narrowed_and_not_widened(service: LoneService) -> None:
    """Asking for fewer scopes gives fewer; asking for one the user lacks is refused."""
    narrow = (await _sign_in(service, scope="records:read")).json()
    assert narrow["scope"] == "records:read"
    auth = {"Authorization": f"Bearer {narrow['access_token']}"}
    check_problem(await service.client.get("/api/v1/bulk/jobs", headers=auth), 403, "identity.scope_missing")
    body = check_problem(await _sign_in(service, scope="admin"), 400, "identity.scope_not_granted")
    assert body["error"] == "invalid_scope"


async def test_wrong_password_and_unknown_user_are_told_alike(service: LoneService) -> None:
    """Status, code and words are the same, and so is the work done for the answer: a hash is verified for both."""
    replies: dict[str, list[float]] = {"ada": [], "nobody": []}
    bodies = []
    for _ in range(5):
        for name, seconds in replies.items():
            # Processor time and not the clock's: other programs on the machine do not count.
            started = time.process_time()
            reply = await _sign_in(service, username=name, password="wrong password")
            seconds.append(time.process_time() - started)
            bodies.append(check_problem(reply, 401, "identity.wrong_credentials"))
    assert len({body["detail"] for body in bodies}) == 1
    known, unknown = (statistics.median(seconds) for seconds in replies.values())
    # Without the decoy hash an unknown name is answered at least ten times as fast.
    assert unknown > known / 3


async def test_other_grants_are_refused_by_name(service: LoneService) -> None:
    """OAuth clients read `error`."""
    body = check_problem(await _sign_in(service, grant_type="implicit"), 400, "identity.unsupported_grant")
    assert body["error"] == "unsupported_grant_type"


async def test_a_users_disabling_ends_the_sign_in(service: LoneService) -> None:
    """A disabled user cannot sign in, and gets the answer of a wrong password."""
    identity = _identity(service)
    (ada,) = await identity.users()
    async with identity._database.unit() as unit:
        await unit.users.update(ada.id, disabled=True)
    check_problem(await _sign_in(service), 401, "identity.wrong_credentials")


async def test_the_key_set_checks_the_tokens(service: LoneService) -> None:
    """A third party can verify a token with nothing but the published key set; no private part is in it."""
    token = (await _sign_in(service)).json()["access_token"]
    (key,) = (await service.client.get("/.well-known/jwks.json")).json()["keys"]
    assert "d" not in key
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["kid"]) == ("EdDSA", key["kid"])
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["EdDSA"], audience="orgbridge", issuer="orgbridge")
    assert claims["name"] == "ada"


@pytest.mark.parametrize("forgery", ["none", "hs256", "other_key", "cut", "expired"])
async def test_forged_tokens_are_refused(service: LoneService, forgery: str) -> None:
    """Unsigned, differently signed, foreign, cut and expired tokens are all 401."""
    identity = _identity(service)
    (ada,) = await identity.users()
    good = identity.mint(ada, ["records:read"], timedelta(minutes=1)).token
    claims = jwt.decode(good, options={"verify_signature": False})
    match forgery:
        case "none":
            token = jwt.encode(claims, None, algorithm="none")
        case "hs256":
            token = jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"kid": identity.keys.kid})
        case "other_key":
            other = ed25519.Ed25519PrivateKey.generate()
            token = jwt.encode(claims, other, algorithm="EdDSA", headers={"kid": identity.keys.kid})
        case "cut":
            token = good[:-4]
        case _:
            token = identity.mint(ada, ["records:read"], timedelta(seconds=-1)).token
    reply = await service.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
    check_problem(reply, 401, "identity.not_signed_in")


async def test_the_made_key_is_for_its_owner_alone_and_is_kept(service: LoneService, tmp_path: Path) -> None:
    """Keys are made once with mode 0600; a service over the same folder takes the same tokens."""
    token = (await _sign_in(service)).json()["access_token"]
    made = sorted((tmp_path / "keys").iterdir())
    assert "sealing.key" in [path.name for path in made]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o600, 0o600]
    async with lone_service(tmp_path) as again:
        me = await again.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
        assert me.status_code == 200


async def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    """However many make the key at the same moment, all end with the same one."""
    config = KeyConfig(algorithm="EdDSA", private_path=None, public_path=None, folder=tmp_path / "keys")
    rings = await asyncio.gather(*(asyncio.to_thread(load_key_ring, config) for _ in range(8)))
    assert len({ring.kid for ring in rings}) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 1


def _pem(key: Any) -> bytes:
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_every_allowed_algorithm_signs_and_checks(tmp_path: Path, algorithm: str) -> None:
    """A ring of each algorithm takes its own tokens, and the ring of another key does not."""
    keys = {
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    }
    path = tmp_path / "key.pem"
    path.write_bytes(_pem(keys[algorithm]))
    ring = load_key_ring(KeyConfig(algorithm=algorithm, private_path=path, public_path=None, folder=tmp_path))
    now = datetime.now(UTC).timestamp()
    claims = {"iss": "i", "aud": "a", "sub": "s", "iat": int(now), "exp": int(now) + 60}
    assert ring.verify(ring.sign(claims), audience="a", issuer="i", now=now)["sub"] == "s"
    with pytest.raises(NotSignedIn):
        ring.verify(ring.sign(claims), audience="a", issuer="i", now=now + 61)
    with pytest.raises(NotSignedIn):
        ring.verify(ring.sign(claims), audience="another", issuer="i", now=now)


def test_keys_that_do_not_fit_stop_the_start(tmp_path: Path) -> None:
    """A key of another kind, a weak key, a foreign public key and a file that is no key are all named."""
    private = tmp_path / "key.pem"
    private.write_bytes(_pem(ed25519.Ed25519PrivateKey.generate()))
    with pytest.raises(UnusableKey, match="JWT_ALGORITHM"):
        load_key_ring(KeyConfig(algorithm="RS256", private_path=private, public_path=None, folder=tmp_path))
    public = tmp_path / "pub.pem"
    public.write_bytes(
        ed25519.Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(UnusableKey, match="JWT_PUBLIC_KEY_PATH"):
        load_key_ring(KeyConfig(algorithm="EdDSA", private_path=private, public_path=public, folder=tmp_path))
    private.write_text("not a key")
    with pytest.raises(UnusableKey, match="JWT_PRIVATE_KEY_PATH"):
        load_key_ring(KeyConfig(algorithm="EdDSA", private_path=private, public_path=None, folder=tmp_path))


@pytest.mark.parametrize(
    ("name", "password", "scopes"),
    [
        ("", "long enough", None),
        (" ada", "long enough", None),
        ("eve", "short", None),
        ("eve", "long enough", ["root"]),
    ],
    ids=["no name", "space", "short password", "unknown scope"],
)
async def test_unacceptable_users_are_not_made(
    service: LoneService, name: str, password: str, scopes: list[str] | None
) -> None:
    """The refusal says why, and nobody is added."""
    with pytest.raises(InvalidRequest):
        await _identity(service).create_user(name, password, scopes=scopes)
    assert [user.username for user in await _identity(service).users()] == ["ada"]
