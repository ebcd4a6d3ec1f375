"""Writes the references of routes, commands and error codes. Run it as `python -m tests.support.references`."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import typer.main
from fastapi import FastAPI

import orgbridge
from orgbridge.api import errors as api_errors
from orgbridge.cli.main import app as commands_app
from orgbridge.client.errors import ClientError
from orgbridge.kit.errors import ErrorKind, OrgbridgeError

ROOT = Path(__file__).resolve().parents[2]
ROUTES, COMMANDS, ERRORS = (ROOT / "docs" / "reference" / f"{name}.md" for name in ("routes", "commands", "errors"))
#: Rooms whose faults reach a caller or a shell; the emulated org speaks Salesforce's own codes.
_ROOMS = ("kit", "loads", "client", "orgs", "store", "engine", "services", "api", "wiring", "cli")
_CODE = re.compile(r"[a-z]+(?:\.[a-z_]+)+\Z")

_ROUTES_HEAD = """# Routes

Every route of the service; `/docs` on a running service has their shapes and examples, `/openapi.json` the document.
A route with a scope needs `Authorization: Bearer` with a token of that scope from `POST /token`; one with `-` is open
to all, one with `signed in` to any token. `/api/v1` is `API_V1_STR`. The health probes take HEAD too.

Whoever has `bulk:read` sees the jobs of everybody: `created_by` of `GET /bulk/jobs` chooses among them.
`/records/batch` with `use_bulk_api` makes a load and needs `bulk:write` too.

| method | path | scope | what it does |
|---|---|---|---|
"""
_COMMANDS_HEAD = """# Commands

Every command with its options; `--help` says the same. Exit codes: 0 all rows, 1 some failed, 2 none done or bad
usage. With `--json` the result is JSON on standard output and an error JSON on standard error; progress goes to
standard error.
"""
_ERRORS_HEAD = """# Error codes

The `code` of a problem (RFC 9457), of a failed load (`error_code`), of a command's error with `--json`, or of a place
in `errors`. Codes are stable; sentences are not. Salesforce's own codes stand in `upstream` and in the results' column
`ob__error_code`, as Salesforce writes them.
"""
#: What Salesforce refuses to us is never the caller's own 401 or 403.
_FOREIGN = {ErrorKind.UNAUTHENTICATED: ErrorKind.UPSTREAM, ErrorKind.FORBIDDEN: ErrorKind.UPSTREAM}


def routes(app: FastAPI) -> str:
    """Return the reference of routes."""
    lines = [_ROUTES_HEAD.rstrip("\n")]
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            security = operation.get("security")
            scopes = [scope for item in security or [] for names in item.values() for scope in names]
            right = " ".join(f"`{scope}`" for scope in scopes) or ("signed in" if security else "-")
            lines.append(f"| {method.upper()} | `{path}` | {right} | {operation['summary']} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Return the reference of commands."""
    lines = [_COMMANDS_HEAD]
    for name, command in _commands():
        told = " ".join((command.help or "").split())
        words = " ".join(["orgbridge", name, *(f"{p.name.upper()}" for p in command.params if not _is_option(p))])
        lines += [f"## `{words}`", "", told, ""]
        options = [param for param in command.params if _is_option(param) and param.name != "help"]
        if options:
            lines += ["| option | meaning |", "|---|---|"]
            for option in options:
                names = ", ".join(f"`{text}`" for text in (*option.opts, *option.secondary_opts))
                required = " Required." if option.required else ""
                lines.append(f"| {names} | {' '.join((option.help or '').split())}{required} |")
            lines.append("")
    return "\n".join(lines)


def errors() -> str:
    """Return the reference of error codes."""
    lines = [_ERRORS_HEAD, "| code | status | may be repeated | meaning |", "|---|---|---|---|"]
    table: dict[str, tuple[str, str, str]] = {}
    for status, code in api_errors._CODES.items():
        table[code] = (str(status), "no", api_errors._DETAILS.get(status, f"{HTTPStatus(status).phrase}."))
    for cls in sorted(_error_classes(), key=lambda cls: (len(cls.__mro__), cls.__name__)):
        meaning = (cls.__doc__ or "").split("\n", 1)[0]
        table.setdefault(cls.code, (_status(cls), "yes" if cls.retryable else "no", meaning))
    lines += [f"| `{code}` | {' | '.join(table[code])} |" for code in sorted(table)]
    lines += ["", "Reasons of a failed load or of single rows, and places in a request:", ""]
    lines += ["| code | said by |", "|---|---|"]
    lines += [f"| `{code}` | {room} |" for code, room in sorted(fault_codes().items()) if code not in table]
    return "\n".join(lines) + "\n"


def _status(cls: type[OrgbridgeError]) -> str:
    if cls.__module__.startswith(("orgbridge.cli.", "orgbridge.wiring.")):
        return "-"
    kind = _FOREIGN.get(cls.kind, cls.kind) if issubclass(cls, ClientError) else cls.kind
    return str(api_errors.STATUS[kind])


def fault_codes() -> dict[str, str]:
    """Return the codes that are given as values and not as classes, each with the room that says it."""
    found: dict[str, str] = {}
    for room in _ROOMS:
        for path in sorted((ROOT / "src" / "orgbridge" / room).rglob("*.py")):
            for code in _codes_in(ast.parse(path.read_text())):
                found.setdefault(code, room)
    return found


def _codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call):
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            given += node.args if name == "_fault" else []
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            given = [value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "code"]
        elif isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["code"]:
            given = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and _CODE.match(value.value):
                yield value.value


def _error_classes() -> set[type[OrgbridgeError]]:
    for module in pkgutil.walk_packages(orgbridge.__path__, "orgbridge."):
        if (
            not module.name.startswith(("orgbridge.emulator", "orgbridge.store.migrations"))
            and "__main__" not in module.name
        ):
            importlib.import_module(module.name)
    found: set[type[OrgbridgeError]] = set()
    waiting: list[type[OrgbridgeError]] = [OrgbridgeError]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls.__module__.startswith("orgbridge.") and not cls.__name__.startswith("_"):
            found.add(cls)
    return found


def _commands() -> Iterator[tuple[str, Any]]:
    def inside(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from inside(f"{prefix}{name} ", command)
            else:
                yield f"{prefix}{name}", command

    yield from inside("", typer.main.get_command(commands_app))


def _is_option(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "option")


def write(app: FastAPI) -> None:
    """Write all three files."""
    ROUTES.write_text(routes(app))
    COMMANDS.write_text(commands())
    ERRORS.write_text(errors())


if __name__ == "__main__":
    import tempfile

    from orgbridge.wiring.service import build_app
    from tests.support.local_house import lone_settings

    with tempfile.TemporaryDirectory() as folder:
        write(build_app(lone_settings(Path(folder))))
