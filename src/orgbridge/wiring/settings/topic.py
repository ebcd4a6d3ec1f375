"""What every topic of the settings shares: how its fields are read."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class Topic(BaseSettings):
    """Some of the settings. The name of each in the environment is the field's name in upper case."""

    model_config = SettingsConfigDict(
        case_sensitive=False,
        env_ignore_empty=True,
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )
