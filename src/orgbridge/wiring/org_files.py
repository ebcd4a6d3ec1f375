"""What an emulated org is like, from a JSON file: its users, connected clients, policy and figures.

    {"users": [{"username": "loader@x.org", "password": "p", "profile": "Read Only Integration"}],
     "clients": [{"client_id": "loader", "client_secret": "s", "run_as": "loader@x.org"}],
     "policy": {"soap_login": false, "rotate_refresh_tokens": true},
     "commerce": {"live_search_index": false}, "session_seconds": 900, "daily_api_requests": 15000}

Keys are the fields of `EmulatorConfig`, `EmulatorUser`, `EmulatorClient` and `SignInPolicy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from orgbridge.emulator.app import EmulatorClient, EmulatorConfig, EmulatorUser
from orgbridge.emulator.commerce.policy import PolicyError, changed
from orgbridge.emulator.http.directory import SignInPolicy
from orgbridge.kit.json import JSON, JSONDecodeError, loads

_T = TypeVar("_T")
#: Fields of the configuration that a file may set as they are.
_PLAIN = (
    "client_id", "client_secret", "refresh_token", "session_seconds", "daily_api_requests", "shuffle_results",
    "batch_rows", "batch_delay_seconds", "lock_seconds", "lock_rows",
)  # fmt: skip


class OrgFileError(ValueError):
    """The file does not describe an org; the message is one line for people and shows no secret."""


def read_org_file(path: Path, config: EmulatorConfig) -> EmulatorConfig:
    """Return a configuration with what a file says.

    Users of the file come after the configured first one, unless the file names that one too; clients after it as well.

    Args:
        path: The file.
        config: What the org is like without it.

    Raises:
        OrgFileError: The file cannot be read, or says what is not understood.
    """
    try:
        told = loads(path.read_bytes())
    except OSError as error:
        raise OrgFileError(f"{path}: {error.strerror or error}") from error
    except JSONDecodeError as error:
        raise OrgFileError(f"{path} is no JSON: {error}") from error
    if isinstance(told, list):
        told = {"users": told}
    if not isinstance(told, dict):
        raise OrgFileError(f"{path}: the file holds an object, or a list of users")
    known = {*_PLAIN, "users", "clients", "policy", "commerce"}
    if unknown := sorted(set(told) - known):
        raise OrgFileError(f"{path}: unknown keys {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    try:
        return _configured(told, config)
    except OrgFileError as error:
        raise OrgFileError(f"{path}: {error}") from error


def _configured(told: Mapping[str, JSON], config: EmulatorConfig) -> EmulatorConfig:
    by_name = {one.name: one for one in fields(EmulatorConfig)}
    plain = {name: _value(by_name[name], told[name]) for name in _PLAIN if name in told}
    users = [_made(EmulatorUser, one, "user") for one in _list(told, "users")]
    named = {user.username.lower() for user in users}
    if len(named) < len(users):
        raise OrgFileError("a user stands twice")
    # One that the file names too is as the file says, but stays the first: client credentials run as it.
    first = [next((u for u in users if u.username.lower() == one.username.lower()), one) for one in config.users]
    taken = {user.username.lower() for user in first}
    clients = [_client(one) for one in _list(told, "clients")]
    ids = [client.client_id for client in clients]
    if len(set(ids)) < len(ids) or config.client_id in ids:
        raise OrgFileError("a client stands twice, or has the name of the first one")
    kept = [client for client in config.clients if client.client_id not in ids]
    policy = config.policy
    if "policy" in told:
        if not isinstance(told["policy"], dict):
            raise OrgFileError("policy is an object")
        policy = replace(policy, **_values(SignInPolicy, told["policy"], "policy"))
    commerce = config.commerce
    if "commerce" in told:
        if not isinstance(told["commerce"], dict):
            raise OrgFileError("commerce is an object")
        try:
            commerce = changed(commerce, told["commerce"])
        except PolicyError as error:
            raise OrgFileError(str(error)) from error
    return replace(
        config,
        **plain,
        users=(*first, *(user for user in users if user.username.lower() not in taken)),
        clients=(*kept, *clients),
        policy=policy,
        commerce=commerce,
    )


def _list(told: Mapping[str, JSON], key: str) -> list[JSON]:
    value = told.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise OrgFileError(f"{key} is a list of objects")
    return value


def _client(told: JSON) -> EmulatorClient:
    given = dict(told)
    certificate = given.pop("jwt_certificate_file", None)
    if certificate is not None:
        try:
            given["jwt_certificate"] = Path(str(certificate)).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise OrgFileError(f"jwt_certificate_file {certificate} cannot be read") from error
    return _made(EmulatorClient, given, "client")


def _made(kind: type[_T], told: Mapping[str, JSON], what: str) -> _T:
    values = _values(kind, told, what)
    missing = [
        one.name
        for one in fields(kind)  # type: ignore[arg-type]  # both kinds are dataclasses
        if one.default is MISSING and one.default_factory is MISSING and one.name not in values
    ]
    if missing:
        raise OrgFileError(f"a {what} needs {', '.join(missing)}")
    return kind(**values)


def _values(kind: type[Any], told: Mapping[str, JSON], what: str) -> dict[str, Any]:
    by_name = {one.name: one for one in fields(kind)}
    if unknown := sorted(set(told) - set(by_name)):
        raise OrgFileError(f"{what}: unknown keys {', '.join(unknown)}; there are {', '.join(sorted(by_name))}")
    return {name: _value(by_name[name], value) for name, value in told.items()}


def _value(one: Field[Any], value: JSON) -> Any:
    """Return a value as the field wants it; its type is told by the annotation."""
    words = [word.strip() for word in str(one.type).split("|")]
    if (value is None and "None" in words) or _fits(words[0], value):
        return tuple(value) if isinstance(value, list) else value
    raise OrgFileError(f"{one.name} has a value of another kind; {one.type} is expected")


def _fits(kind: str, value: JSON) -> bool:
    match kind:
        case "str" | "bool":
            return isinstance(value, str if kind == "str" else bool)
        case "int" | "float":
            number = isinstance(value, int if kind == "int" else int | float)
            return number and not isinstance(value, bool) and value >= 0
        case _ if kind.startswith("tuple"):
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case _:
            # `fields` of a user.
            return isinstance(value, dict) and all(isinstance(item, str | bool) for item in value.values())
