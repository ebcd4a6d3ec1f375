"""`orgbridge emulator objects`: looks at, makes, changes and deletes objects and fields of a running emulated org."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from orgbridge.cli.context import JSONFlag, run
from orgbridge.cli.controls import DEFAULT_URL, Controls
from orgbridge.cli.errors import UsageError
from orgbridge.cli.terminal import Terminal
from orgbridge.kit import json

app = typer.Typer(name="objects", help="Objects and fields of a running emulated org.", no_args_is_help=True)

_URL = Annotated[str, typer.Option("--url", help="Address of the running emulated org.")]
_OPTIONS = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", help="KEY=VALUE, the value as JSON or as text, e.g. length=40, unique=true."),
]


def ask(
    url: str, method: str, path: str, body: json.JSON = None, params: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Use one control of the org and return its answer."""

    async def work() -> dict[str, Any]:
        async with Controls(url) as controls:
            return await controls.ask(method, path, body, params)

    return run(work())


def pairs(options: list[str]) -> dict[str, json.JSON]:
    """Return KEY=VALUE words as an object; a value that is JSON is taken as that, any other as text.

    Raises:
        UsageError: A word is none.
    """
    found: dict[str, json.JSON] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals:
            raise UsageError(f"{option!r} is not KEY=VALUE.")
        try:
            found[key] = json.loads(text)
        except json.JSONDecodeError:
            found[key] = text
    return found


@app.command("list")
def list_objects(url: _URL = DEFAULT_URL, as_json: JSONFlag = False) -> None:
    """List the objects that have something custom."""
    found = ask(url, "GET", "objects")
    terminal = Terminal(as_json=as_json)
    if terminal.as_json:
        terminal.document(found)
        return
    rows = [
        (one["name"], one["label"], "made here" if one["madeHere"] else "", ", ".join(one["customFields"]))
        for one in found["objects"]
    ]
    terminal.table(("object", "label", "", "custom fields"), rows)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="API name of an object.")],
    url: _URL = DEFAULT_URL,
    as_json: JSONFlag = False,
) -> None:
    """Show an object with its fields."""
    found = ask(url, "GET", f"objects/{quote(name, safe='')}")
    terminal = Terminal(as_json=as_json)
    if terminal.as_json:
        terminal.document(found)
        return
    rows = [(one["name"], one["type"], one.get("label") or "", _remarks(one)) for one in found["fields"]]
    terminal.table(("field", "type", "label", ""), rows)


def _remarks(field: Mapping[str, Any]) -> str:
    words = [word for word in ("unique", "externalId", "autoNumber", "calculated") if field.get(word)]
    return ", ".join([*words, *(f"to {name}" for name in field.get("referenceTo", ()))])


@app.command("create")
def create(
    name: Annotated[str | None, typer.Argument(help="API name of the new object, such as Engine__c.")] = None,
    options: _OPTIONS = None,
    file: Annotated[
        Path | None,
        typer.Option(help="JSON with an object, a describe reply, or a list of them.", exists=True, dir_okay=False),
    ] = None,
    url: _URL = DEFAULT_URL,
    as_json: JSONFlag = False,
) -> None:
    """Make an object, or all objects of a file; what was made is there at once."""
    if (name is None) == (file is None):
        raise UsageError("Name the new object, or give a file with --file.")
    body = _file(file) if file is not None else {"name": name, **pairs(options or [])}
    # A list is made whole or not at all.
    made = ask(url, "POST", "objects", body if isinstance(body, list) else [body])["objects"]
    terminal = Terminal(as_json=as_json)
    if terminal.as_json:
        terminal.document({"objects": made})
    else:
        terminal.note(f"made: {', '.join(one['name'] for one in made)}")


@app.command("field")
def field(
    sobject: Annotated[str, typer.Argument(help="API name of an object, custom or standard.")],
    name: Annotated[str | None, typer.Argument(help="API name of the new field, such as Serial__c.")] = None,
    options: _OPTIONS = None,
    file: Annotated[
        Path | None, typer.Option(help="JSON with a field or a list of fields.", exists=True, dir_okay=False)
    ] = None,
    url: _URL = DEFAULT_URL,
    as_json: JSONFlag = False,
) -> None:
    """Add a field to an object: `objects field Account Serial__c -o type=string -o length=40 -o unique=true`."""
    if (name is None) == (file is None):
        raise UsageError("Name the new field, or give a file with --file.")
    body = _file(file) if file is not None else {"name": name, **pairs(options or [])}
    path = f"objects/{quote(sobject, safe='')}/fields"
    made = ask(url, "POST", path, body if isinstance(body, list) else [body])["fields"]
    terminal = Terminal(as_json=as_json)
    if terminal.as_json:
        terminal.document({"fields": made})
    else:
        terminal.note(f"{sobject} has {', '.join(one['name'] for one in made)}")


@app.command("alter")
def alter(
    sobject: Annotated[str, typer.Argument(help="API name of an object.")],
    name: Annotated[str | None, typer.Argument(help="A field; without it the object itself is changed.")] = None,
    options: _OPTIONS = None,
    url: _URL = DEFAULT_URL,
    as_json: JSONFlag = False,
) -> None:
    """Change a custom field, or labels and record types of a custom object."""
    if not options:
        raise UsageError("Say what becomes different with --option KEY=VALUE.")
    changed = ask(url, "PATCH", _path(sobject, name), pairs(options))
    terminal = Terminal(as_json=as_json)
    if terminal.as_json:
        terminal.document(changed)
    else:
        terminal.note(f"{changed['name']} is changed")


@app.command("delete")
def delete(
    sobject: Annotated[str, typer.Argument(help="API name of an object.")],
    name: Annotated[str | None, typer.Argument(help="A field; without it the object goes with its rows.")] = None,
    url: _URL = DEFAULT_URL,
) -> None:
    """Delete a custom field with its values, or a custom object with its rows."""
    ask(url, "DELETE", _path(sobject, name))
    Terminal().note(f"{sobject if name is None else f'{sobject}.{name}'} is gone")


def _path(sobject: str, name: str | None) -> str:
    path = f"objects/{quote(sobject, safe='')}"
    return path if name is None else f"{path}/fields/{quote(name, safe='')}"


def _file(path: Path) -> json.JSON:
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} is no JSON: {error}.") from error
