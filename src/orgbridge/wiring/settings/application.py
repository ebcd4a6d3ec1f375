"""What the service calls itself, where it listens and where it keeps its own files."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from orgbridge.wiring.settings.topic import Topic
from orgbridge.wiring.settings.values import Listed


class ApplicationSettings(Topic):
    """What the service calls itself, where it listens and where it keeps its own files."""

    debug_mode: bool = Field(
        False, description="true for verbose logs as text, false for JSON lines", examples=["false"]
    )
    app_name: str = Field(
        "SalesforceIntegrationAPI", description="the name in the API documents", examples=["SalesforceIntegrationAPI"]
    )
    app_version: str = Field("1.0.0", description="the version in the API documents", examples=["1.0.0"])
    api_v1_str: str = Field(
        "/api/v1",
        pattern=r"^(/[A-Za-z0-9._~-]+)+$",
        description="the prefix of every route, beginning with a slash and not ending in one",
        examples=["/api/v1"],
    )
    backend_cors_origins: Listed = Field(
        [],
        description="allowed browser origins, separated by commas",
        examples=["http://localhost,https://my.app"],
    )
    orgbridge_data: Path = Field(
        Path(".orgbridge"),
        description="the folder for the embedded database, keys and load files",
        examples=[".orgbridge"],
    )
    orgbridge_host: str = Field("127.0.0.1", description="the address to listen on", examples=["0.0.0.0"])
    orgbridge_port: int = Field(
        8000, ge=0, le=65_535, description="the port to listen on, 0 to 65535", examples=["8000"]
    )
    orgbridge_workers: int = Field(1, ge=1, le=64, description="service processes, 1 to 64", examples=["1"])
    orgbridge_public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/@?#]+(/[^\s?#]*)?$",
        description="where people reach this service, for links in mails; empty: mails carry no links",
        examples=["https://api.example.com"],
    )
    orgbridge_console: bool = Field(
        True, description="false to leave out the pages for people under /console", examples=["true"]
    )
    orgbridge_secrets_dir: Path | None = Field(
        None, description="a folder with one file per setting, named as the setting", examples=["/run/secrets"]
    )
