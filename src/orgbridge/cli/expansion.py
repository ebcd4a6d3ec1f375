"""Options that several commands share, as one dataclass: a decorator makes parameters of its fields."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Options = TypeVar("_Options", bound="DataclassInstance")
_Own = ParamSpec("_Own")


def expanded(
    options: type[_Options],
) -> Callable[[Callable[Concatenate[_Options, _Own], None]], Callable[..., None]]:
    """Return a decorator for a command whose first parameter is the dataclass: typer sees the fields instead.

    Args:
        options: A dataclass whose fields are annotated as parameters of a command are.
    """

    def decorate(command: Callable[Concatenate[_Options, _Own], None]) -> Callable[..., None]:
        call: Callable[..., None] = command

        @functools.wraps(command)
        def expansion(**given: Any) -> None:
            chosen = options(**{field.name: given.pop(field.name) for field in fields(options)})
            call(chosen, **given)

        hints = get_type_hints(options, include_extras=True)
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        parameters = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                annotation=hints[field.name],
            )
            for field in fields(options)
        ]
        parameters += [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        # Typer reads both; what `wraps` copied are those of the command itself.
        expansion.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        vars(expansion)["__signature__"] = inspect.Signature(parameters)
        return expansion

    return decorate
