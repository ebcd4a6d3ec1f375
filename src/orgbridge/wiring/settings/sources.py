"""Where settings come from besides the environment and `.env`: the files of `NAME_FILE`, and a vault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from pydantic_settings.sources import DotEnvSettingsSource, EnvSettingsSource

from orgbridge.wiring.errors import SettingFault, SettingsError

_MAX_SECRET_FILE_BYTES = 64 * 1024


class NamedFiles(PydanticBaseSettingsSource):
    """Settings from the files that `NAME_FILE` variables point at."""

    def __init__(self, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._variables: dict[str, str | None] = {}
        for source in reversed(sources):
            if isinstance(source, EnvSettingsSource | DotEnvSettingsSource):
                self._variables.update({name.lower(): value for name, value in source.env_vars.items()})

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the content of the file named for the field, without the newline at its end.

        Raises:
            SettingsError: The file cannot be read, is not text or is larger than any secret.
        """
        path = self._variables.get(f"{field_name}_file")
        if not path:
            return None, field_name, False
        name = f"{field_name.upper()}_FILE"
        try:
            with Path(path).open("rb") as file:
                data = file.read(_MAX_SECRET_FILE_BYTES + 1)
            if len(data) > _MAX_SECRET_FILE_BYTES:
                reason = f"the file is larger than {_MAX_SECRET_FILE_BYTES} bytes; point it at one with only the value"
                raise SettingsError([SettingFault(name=name, reason=reason)])
            return data.decode("utf-8").rstrip("\r\n") or None, field_name, False
        except OSError as error:
            reason = (
                f"its file cannot be read ({error.strerror}); point it at a readable file that holds only the value"
            )
            raise SettingsError([SettingFault(name=name, reason=reason)]) from error
        except UnicodeDecodeError as error:
            reason = "its file is not UTF-8 text; point it at a file that holds only the value"
            raise SettingsError([SettingFault(name=name, reason=reason)]) from error

    def __call__(self) -> dict[str, Any]:
        """Return the values of every setting that has a file."""
        found: dict[str, Any] = {}
        faults: list[SettingFault] = []
        for name, field in self.settings_cls.model_fields.items():
            try:
                value, key, _ = self.get_field_value(field, name)
            except SettingsError as error:
                faults.extend(error.faults)
                continue
            if value is not None:
                found[key] = value
        if faults:
            raise SettingsError(faults)
        return found


def vault_sources(
    settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource
) -> list[PydanticBaseSettingsSource]:
    """Return the vault as a source when one is named; it has the last word, so that a machine can override it."""
    named: dict[str, str | None] = {"azure_key_vault_url": None, "orgbridge_key_vault_ca": None}
    for source in reversed(sources):
        if isinstance(source, EnvSettingsSource | DotEnvSettingsSource):
            values: dict[str, Any] = {name.lower(): value for name, value in source.env_vars.items()}
        else:
            values = source()
        named.update({name: str(values[name]) for name in named if values.get(name)})
    url, authority = named["azure_key_vault_url"], named["orgbridge_key_vault_ca"]
    if url is None:
        return []
    # Imported here because the SDK takes half a second that nobody without a vault should wait.
    from orgbridge.wiring.vault import VaultSettings

    return [VaultSettings(settings_cls, url, Path(authority) if authority is not None else None)]
