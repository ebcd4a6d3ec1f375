"""Where tables and documents are kept, and the vault that secrets come from."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from orgbridge.wiring.settings.topic import Topic


class DatabaseSettings(Topic):
    """Where tables and documents are kept, and the vault that secrets come from."""

    psql_connection_string: SecretStr | None = Field(
        None,
        description="a PostgreSQL URL; empty uses SQLite files in the data folder",
        examples=["postgresql://orgbridge@db.example.com/orgbridge"],
    )
    azure_cosmos_endpoint: str | None = Field(
        None,
        pattern=r"^https://[^\s/@?#]+/?$",
        description="the Cosmos DB account that documents of machines are kept in; empty keeps them in the database",
        examples=["https://x.documents.azure.com"],
    )
    azure_cosmos_key: SecretStr | None = Field(
        None, description="that account's key; empty uses the machine's identity", examples=["..."]
    )
    azure_cosmos_database: str | None = Field(
        None,
        pattern=r"^[^/\\?#\s]{1,255}$",
        description="the name of the database in that account; empty is orgbridge",
        examples=["orgbridge"],
    )
    azure_key_vault_url: str | None = Field(
        None,
        description="the vault to take secrets from, named as settings with dashes: SALESFORCE-CLIENT-SECRET",
        examples=["https://x.vault.azure.net"],
    )
    orgbridge_cosmos_ca: Path | None = Field(
        None,
        description="a PEM file of the authority of a Cosmos DB that is not Azure's own; empty: those of this machine",
        examples=["/etc/ssl/private-cloud.pem"],
    )
    orgbridge_key_vault_refresh_seconds: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="seconds between two looks at the vault (at files of secrets: at most 30): a rotated secret is "
        "used without a restart",
        examples=["300"],
    )
    orgbridge_key_vault_ca: Path | None = Field(
        None,
        description="a PEM file of the authority of a vault that is not Azure's own; empty: those of this machine",
        examples=["/etc/ssl/private-cloud.pem"],
    )
