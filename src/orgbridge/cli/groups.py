"""Groups of commands that are imported when they are called.

`orgbridge emulator serve` must answer within a second: it can wait neither for the HTTP client of `load` nor for the
settings of `up`. So a group knows its commands by the names of their modules only; help imports them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, ClassVar, cast

import typer

# Typer carries its own click, whose types are those of its groups.
from typer._click import Command
from typer.core import TyperGroup


class _Commands(Mapping[str, Command]):
    """Commands by name, each imported when it is looked up."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, name: str) -> Command:
        module, _, attribute = self._places[name].partition(":")
        found = getattr(import_module(f"orgbridge.cli.commands.{module}"), attribute)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(cast(Callable[..., Any], found))
        return typer.main.get_command(alone)


class LazyGroup(TyperGroup):
    """A group whose table names the commands, in the order of the help."""

    #: Name of each command, and where it is: `module:attribute`, the module one of `orgbridge.cli.commands`. The
    #: attribute is a function, or a `typer.Typer` with commands of its own.
    table: ClassVar[Mapping[str, str]]

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        # A group that takes its commands from a table is never added to.
        self.commands = cast(MutableMapping[str, Command], _Commands(self.table))
