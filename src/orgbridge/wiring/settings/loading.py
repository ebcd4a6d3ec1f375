"""Settings as they are read at the start, read again, and handed to processes that this one starts."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from orgbridge.kit.json import JSON
from orgbridge.wiring.errors import SettingFault, SettingsError
from orgbridge.wiring.settings.callers import ClientSettings
from orgbridge.wiring.settings.environment import add_to_environment, environment
from orgbridge.wiring.settings.faults import fault_alone, faults_together
from orgbridge.wiring.settings.service import Settings

#: prometheus-client's own name, read when it is imported.
_SHARED_FIGURES = "PROMETHEUS_MULTIPROC_DIR"


def load_settings(
    *, env_file: Path | None = Path(".env"), needs_salesforce: bool = True, **overrides: JSON
) -> Settings:
    """Read every setting and check it, alone and together with the others.

    Args:
        env_file: The `.env` file; one that does not exist is not read.
        needs_salesforce: False for commands that never call Salesforce.
        overrides: Settings given as arguments, by field name; None means "not given".

    Raises:
        SettingsError: At least one setting is missing or wrong; each is named with its remedy and without its value.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    secrets_dir = given.get("orgbridge_secrets_dir") or environment().get("ORGBRIDGE_SECRETS_DIR") or None
    if secrets_dir is not None and not Path(str(secrets_dir)).is_dir():
        reason = "there is no such folder; point it at a folder with one file per setting"
        raise SettingsError([SettingFault(name="ORGBRIDGE_SECRETS_DIR", reason=reason)])
    try:
        settings = Settings(_env_file=env_file, _secrets_dir=secrets_dir, **given)
    except ValidationError as error:
        raise SettingsError(
            [fault_alone(item) for item in error.errors(include_input=False, include_context=False)]
        ) from None
    settings._origin = {"env_file": env_file, "needs_salesforce": needs_salesforce, **overrides}
    faults = faults_together(settings, needs_salesforce=needs_salesforce)
    if faults:
        raise SettingsError(faults)
    return settings


def reload_settings(settings: Settings) -> Settings:
    """Read all settings again, from where these came.

    Raises:
        SettingsError: At least one is missing or wrong now.
    """
    return load_settings(**settings._origin)


def comes_from_files(settings: Settings) -> bool:
    """Tell whether any setting may have come from a file that somebody can change while we run."""
    env_file, given = settings._origin.get("env_file"), environment()
    return (
        (env_file is not None and Path(str(env_file)).is_file())
        or settings.orgbridge_secrets_dir is not None
        or settings.orgbridge_salesforce_jwt_key_path is not None
        or any(f"{name.upper()}_FILE" in given for name in Settings.model_fields)
    )


def hand_down(settings: Settings) -> None:
    """Put the settings, secrets left out, into this process's environment, for the processes it starts."""
    add_to_environment(settings.environment())


def share_figures(folder: Path) -> None:
    """Let the processes that this one starts put their figures together in a folder."""
    add_to_environment({_SHARED_FIGURES: str(folder)})


def shared_figures() -> Path | None:
    """Return the folder in which the processes of this service put their figures together, None when it is alone."""
    folder = environment().get(_SHARED_FIGURES)
    return Path(folder) if folder else None


def unknown_names(settings_env: dict[str, str] | None = None) -> list[str]:
    """Return the `ORGBRIDGE_*` variables of the environment that no setting reads: most likely a slip of the pen."""
    names = settings_env if settings_env is not None else environment()
    known = {name.upper() for name in (*Settings.model_fields, *ClientSettings.model_fields)}
    known |= {f"{name}_FILE" for name in known}
    return sorted(name for name in names if name.startswith("ORGBRIDGE_") and name not in known)


def load_client_settings(*, env_file: Path | None = Path(".env")) -> ClientSettings:
    """Return the address and token given by the environment; each may be missing, `cli.json` then has them."""
    return ClientSettings(_env_file=env_file)
