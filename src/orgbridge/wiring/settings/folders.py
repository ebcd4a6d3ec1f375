"""Folders and object storage that inputs, results and exports lie in."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from orgbridge.kit.object_addresses import ObjectAddress
from orgbridge.wiring.settings.topic import Topic
from orgbridge.wiring.settings.values import Listed


class FolderSettings(Topic):
    """Folders and object storage that inputs, results and exports lie in."""

    data_path_input: Path = Field(
        Path("/app/data/input"),
        description="the only folder that /bulk/local-file-process reads",
        examples=["/app/data/input"],
    )
    data_path_output: Path = Field(
        Path("/app/data/output"),
        description="the folder for the results of each load, and for exports whose target is a plain name",
        examples=["/app/data/output"],
    )
    data_path_failed: Path = Field(
        Path("/app/data/failed"),
        description="a folder into which the failed and unprocessed rows of each load are copied, to be loaded again",
        examples=["/app/data/failed"],
    )
    orgbridge_files_url: str | None = Field(
        None,
        pattern=r"^(s3|az)://[^\s/@?#]+(/[A-Za-z0-9._/-]*)?$",
        description="where the files of loads lie, s3://bucket/prefix or az://container/prefix; empty: the data folder",
        examples=["s3://acme-orgbridge/production"],
    )
    orgbridge_export_urls: Listed = Field(
        [],
        description="addresses in object storage below which exports may be put, separated by commas",
        examples=["s3://acme-exports/daily"],
    )
    orgbridge_import_urls: Listed = Field(
        [],
        description="addresses in object storage below which inputs may be taken, separated by commas; empty: none",
        examples=["s3://acme-inputs/daily"],
    )
    orgbridge_import_max_bytes: int = Field(
        48 * 1024**3,
        ge=1024,
        le=48 * 1024**3,
        description="largest object in bytes that is taken as an input",
        examples=["51539607552"],
    )
    orgbridge_files_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s@]+$",
        description="the address of object storage that is not the cloud's own",
        examples=["https://minio.example.com"],
    )
    orgbridge_files_region: str | None = Field(None, description="the region of the S3 bucket", examples=["eu-west-1"])
    orgbridge_files_access_key_id: str | None = Field(
        None, description="the id of the S3 access key; empty uses the machine's role", examples=["AKIA..."]
    )
    orgbridge_files_secret_access_key: SecretStr | None = Field(
        None, description="the secret of the S3 access key", examples=["wJalr..."]
    )
    orgbridge_files_session_token: SecretStr | None = Field(
        None, description="the token of a temporary S3 session", examples=["IQoJb3..."]
    )
    orgbridge_files_account_name: str | None = Field(
        None, description="the name of the Azure storage account", examples=["acmestorage"]
    )
    orgbridge_files_account_key: SecretStr | None = Field(
        None,
        description="the key of the Azure storage account; empty uses the machine's identity",
        examples=["Eby8v..."],
    )

    @field_validator("orgbridge_import_urls")
    @classmethod
    def _known_sources(cls, value: list[str]) -> list[str]:
        for address in value:
            ObjectAddress.parse(address)
        return value
