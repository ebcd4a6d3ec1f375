"""What every process does before it works: logs, folders, tables, the org's configuration, a socket that is ours."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

from orgbridge.client import (
    ClientCredentials,
    Credentials,
    JWTCredentials,
    PasswordCredentials,
    RefreshCredentials,
    Secret,
    Timeouts,
)
from orgbridge.kit.logs import LogConfig, configure_logs, get_logger
from orgbridge.orgs.budget import BudgetConfig
from orgbridge.orgs.buyers import BuyerConfig
from orgbridge.orgs.connections import OrgConfig
from orgbridge.store.schema import check_schema, upgrade
from orgbridge.wiring.errors import PortInUse, SettingFault, SettingsError
from orgbridge.wiring.settings import AuthFlow, Settings, unknown_names

log = get_logger(__name__)


def start_logs(settings: Settings, *, quiet_file: Path | None = None) -> Path | None:
    """Send all logs through the redactor that knows the secrets of the settings.

    Args:
        settings: Level, file and form.
        quiet_file: For a process that has a person's terminal: unless the settings say something of logs, the terminal
            gets warnings only and this file the rest.

    Returns:
        The log file, None when logs go to standard error only.

    Raises:
        SettingsError: The log file cannot be opened.
    """
    asked = bool(settings.model_fields_set & {"debug_mode", "log_level", "log_filename"})
    quiet = quiet_file is not None and not asked
    config = LogConfig(
        level="DEBUG" if settings.debug_mode else settings.log_level,
        terminal_level="WARNING" if quiet else None,
        filename=quiet_file if quiet else settings.log_filename,
        max_bytes=settings.log_max_bytes,
        backup_count=settings.log_backup_count,
        json=not settings.debug_mode,
    )
    try:
        configure_logs(config, settings.secrets())
    except OSError as error:
        raise _folder_fault("LOG_FILENAME", error) from error
    return config.filename


def say_warnings(settings: Settings) -> None:
    """Log what works and will not for long, and what is set without effect."""
    for name in unknown_names():
        log.warning("setting_unknown", name=name, remedy="docs/reference/settings.md lists the names")
    if settings.auth_flow is AuthFlow.PASSWORD:
        log.warning(
            "password_flow",
            message="Salesforce is retiring the username-password flow: existing apps keep it until Winter '27.",
            remedy="set up client credentials or JWT bearer and name it in SALESFORCE_AUTH_FLOW",
        )
    if settings.plain_host is not None:
        log.warning(
            "salesforce_in_clear",
            message=f"The secret and every record travel to {settings.plain_host} unencrypted.",
            remedy="for a real org write https:// in SALESFORCE_TOKEN_URL and empty ORGBRIDGE_SALESFORCE_HTTP_HOSTS",
        )
    if settings.psql_connection_string is not None and not settings.sealing_keys:
        log.warning(
            "webhook_secrets_lie_open",
            message="PostgreSQL keeps the secrets of webhooks as they are.",
            remedy="set ORGBRIDGE_SEALING_KEY to one key on all machines; what lies there is sealed at the next start",
        )
    if settings.azure_cosmos_endpoint is None and (settings.azure_cosmos_key or settings.azure_cosmos_database):
        log.warning("cosmos_not_used", remedy="set AZURE_COSMOS_ENDPOINT too, or documents stay in the database")


def make_data_folder(settings: Settings) -> Path:
    """Return the data folder, made for its owner alone when it was not there.

    Raises:
        SettingsError: It cannot be made or written.
    """
    folder = settings.orgbridge_data.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise _folder_fault("ORGBRIDGE_DATA", error) from error
    return folder


def prepare_tables(settings: Settings) -> None:
    """Bring embedded tables up to date; only look at PostgreSQL's, which `orgbridge db upgrade` brings up to date.

    Raises:
        SchemaOutdated: PostgreSQL's tables are missing or old.
        StoreUnavailable: The database cannot be reached.
    """
    if settings.psql_connection_string is None:
        upgrade(settings.database_url)
    else:
        check_schema(settings.database_url)


def org_config(settings: Settings) -> OrgConfig:
    """Return how the org is reached.

    Raises:
        SettingsError: The key of the JWT bearer flow cannot be read.
    """
    total = settings.orgbridge_salesforce_timeout_seconds
    return OrgConfig(
        credentials=_credentials(settings),
        token_url=settings.token_url,
        api_version=settings.salesforce_api_version,
        refresh_buffer=float(settings.salesforce_token_refresh_buffer),
        timeouts=Timeouts(connect=min(10.0, total), read=total, total=total + 20),
        max_concurrent=settings.orgbridge_salesforce_concurrency,
        queue_seconds=settings.orgbridge_api_queue_seconds,
        budget=BudgetConfig(
            reserve_percent=settings.orgbridge_api_reserve_percent,
            caller_percent=settings.orgbridge_api_caller_percent,
            recheck_seconds=settings.orgbridge_api_recheck_seconds,
        ),
        buyers=_buyers(settings),
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, bound before anything else is started.

    Args:
        host: Address or name of this machine.
        port: 0 lets the system choose.

    Raises:
        PortInUse: Another program listens there; nothing was started.
        SettingsError: The address is not one of this machine, or the port may not be used by this user.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        reason = f"there is no address {host}; set it to an address of this machine, e.g. 127.0.0.1"
        raise SettingsError([SettingFault(name="ORGBRIDGE_HOST", reason=reason)]) from error
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(2048)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from error
        if error.errno == errno.EACCES:
            reason = f"port {port} is reserved for the administrator; set it to 1024 or more"
            raise SettingsError([SettingFault(name="ORGBRIDGE_PORT", reason=reason)]) from error
        reason = f"{host} is not an address of this machine; set it to one, e.g. 127.0.0.1"
        raise SettingsError([SettingFault(name="ORGBRIDGE_HOST", reason=reason)]) from error
    return sock


def _credentials(settings: Settings) -> Credentials:
    client_id, client_secret = settings.client_id or "", Secret(settings.client_secret or "")
    match settings.auth_flow:
        case AuthFlow.PASSWORD:
            return PasswordCredentials(
                client_id=client_id,
                client_secret=client_secret,
                username=settings.username or "",
                password=Secret(settings.password or ""),
            )
        case AuthFlow.CLIENT_CREDENTIALS:
            return ClientCredentials(client_id=client_id, client_secret=client_secret)
        case AuthFlow.JWT_BEARER:
            return JWTCredentials(
                client_id=client_id,
                username=settings.username or "",
                private_key=_salesforce_key(settings),
                audience=settings.orgbridge_salesforce_jwt_audience,
            )
        case AuthFlow.REFRESH_TOKEN:
            refresh = settings.orgbridge_salesforce_refresh_token
            return RefreshCredentials(
                client_id=client_id,
                refresh_token=Secret(refresh.get_secret_value() if refresh is not None else ""),
                client_secret=client_secret if settings.client_secret else None,
            )


def _salesforce_key(settings: Settings) -> Secret:
    if settings.orgbridge_salesforce_jwt_key is not None:
        return Secret(settings.orgbridge_salesforce_jwt_key.get_secret_value())
    path = settings.orgbridge_salesforce_jwt_key_path
    assert path is not None, "checked by the caller"
    try:
        return Secret(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        reason = "the file cannot be read as PEM; point it at the key whose certificate the app holds"
        raise SettingsError([SettingFault(name="ORGBRIDGE_SALESFORCE_JWT_KEY_PATH", reason=reason)]) from error


def _buyers(settings: Settings) -> BuyerConfig | None:
    if not settings.has_salesforce_key or not settings.client_id:
        return None
    return BuyerConfig(
        client_id=settings.client_id,
        private_key=_salesforce_key(settings),
        audience=settings.orgbridge_salesforce_jwt_audience,
        max_sessions=settings.orgbridge_salesforce_buyer_sessions,
        idle_seconds=float(settings.orgbridge_salesforce_buyer_idle_seconds),
    )


def _folder_fault(name: str, error: OSError) -> SettingsError:
    reason = f"it cannot be written ({error.strerror}); set it to a place that this user may write"
    return SettingsError([SettingFault(name=name, reason=reason)])
