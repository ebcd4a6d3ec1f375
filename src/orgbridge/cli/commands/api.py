"""`orgbridge sign-in` and `orgbridge api`: any call of the service from a shell, as anybody who may sign in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.context import DataOption, JSONFlag, run, service_address, service_url
from orgbridge.cli.errors import UsageError
from orgbridge.cli.service import Answer, Service, sign_in
from orgbridge.cli.terminal import Terminal
from orgbridge.kit import json
from orgbridge.kit.clock import Clock, SystemClock

_NO_BODY = frozenset({"GET", "HEAD"})
_METHODS = frozenset({*_NO_BODY, "POST", "PUT", "PATCH", "DELETE"})
#: The longest pause between two looks at what the service still works on.
_LONGEST_PAUSE = 5.0
#: Media types by the ending of a file that is sent as it is.
_TYPES = {".json": "application/json", ".csv": "text/csv", ".pdf": "application/pdf"}


def sign_in_command(
    username: Annotated[str, typer.Argument(help="Sign-in name.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Sign in and write a token, for ORGBRIDGE_TOKEN or for a header of a call of your own."""
    if not password_stdin and not sys.stdin.isatty():
        raise UsageError("Nobody is there to type the password; give --password-stdin.")
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else typer.prompt("Password", hide_input=True)
    terminal, token = Terminal(as_json=as_json), run(sign_in(service_url(data), username, password))
    if terminal.as_json:
        terminal.document({"access_token": token, "token_type": "bearer"})
    else:
        terminal.result(token)


def api(
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(help="Below /api/v1, with its parameters, e.g. '/carts/me?webstore_id=...'.")],
    field: Annotated[
        list[str] | None,
        typer.Option("--field", "-f", help="Key=Value of a JSON body; a value that is JSON is taken as such."),
    ] = None,
    body: Annotated[
        Path | None, typer.Option("--file", help="Send this file as the body.", exists=True, dir_okay=False)
    ] = None,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'Name: value'. Repeatable.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Ask again until the service has finished its work.")] = False,
    select: Annotated[
        str | None, typer.Option(help="Write only this: records.0.Id; or of each in a list: lines.*.sku,price")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the reply to this file as it is.", dir_okay=False)
    ] = None,
    data: DataOption = None,
    as_json: JSONFlag = False,
) -> None:
    """Make any call of the service and write its reply; what it refuses ends with exit code 2 and the reason."""
    verb = method.upper()
    if verb not in _METHODS:
        raise UsageError(f"There is no method {method!r}; choose one of {', '.join(sorted(_METHODS))}.")
    if not path.startswith("/"):
        raise UsageError(f"The path begins with a slash: /{path}.")
    if (field or body) and verb in _NO_BODY:
        raise UsageError(f"{verb} takes no body; put parameters behind a `?` of the path.")
    if field and body:
        raise UsageError("Give the body by --field or by --file, not by both.")
    headers = dict(_header(text) for text in header or [])
    content = None
    if field:
        content = json.dumps(dict(_field(text) for text in field))
        headers.setdefault("Content-Type", "application/json")
    elif body:
        content = body.read_bytes()
        headers.setdefault("Content-Type", _TYPES.get(body.suffix.lower(), "application/octet-stream"))
    answer = run(_call(data, verb, path, content, headers, SystemClock() if wait else None))
    if output is not None:
        output.write_bytes(answer.body)
        return
    _write(answer, select, Terminal(as_json=as_json))


async def _call(
    folder: Path | None, method: str, path: str, content: bytes | None, headers: dict[str, str], clock: Clock | None
) -> Answer:
    async with Service(service_address(folder)) as service:
        answer = await service.call(method, path, content, headers)
        # `Retry-After` of a reply that is no refusal says: not finished, look again then. Where is told by Location;
        # what was read is read again.
        while clock is not None and answer.retry_after is not None and (answer.location or method == "GET"):
            await clock.sleep(min(answer.retry_after, _LONGEST_PAUSE))
            method, path = "GET", answer.location or path
            answer = await service.call(method, path, None, {})
        return answer


def _write(answer: Answer, select: str | None, terminal: Terminal) -> None:
    try:
        value = json.loads(answer.body) if answer.body else None
    except json.JSONDecodeError:
        if select is not None:
            raise UsageError("The reply is not JSON: nothing can be selected from it.") from None
        sys.stdout.buffer.write(answer.body)
        sys.stdout.flush()
        return
    if select is not None:
        for line in _rows(value, select):
            terminal.result(line)
    elif value is not None:
        terminal.result(json.dumps(value).decode() if terminal.as_json else json.dumps_indented(value))


def _rows(value: Any, select: str) -> list[str]:
    """Return one line for each thing selected; what stands behind a comma begins where the last star was."""
    first, *others = (path.strip() for path in select.split(","))
    stars = first.rpartition("*.")
    begun = stars[0] + stars[1]
    columns = [_selected(value, path.split(".")) for path in (first, *(begun + path for path in others))]
    if len({len(column) for column in columns}) > 1:
        raise UsageError("What is selected are lists of different length; select them one by one.")
    return ["\t".join(map(_text, row)) for row in zip(*columns, strict=True)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value).decode()


def _selected(value: Any, path: list[str]) -> list[Any]:
    if not path:
        return [value]
    first, rest = path[0], path[1:]
    match value:
        case None:
            # Nothing is there; a column of a list keeps its place.
            return [None]
        case list() if first == "*":
            return [found for item in value for found in _selected(item, rest)]
        case list() if first.isdigit() and int(first) < len(value):
            return _selected(value[int(first)], rest)
        case dict() if first in value:
            return _selected(value[first], rest)
        case dict():
            raise UsageError(f"The reply has no {first!r}; there is {', '.join(map(str, value)) or 'nothing'}.")
        case list():
            raise UsageError(f"The reply has a list of {len(value)} where {first!r} is asked for; say a place, or *.")
        case _:
            raise UsageError(f"The reply has nothing below {value!r} where {first!r} is asked for.")


def _field(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"--field takes Key=Value, not {text!r}.")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not name.strip() or not colon:
        raise UsageError(f"--header takes 'Name: value', not {text!r}.")
    return name.strip(), value.strip()
