"""Where settings come from, what faults look like, and that no fault shows a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from orgbridge.wiring.errors import SettingsError
from orgbridge.wiring.settings import AuthFlow, Settings, load_client_settings, load_settings, unknown_names
from tests.support.settings_reference import EXAMPLE, REFERENCE, example, reference

PASSWORD_FLOW = {
    "SALESFORCE_CLIENT_ID": "client",
    "SALESFORCE_CLIENT_SECRET": "s3cr3t-of-client",
    "SALESFORCE_USERNAME": "user@example.com",
    "SALESFORCE_PASSWORD": "p4ssw0rd-of-user",
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*Settings.model_fields, "orgbridge_url", "orgbridge_token"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)


def _set(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def _faults(**overrides: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(env_file=None, **overrides)
    return str(caught.value).splitlines()


def test_defaults_are_those_of_the_first_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing but credentials set, every other setting has the document's default."""
    _set(monkeypatch, PASSWORD_FLOW)
    settings = load_settings(env_file=None)
    assert (settings.app_name, settings.app_version, settings.api_v1_str, settings.debug_mode) == (
        "SalesforceIntegrationAPI",
        "1.0.0",
        "/api/v1",
        False,
    )
    assert settings.salesforce_token_url == "https://login.salesforce.com/services/oauth2/token"
    assert settings.salesforce_token_refresh_buffer == 300
    assert (settings.log_level, settings.log_max_bytes, settings.log_backup_count) == ("INFO", 10_485_760, 5)
    assert (settings.data_path_input, settings.data_path_output, settings.data_path_failed) == (
        Path("/app/data/input"),
        Path("/app/data/output"),
        Path("/app/data/failed"),
    )
    assert settings.backend_cors_origins == []


def test_missing_credentials_are_one_line_each() -> None:
    """Each missing setting has a line of its own that names it."""
    lines = _faults(salesforce_auth_flow="password")
    assert [line.split(":")[0] for line in lines] == [
        "SALESFORCE_CLIENT_ID",
        "SALESFORCE_CLIENT_SECRET",
        "SALESFORCE_USERNAME",
        "SALESFORCE_PASSWORD",
    ]


def test_wrong_values_are_one_line_each_without_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value is named with what would be right, and is never repeated."""
    _set(
        monkeypatch,
        {
            **PASSWORD_FLOW,
            "SALESFORCE_TOKEN_REFRESH_BUFFER": "p4ssw0rd-typo",
            "LOG_LEVEL": "p4ssw0rd-typo",
            "SALESFORCE_API_VERSION": "v12.0",
            "ORGBRIDGE_PORT": "99999",
            "API_V1_STR": "api",
        },
    )
    lines = _faults()
    assert {line.split(":")[0] for line in lines} == {
        "SALESFORCE_TOKEN_REFRESH_BUFFER",
        "LOG_LEVEL",
        "SALESFORCE_API_VERSION",
        "ORGBRIDGE_PORT",
        "API_V1_STR",
    }
    assert all("set it to" in line and "e.g." in line for line in lines)
    assert not any("p4ssw0rd" in line or "s3cr3t" in line for line in lines)


def test_a_token_url_with_a_password_in_it_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that carries credentials is a fault, and the fault does not show them."""
    _set(monkeypatch, {**PASSWORD_FLOW, "SALESFORCE_TOKEN_URL": "https://u:hidden-pass@example.com/token"})
    (line,) = _faults()
    assert line.startswith("SALESFORCE_TOKEN_URL:")
    assert "hidden-pass" not in line


def test_a_plain_token_url_beyond_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http is for loopback, and for hosts that a setting names; the fault names both settings."""
    _set(monkeypatch, {**PASSWORD_FLOW, "SALESFORCE_TOKEN_URL": "http://acme.my.salesforce.com/services/oauth2/token"})
    (line,) = _faults()
    assert line.startswith("SALESFORCE_TOKEN_URL: ")
    assert "ORGBRIDGE_SALESFORCE_HTTP_HOSTS" in line
    assert load_settings(env_file=None, needs_salesforce=False).plain_host == "acme.my.salesforce.com"
    for host in ("127.0.0.1:8080", "localhost", "[::1]:8080"):
        monkeypatch.setenv("SALESFORCE_TOKEN_URL", f"http://{host}/services/oauth2/token")
        assert load_settings(env_file=None).plain_host is None
    monkeypatch.setenv("SALESFORCE_TOKEN_URL", "http://Org:8080/services/oauth2/token")
    monkeypatch.setenv("ORGBRIDGE_SALESFORCE_HTTP_HOSTS", "emulator, ORG")
    assert load_settings(env_file=None).plain_host == "org"


def test_a_secret_is_read_from_the_file_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NAME_FILE gives the value without the newline at its end; the plain name goes before it."""
    (tmp_path / "secret").write_text("from-file\n")
    _set(monkeypatch, {**PASSWORD_FLOW, "SALESFORCE_CLIENT_SECRET_FILE": str(tmp_path / "secret")})
    assert load_settings(env_file=None).client_secret == "s3cr3t-of-client"
    monkeypatch.delenv("SALESFORCE_CLIENT_SECRET")
    assert load_settings(env_file=None).client_secret == "from-file"


def test_a_named_file_that_is_not_there_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The fault names the NAME_FILE setting."""
    _set(monkeypatch, {**PASSWORD_FLOW, "SALESFORCE_PASSWORD_FILE": str(tmp_path / "none")})
    (line,) = _faults()
    assert line.startswith("SALESFORCE_PASSWORD_FILE: its file cannot be read")


def test_a_secrets_folder_and_a_dotenv_file_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Values come from the folder, and the .env file goes before it."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, value in PASSWORD_FLOW.items():
        (folder / name.lower()).write_text(value)
    (tmp_path / ".env").write_text("SALESFORCE_USERNAME=dotenv@example.com\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("ORGBRIDGE_SECRETS_DIR", str(folder))
    settings = load_settings(env_file=tmp_path / ".env")
    assert (settings.username, settings.password) == ("dotenv@example.com", "p4ssw0rd-of-user")


def test_the_names_of_the_second_document_fill_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """SFCC_* stand in for missing SALESFORCE_*, the security token appended to the password."""
    _set(
        monkeypatch,
        {
            "SFCC_CLIENT_ID": "c",
            "SFCC_CLIENT_SECRET": "secret",
            "SFCC_ADMIN_USERNAME": "admin@example.com",
            "SFCC_ADMIN_PASSWORD": "pass",
            "SFCC_ADMIN_TOKEN": "TOKEN",
            "SFCC_DOMAIN_NAME": "acme",
        },
    )
    settings = load_settings(env_file=None)
    assert (settings.client_id, settings.client_secret, settings.username, settings.password) == (
        "c",
        "secret",
        "admin@example.com",
        "passTOKEN",
    )
    assert settings.token_url == "https://acme.my.salesforce.com/services/oauth2/token"


@pytest.mark.parametrize(
    ("more", "flow"),
    [
        ({}, AuthFlow.CLIENT_CREDENTIALS),
        ({"salesforce_username": "u", "salesforce_password": "pass"}, AuthFlow.PASSWORD),
        ({"orgbridge_salesforce_refresh_token": "token"}, AuthFlow.REFRESH_TOKEN),
        (
            {"salesforce_username": "u", "salesforce_password": "p", "salesforce_auth_flow": "client_credentials"},
            AuthFlow.CLIENT_CREDENTIALS,
        ),
    ],
    ids=["client", "password", "refresh", "named"],
)
def test_the_flow_is_chosen_by_what_is_set(more: dict[str, str], flow: AuthFlow) -> None:
    """Presence chooses the flow unless SALESFORCE_AUTH_FLOW names it."""
    settings = load_settings(env_file=None, salesforce_client_id="c", salesforce_client_secret="s", **more)
    assert settings.auth_flow is flow


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("http://localhost,https://my.app", ["http://localhost", "https://my.app"]),
        ('["http://a", "http://b"]', ["http://a", "http://b"]),
        (" http://a , ", ["http://a"]),
    ],
    ids=["commas", "json", "spaces"],
)
def test_origins_are_read_as_deployments_write_them(
    monkeypatch: pytest.MonkeyPatch, text: str, origins: list[str]
) -> None:
    """Commas and a JSON list both work."""
    _set(monkeypatch, {**PASSWORD_FLOW, "BACKEND_CORS_ORIGINS": text})
    assert load_settings(env_file=None).backend_cors_origins == origins


def test_nothing_printed_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings' text nor what is handed down to children holds a secret; `secrets` lists them all."""
    _set(monkeypatch, {**PASSWORD_FLOW, "PSQL_CONNECTION_STRING": "postgresql://u:db-p4ss@h/d"})
    settings = load_settings(env_file=None)
    shown = f"{settings!r} {settings} {settings.environment()}"
    assert not any(secret in shown for secret in ("s3cr3t-of-client", "p4ssw0rd-of-user", "db-p4ss"))
    assert {"s3cr3t-of-client", "p4ssw0rd-of-user", "postgresql://u:db-p4ss@h/d"} <= set(settings.secrets())


def test_a_database_that_is_not_postgresql_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """PSQL_CONNECTION_STRING must begin as PostgreSQL's do."""
    _set(monkeypatch, {**PASSWORD_FLOW, "PSQL_CONNECTION_STRING": "mysql://u:hidden@h/d"})
    (line,) = _faults()
    assert line.startswith("PSQL_CONNECTION_STRING:")
    assert "hidden" not in line


def test_keys_come_in_pairs_and_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A public key without its private one, and a path without a file, are faults."""
    _set(monkeypatch, {**PASSWORD_FLOW, "JWT_PUBLIC_KEY_PATH": str(tmp_path / "none.pem")})
    assert [line.split(":")[0] for line in _faults()] == ["JWT_PUBLIC_KEY_PATH", "JWT_PRIVATE_KEY_PATH"]


def test_commands_that_never_call_salesforce_need_no_credentials() -> None:
    """`needs_salesforce=False` reads the rest."""
    assert load_settings(env_file=None, needs_salesforce=False).client_id is None


def test_slips_of_the_pen_are_found() -> None:
    """An ORGBRIDGE_ name that no setting has is reported; known ones and their files are not."""
    environment = {"ORGBRIDGE_PRT": "1", "ORGBRIDGE_PORT": "1", "ORGBRIDGE_TOKEN_FILE": "x", "PATH": "x"}
    assert unknown_names(environment) == ["ORGBRIDGE_PRT"]


def test_the_callers_settings_need_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that call a service read its address and token, both optional."""
    assert load_client_settings(env_file=None).orgbridge_url is None
    _set(monkeypatch, {"ORGBRIDGE_URL": "http://h:1", "ORGBRIDGE_TOKEN": "t"})
    found = load_client_settings(env_file=None)
    assert (found.orgbridge_url, found.orgbridge_token) == ("http://h:1", SecretStr("t"))


def test_every_setting_is_in_exactly_one_group_of_the_reference() -> None:
    """The reference names every setting once as the first cell of a row."""
    text = reference()
    for name in Settings.model_fields:
        assert text.count(f"| `{name.upper()}` |") == 1, name


def test_the_reference_and_the_example_are_as_written() -> None:
    """docs/reference/settings.md and .env.example say what the class says."""
    assert REFERENCE.read_text() == reference()
    assert EXAMPLE.read_text() == example()


def test_the_example_file_is_readable_as_it_is(tmp_path: Path) -> None:
    """.env.example with the credentials filled in gives the defaults."""
    text = EXAMPLE.read_text()
    for name, value in PASSWORD_FLOW.items():
        text = text.replace(f"{name}=\n", f"{name}={value}\n")
    (tmp_path / ".env").write_text(text)
    plain = load_settings(env_file=None, **{name.lower(): value for name, value in PASSWORD_FLOW.items()})
    assert load_settings(env_file=tmp_path / ".env").model_dump() == plain.model_dump()
