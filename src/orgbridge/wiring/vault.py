"""Settings from Azure Key Vault, by pydantic-settings' own source and whatever identity this machine has.

A secret is named as its setting, with dashes for underscores: `SALESFORCE-CLIENT-SECRET`. Blocking: call it from a
thread or before the loop starts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from pydantic_settings import BaseSettings
from pydantic_settings.sources.providers.azure import AzureKeyVaultMapping, AzureKeyVaultSettingsSource

from orgbridge.wiring.errors import SettingFault, SettingsError

#: Seconds for the connection and for one reply, and tries after the first.
_CONNECT_SECONDS, _READ_SECONDS, _RETRIES = 5, 15, 3
#: Settings that say how to reach the vault, or where secrets are, and so cannot come from it.
_OUTSIDE = frozenset({"azure_key_vault_url", "orgbridge_key_vault_ca", "orgbridge_secrets_dir"})


class _Named(AzureKeyVaultMapping):
    """The secrets that are named like settings; the others of a shared vault are none of our business."""

    def __init__(self, client: SecretClient, known: Collection[str]) -> None:
        self._known = known
        super().__init__(secret_client=client, case_sensitive=False, snake_case_conversion=False, env_prefix="")

    def _load_remote(self) -> dict[str, str]:
        listed = super()._load_remote().items()
        return {name: secret for name, secret in listed if name.replace("-", "_") in self._known}


class VaultSettings(AzureKeyVaultSettingsSource):
    """The vault's secrets that are named like settings."""

    def __init__(self, settings_cls: type[BaseSettings], url: str, authority_file: Path | None) -> None:
        """Prepare to read, and list the names.

        Args:
            settings_cls: The settings.
            url: Address of the vault, https.
            authority_file: PEM of the authority that vouches for the vault and its sign-in, when it is not Azure's
                own: then what Azure would say of itself is not asked.

        Raises:
            SettingsError: The vault cannot be reached, or refuses.
        """
        self._private: dict[str, Any] = {}
        if authority_file is not None:
            self._private = {"connection_verify": str(authority_file)}
        try:
            identity = {"disable_instance_discovery": True, **self._private} if self._private else {}
            super().__init__(
                settings_cls, url, DefaultAzureCredential(**identity), dash_to_underscore=True, case_sensitive=False
            )
        except (AzureError, ValueError, OSError) as error:
            raise _refused(error) from None

    def _load_env_vars(self) -> Mapping[str, str | None]:
        client = SecretClient(
            vault_url=self._url,
            credential=self._credential,
            connection_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retry_total=_RETRIES,
            verify_challenge_resource=not self._private,
            **self._private,
        )
        return _Named(client, self.settings_cls.model_fields)

    def __call__(self) -> dict[str, Any]:
        """Return the value of every setting that has a secret.

        Raises:
            SettingsError: The vault cannot be reached, or refuses one of them.
        """
        try:
            found = super().__call__()
        except (AzureError, ValueError, OSError) as error:
            raise _refused(error) from None
        return {name: value for name, value in found.items() if name not in _OUTSIDE and value != ""}


def _refused(error: Exception) -> SettingsError:
    # Azure's words may quote a request; its kind says enough.
    reason = (
        f"the vault cannot be read ({type(error).__name__}); see that the address is right and https, that this "
        "machine reaches it, and that its identity may get and list secrets"
    )
    return SettingsError([SettingFault(name="AZURE_KEY_VAULT_URL", reason=reason)])
