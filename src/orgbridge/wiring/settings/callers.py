"""Settings of the commands that call a running service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClientSettings(BaseSettings):
    """What the commands that call a running service need: where it is, and a token."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    orgbridge_url: str | None = Field(None, description="the service's address", examples=["http://127.0.0.1:8000"])
    orgbridge_token: SecretStr | None = Field(None, description="an access token of the service", examples=["eyJ..."])
    orgbridge_data: Path = Field(Path(".orgbridge"), description="the folder with cli.json", examples=[".orgbridge"])
