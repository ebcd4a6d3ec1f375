"""All settings of the service together."""

from __future__ import annotations

from typing import Any

from pydantic import PrivateAttr, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from orgbridge.kit.json import dumps
from orgbridge.wiring.settings.application import ApplicationSettings
from orgbridge.wiring.settings.commerce import CommerceSettings
from orgbridge.wiring.settings.databases import DatabaseSettings
from orgbridge.wiring.settings.folders import FolderSettings
from orgbridge.wiring.settings.loads import LoadSettings
from orgbridge.wiring.settings.logs import LogSettings
from orgbridge.wiring.settings.mails import MailSettings
from orgbridge.wiring.settings.observability import ObservabilitySettings
from orgbridge.wiring.settings.protection import ProtectionSettings
from orgbridge.wiring.settings.salesforce import SalesforceSettings
from orgbridge.wiring.settings.sources import NamedFiles, vault_sources
from orgbridge.wiring.settings.tokens import TokenSettings


# Pydantic takes the fields of the last base first: read the bases from below.
class Settings(
    ProtectionSettings,
    MailSettings,
    CommerceSettings,
    LoadSettings,
    TokenSettings,
    DatabaseSettings,
    FolderSettings,
    ObservabilitySettings,
    LogSettings,
    SalesforceSettings,
    ApplicationSettings,
):
    """All settings. The name in the environment is the field's name in upper case."""

    #: What these settings were read with, so that they can be read again.
    _origin: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def database_url(self) -> str:
        """The connection string of the tables; with a password in it when PostgreSQL is set."""
        if self.psql_connection_string is not None:
            return self.psql_connection_string.get_secret_value()
        return f"sqlite:///{self.orgbridge_data.absolute() / 'orgbridge.sqlite'}"

    def secrets(self) -> list[str]:
        """Return every secret value, for the redactor of the logs and for nothing else."""
        values = [
            value.get_secret_value()
            for name in type(self).model_fields
            if isinstance(value := getattr(self, name), SecretStr)
        ]
        if self.password:
            values.append(self.password)
        return values

    def environment(self) -> dict[str, str]:
        """Return what a child process needs in its environment to read the same settings, secrets left out.

        Secrets are read again from where they came, so that they appear in no process's environment by our doing.
        """
        handed: dict[str, str] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if value is None or isinstance(value, SecretStr):
                continue
            if isinstance(value, dict):
                handed[name.upper()] = dumps(value).decode()
            else:
                handed[name.upper()] = ",".join(value) if isinstance(value, list) else str(value)
        return handed

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the `NAME_FILE` source behind the plain names of the environment and of the `.env` file."""
        return (
            init_settings,
            env_settings,
            NamedFiles(settings_cls, env_settings, dotenv_settings),
            dotenv_settings,
            file_secret_settings,
            *vault_sources(settings_cls, init_settings, env_settings, dotenv_settings),
        )
