"""Secrets from Azure Key Vault, through the real SDK against a stand-in over https, and their rotation."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from orgbridge.client import ClientCredentials
from orgbridge.wiring.errors import SettingsError
from orgbridge.wiring.house import build_house
from orgbridge.wiring.identity import build_people
from orgbridge.wiring.pems import private_key_pem
from orgbridge.wiring.rotation import take_up
from orgbridge.wiring.settings import AuthFlow, Settings, load_settings
from tests.support.databases import migrate
from tests.support.keyvault_double import KeyVaultDouble
from tests.support.local_house import QUICK_HASH

_PKCS8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVaultDouble]:
    """Give a vault that this process's environment may read."""
    with KeyVaultDouble(tmp_path / "vault") as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        double.secrets |= {
            "SALESFORCE-CLIENT-ID": "from-vault",
            "salesforce-client-secret": "vault-s3cret-1",
            "UNRELATED": "something else",
            "ORGBRIDGE-ADMIN-USERNAME": "root",
            "ORGBRIDGE-ADMIN-PASSWORD": "vault-p4ssword",
        }
        yield double


def _load(folder: Path, **more: Any) -> Settings:
    return load_settings(
        env_file=None,
        orgbridge_data=folder / "data",
        salesforce_auth_flow=AuthFlow.CLIENT_CREDENTIALS,
        salesforce_token_url="http://127.0.0.1:9/services/oauth2/token",
        **more,
    )


def _ed_pem() -> str:
    return ed25519.Ed25519PrivateKey.generate().private_bytes(*_PKCS8).decode()


def test_settings_come_from_the_vault(vault: KeyVaultDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the setting's name with dashes, in any case, over pages; what the machine itself says goes first."""
    settings = _load(tmp_path)
    assert (settings.client_id, settings.client_secret) == ("from-vault", "vault-s3cret-1")
    assert settings.orgbridge_admin_username == "root"
    assert "vault-s3cret-1" in settings.secrets()
    assert "UNRELATED" not in vault.reads
    monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", "of-the-machine")
    assert _load(tmp_path).client_secret == "of-the-machine"


def test_a_vault_that_cannot_be_read_stops_the_start(vault: KeyVaultDouble, tmp_path: Path) -> None:
    """With one line that names the setting, and no secret of anybody."""
    vault.refusals = 100
    with pytest.raises(SettingsError) as caught:
        _load(tmp_path)
    assert [fault.name for fault in caught.value.faults] == ["AZURE_KEY_VAULT_URL"]
    assert "s3cret" not in str(caught.value)


async def test_rotated_secrets_are_used_without_a_restart(vault: KeyVaultDouble, tmp_path: Path) -> None:
    """The client secret of Salesforce and the key that signs tokens; tokens of the old key stay good."""
    vault.secrets["JWT-PRIVATE-KEY"] = _ed_pem()
    settings = await asyncio.to_thread(_load, tmp_path)
    house = build_house(settings)
    try:
        await asyncio.to_thread(migrate, settings.database_url)
        people = build_people(settings, house.database, house.clock, QUICK_HASH)
        user = await people.identity.create_user("ann", "correct horse battery", is_admin=True)
        old = await people.identity.sign_in("ann", "correct horse battery")
        kid = people.keys.kid
        vault.secrets["salesforce-client-secret"] = "vault-s3cret-2"
        vault.secrets["JWT-PRIVATE-KEY"] = _ed_pem()
        fresh = await take_up(settings, house, people.keys)
        credentials = house.orgs.get().salesforce.tokens._credentials
        assert isinstance(credentials, ClientCredentials)
        assert credentials.client_secret.reveal() == "vault-s3cret-2"
        assert people.keys.kid != kid
        new = await people.identity.sign_in("ann", "correct horse battery")
        for token in (old.token, new.token):
            assert (await people.identity.caller(token, [])).user_id == user.id
        assert await take_up(fresh, house, people.keys) is fresh
    finally:
        await house.close()


@pytest.mark.parametrize("trouble", ["refused", "no key", "gone"])
async def test_a_failed_refresh_keeps_what_was(
    vault: KeyVaultDouble,
    tmp_path: Path,
    trouble: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A vault that refuses, or holds what cannot be used, costs a warning and nothing else."""
    vault.secrets["JWT-PRIVATE-KEY"] = _ed_pem()
    settings = await asyncio.to_thread(_load, tmp_path)
    house = build_house(settings)
    try:
        match trouble:
            case "refused":
                vault.refusals = 100
            case "no key":
                vault.secrets["JWT-PRIVATE-KEY"] = "hush-not-a-key"
            case _:
                del vault.secrets["salesforce-client-secret"]
        assert await take_up(settings, house, None) is settings
        credentials = house.orgs.get().salesforce.tokens._credentials
        assert isinstance(credentials, ClientCredentials)
        assert credentials.client_secret.reveal() == "vault-s3cret-1"
    finally:
        await house.close()
    # To the one or the other, by what the tests before have made of the logs.
    said = "".join(capfd.readouterr()) + caplog.text
    assert "secrets_not_refreshed" in said
    assert "hush-not-a-key" not in said


def test_the_salesforce_certificate_may_be_of_the_vault(vault: KeyVaultDouble, tmp_path: Path) -> None:
    """As Key Vault keeps certificates: PKCS#12 in base64, or PEM with the certificate beside the key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(*_PKCS8).decode()
    packed = base64.b64encode(
        pkcs12.serialize_key_and_certificates(b"x", key, None, None, serialization.NoEncryption())
    ).decode()
    for secret in (pem, packed, pem.replace("\n", "\\n"), f"-----BEGIN CERTIFICATE-----\nab\n-----END-----\n{pem}"):
        vault.secrets["ORGBRIDGE-SALESFORCE-JWT-KEY"] = secret
        settings = _load(tmp_path)
        assert settings.orgbridge_salesforce_jwt_key is not None
        assert settings.orgbridge_salesforce_jwt_key.get_secret_value().strip() == pem.strip()


def test_what_holds_no_key_is_refused_without_quoting_it() -> None:
    """Neither PEM nor PKCS#12, nor a certificate alone."""
    for text in ("hush-hush", "-----BEGIN CERTIFICATE-----\nab\n-----END CERTIFICATE-----", ""):
        with pytest.raises(ValueError, match=r"neither|without") as caught:
            private_key_pem(text)
        assert "hush" not in str(caught.value)
