"""What is wrong with settings: each alone, and together with the others."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import ErrorDetails

from orgbridge.kit.mail_addresses import is_sender
from orgbridge.kit.receivers import is_safe_url
from orgbridge.wiring.errors import SettingFault
from orgbridge.wiring.settings.salesforce import AuthFlow
from orgbridge.wiring.settings.service import Settings
from orgbridge.wiring.settings.values import reveal


def faults_together(settings: Settings, *, needs_salesforce: bool) -> list[SettingFault]:
    """Return what is wrong with settings that are right each for itself.

    Args:
        settings: All settings.
        needs_salesforce: False for commands that never call Salesforce.
    """
    return [
        *_key_faults(settings),
        *_sign_in_faults(settings),
        *_mail_faults(settings),
        *(_salesforce_faults(settings) if needs_salesforce else []),
    ]


def fault_alone(item: ErrorDetails) -> SettingFault:
    """Return what is wrong with one setting, with its remedy and without its value."""
    name = str(item["loc"][0]) if item["loc"] else "settings"
    field = Settings.model_fields.get(name.lower())
    what = item["msg"].removeprefix("Value error, ")
    if item["type"] != "value_error":
        what = what[:1].lower() + what[1:]
    if field is None:
        return SettingFault(name=name.upper(), reason=what)
    example = field.examples[0] if field.examples else ""
    return SettingFault(name=name.upper(), reason=f"{what}; set it to {field.description}, e.g. {example}")


def _salesforce_faults(settings: Settings) -> list[SettingFault]:
    flow = settings.auth_flow
    needed: dict[str, object] = {"SALESFORCE_CLIENT_ID": settings.client_id}
    match flow:
        case AuthFlow.PASSWORD:
            needed |= {
                "SALESFORCE_CLIENT_SECRET": settings.client_secret,
                "SALESFORCE_USERNAME": settings.username,
                "SALESFORCE_PASSWORD": settings.password,
            }
        case AuthFlow.CLIENT_CREDENTIALS:
            needed |= {"SALESFORCE_CLIENT_SECRET": settings.client_secret}
        case AuthFlow.JWT_BEARER:
            needed |= {
                "SALESFORCE_USERNAME": settings.username,
                "ORGBRIDGE_SALESFORCE_JWT_KEY_PATH": settings.has_salesforce_key,
            }
        case AuthFlow.REFRESH_TOKEN:
            needed |= {"ORGBRIDGE_SALESFORCE_REFRESH_TOKEN": settings.orgbridge_salesforce_refresh_token}
    faults = []
    for name, value in needed.items():
        if not value:
            field = Settings.model_fields[name.lower()]
            reason = f"it is missing and sign-in by {flow.value} needs it; set it to {field.description}"
            faults.append(SettingFault(name=name, reason=f"{reason}, or give {name}_FILE"))
    path = settings.orgbridge_salesforce_jwt_key_path
    if flow is AuthFlow.JWT_BEARER and path is not None and not path.is_file():
        faults.append(_no_file("ORGBRIDGE_SALESFORCE_JWT_KEY_PATH"))
    host = settings.plain_host
    if host is not None and host not in {one.lower() for one in settings.orgbridge_salesforce_http_hosts}:
        reason = (
            "it is a plain http address beyond this machine: the secret and every record would travel in clear; "
            "write https://, or name the host in ORGBRIDGE_SALESFORCE_HTTP_HOSTS if it is an emulated org of yours"
        )
        faults.append(SettingFault(name="SALESFORCE_TOKEN_URL", reason=reason))
    return faults


def _key_faults(settings: Settings) -> list[SettingFault]:
    faults = []
    for name in ("jwt_private_key_path", "jwt_public_key_path"):
        path: Path | None = getattr(settings, name)
        if path is not None and not path.is_file():
            faults.append(_no_file(name.upper()))
    if settings.jwt_public_key_path is not None and settings.jwt_private_key_path is None:
        reason = "it is missing while JWT_PUBLIC_KEY_PATH is set; set both, or neither"
        faults.append(SettingFault(name="JWT_PRIVATE_KEY_PATH", reason=reason))
    url = reveal(settings.psql_connection_string)
    if url is not None and not url.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        reason = "it does not begin with postgresql://; set it to a PostgreSQL URL, or leave it empty for SQLite"
        faults.append(SettingFault(name="PSQL_CONNECTION_STRING", reason=reason))
    return faults


def _sign_in_faults(settings: Settings) -> list[SettingFault]:
    faults = []
    pairs = {
        "orgbridge_admin_password": "orgbridge_admin_username",
        "orgbridge_admin_username": "orgbridge_admin_password",
        "orgbridge_oidc_issuer": "orgbridge_oidc_audience",
    }
    for given, needed in pairs.items():
        if getattr(settings, given) and not getattr(settings, needed):
            field = Settings.model_fields[needed]
            reason = f"it is missing while {given.upper()} is set; set it to {field.description}"
            faults.append(SettingFault(name=needed.upper(), reason=reason))
    for name in ("orgbridge_oidc_issuer", "orgbridge_oidc_jwks_url"):
        url = getattr(settings, name)
        if url and not is_safe_url(url):
            reason = "it is not an https address; keys that come over http could be anybody's"
            faults.append(SettingFault(name=name.upper(), reason=reason))
    if settings.orgbridge_oidc_issuer and settings.orgbridge_oidc_issuer == settings.orgbridge_jwt_issuer:
        reason = "it is the same as ORGBRIDGE_JWT_ISSUER; the two must differ"
        faults.append(SettingFault(name="ORGBRIDGE_OIDC_ISSUER", reason=reason))
    return faults


def _mail_faults(settings: Settings) -> list[SettingFault]:
    faults = []
    needed = {
        "orgbridge_smtp_from": settings.orgbridge_smtp_host,
        "orgbridge_smtp_host": settings.orgbridge_smtp_from,
        "orgbridge_smtp_password": settings.orgbridge_smtp_username,
        "orgbridge_smtp_username": settings.orgbridge_smtp_password,
    }
    for name, other in needed.items():
        if other and not getattr(settings, name):
            reason = f"it is missing while its other half is set; set it to {Settings.model_fields[name].description}"
            faults.append(SettingFault(name=name.upper(), reason=reason))
    if settings.orgbridge_smtp_from is not None and not is_sender(settings.orgbridge_smtp_from):
        reason = "it is no address; write purchasing@example.com, or Purchasing <purchasing@example.com>"
        faults.append(SettingFault(name="ORGBRIDGE_SMTP_FROM", reason=reason))
    if settings.orgbridge_smtp_tls == "off" and settings.orgbridge_smtp_password is not None:
        reason = "it is off while a password is set, which would travel in clear; set it to starttls or tls"
        faults.append(SettingFault(name="ORGBRIDGE_SMTP_TLS", reason=reason))
    if settings.orgbridge_smtp_ca is not None and not settings.orgbridge_smtp_ca.is_file():
        faults.append(_no_file("ORGBRIDGE_SMTP_CA"))
    return faults


def _no_file(name: str) -> SettingFault:
    return SettingFault(name=name, reason="there is no file at this path; point it at a PEM file")
