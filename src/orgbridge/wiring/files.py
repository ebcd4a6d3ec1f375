"""Where the files of loads lie, by the settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from orgbridge.store.errors import FileAddressInvalid
from orgbridge.store.files import FileStore, LocalFiles, ObjectAccess, ObjectFiles, open_objects
from orgbridge.store.files.sources import Sources
from orgbridge.store.files.targets import Targets
from orgbridge.wiring.errors import SettingFault, SettingsError
from orgbridge.wiring.settings import Settings


def build_files(settings: Settings, folder: Path) -> FileStore:
    """Return the place for the files of loads; nothing is connected yet.

    Args:
        settings: All settings.
        folder: The data folder, for files that no other place was set for.

    Raises:
        SettingsError: The address cannot be used.
    """
    if settings.orgbridge_files_url is None:
        return LocalFiles(folder / "files")
    try:
        return ObjectFiles(open_objects(settings.orgbridge_files_url, object_access(settings)))
    except FileAddressInvalid as error:
        reason = f"{error.message} Set it to s3://bucket/prefix or az://container/prefix, with its key or role"
        raise SettingsError([SettingFault(name="ORGBRIDGE_FILES_URL", reason=reason)]) from error


def object_access(settings: Settings) -> ObjectAccess:
    """Return how object storage is reached."""
    return ObjectAccess(
        endpoint=settings.orgbridge_files_endpoint,
        region=settings.orgbridge_files_region,
        access_key_id=settings.orgbridge_files_access_key_id,
        secret_access_key=_reveal(settings.orgbridge_files_secret_access_key),
        session_token=_reveal(settings.orgbridge_files_session_token),
        account_name=settings.orgbridge_files_account_name,
        account_key=_reveal(settings.orgbridge_files_account_key),
    )


def export_targets(settings: Settings) -> Targets:
    """Return where exports may be put."""
    return Targets(
        folder=settings.data_path_output,
        allowed=tuple(settings.orgbridge_export_urls),
        access=object_access(settings),
    )


def import_sources(settings: Settings) -> Sources:
    """Return where inputs may be taken from in object storage."""
    return Sources(
        allowed=tuple(settings.orgbridge_import_urls),
        access=object_access(settings),
        max_bytes=settings.orgbridge_import_max_bytes,
    )


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
