"""Writes the settings reference and the example file. Run it as `python -m tests.support.settings_reference`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from orgbridge.wiring.settings import ClientSettings, Settings

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference" / "settings.md"
EXAMPLE = ROOT / ".env.example"
_GROUPS = (
    ("The application", ("debug_mode", "app_", "api_v1_str", "backend_")),
    ("Salesforce", ("salesforce_",)),
    ("Logs", ("log_",)),
    ("Folders", ("data_path_",)),
    ("Databases and Azure", ("psql_", "azure_")),
    ("The second document's names for Salesforce", ("sfcc_", "webstore_")),
    ("Our own tokens", ("jwt_",)),
    ("Orgbridge's own", ("orgbridge_",)),
    ("Traces", ("otel_",)),
)
_HEAD = """# Settings

Every setting, as the process reads it from its environment. A value comes from the first of these that has it: an
argument of the command, the environment, the file that `NAME_FILE` names, the `.env` file, the folder
`ORGBRIDGE_SECRETS_DIR` (one file per setting). An empty value counts as not set. A wrong or missing setting stops the
start with one line per fault.

The sign-in flow is `SALESFORCE_AUTH_FLOW`; when it is empty: `jwt_bearer` if `ORGBRIDGE_SALESFORCE_JWT_KEY_PATH` is
set, `refresh_token` if `ORGBRIDGE_SALESFORCE_REFRESH_TOKEN` is, `password` if a user name or password is, else
`client_credentials`. `SFCC_*` fill in for missing `SALESFORCE_*`.
"""
_EXAMPLE_HEAD = """# Every setting of Orgbridge. Copy to .env and fill in; docs/reference/settings.md says more.
# An empty value counts as not set. Each secret may instead lie in a file named by NAME_FILE.
"""


def reference() -> str:
    """Return the text of the reference."""
    lines = [_HEAD]
    for title, names in _grouped():
        lines += [f"## {title}", "", "| setting | meaning | default |", "|---|---|---|"]
        for name in names:
            field = Settings.model_fields[name]
            secret = " (secret)" if _is_secret(field.annotation) else ""
            lines.append(f"| `{name.upper()}` | {field.description}{secret} | {_default(field.default) or '-'} |")
        lines.append("")
    lines += ["## For the commands that call a running service", "", "| setting | meaning |", "|---|---|"]
    for name, field in ClientSettings.model_fields.items():
        if name not in Settings.model_fields:
            lines.append(f"| `{name.upper()}` | {field.description} |")
    return "\n".join(lines) + "\n"


def example() -> str:
    """Return the text of `.env.example`."""
    lines = [_EXAMPLE_HEAD]
    for title, names in _grouped():
        lines.append(f"# {title}")
        for name in names:
            field = Settings.model_fields[name]
            lines.append(f"# {field.description}")
            lines.append(f"{name.upper()}={_plain(field.default)}")
        lines.append("")
    return "\n".join(lines)


def _grouped() -> list[tuple[str, list[str]]]:
    names = list(Settings.model_fields)
    return [(title, [name for name in names if name.startswith(starts)]) for title, starts in _GROUPS]


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in getattr(annotation, "__args__", ())


def _default(value: Any) -> str:
    text = _plain(value)
    return f"`{text}`" if text else ""


def _plain(value: Any) -> str:
    match value:
        case None | []:
            return ""
        case bool():
            return str(value).lower()
        case _:
            return str(value)


if __name__ == "__main__":
    REFERENCE.parent.mkdir(parents=True, exist_ok=True)
    REFERENCE.write_text(reference())
    EXAMPLE.write_text(example())
