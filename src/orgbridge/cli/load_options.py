"""What the command line says about a load's input, as options of the service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orgbridge.cli.errors import UsageError
from orgbridge.loads.errors import BadMapping
from orgbridge.loads.mapping import MappingSpec
from orgbridge.loads.mapping_files import read_mapping, spec_from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions:
    """Columns, formats and checks, as the options say them."""

    mapping: Path | None = None
    maps: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    null_policy: str | None = None
    time_zone: str | None = None
    date_format: str | None = None
    datetime_format: str | None = None
    decimal_mark: str | None = None
    sheet: str | None = None
    part_rows: int | None = None
    strict: bool = False
    preflight: bool = False
    #: How the load is carried out: canary, row_retry, ...
    handling: Mapping[str, Any] = field(default_factory=dict)

    def params(self) -> dict[str, Any]:
        """Return the options that were given, as JSON.

        Raises:
            UsageError: The mapping file cannot be read, or an option has the wrong shape.
        """
        texts = {
            "null_policy": self.null_policy,
            "time_zone": self.time_zone,
            "date_format": self.date_format,
            "datetime_format": self.datetime_format,
            "decimal_mark": self.decimal_mark,
            "sheet": self.sheet,
        }
        params: dict[str, Any] = {name: value for name, value in texts.items() if value is not None}
        if self.part_rows is not None:
            params["part_rows"] = self.part_rows
        params |= {name: True for name in ("strict", "preflight") if getattr(self, name)}
        if (spec := self._spec()) is not None:
            params["mapping"] = spec.to_json()
        return params | dict(self.handling)

    def _spec(self) -> MappingSpec | None:
        if self.mapping is None and not self.maps and not self.constants:
            return None
        try:
            said = self._file().to_json()
            said["columns"] |= {name: field or None for name, field in map(_pair, self.maps)}
            said["constants"] |= dict(map(_pair, self.constants))
            return spec_from_json(said)
        except BadMapping as error:
            raise UsageError(error.message) from error

    def _file(self) -> MappingSpec:
        if self.mapping is None:
            return MappingSpec()
        try:
            return read_mapping(self.mapping.read_text(encoding="utf-8"), self.mapping.name)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The mapping {self.mapping} cannot be read: {error}.") from error


def as_query(params: dict[str, Any]) -> dict[str, str]:
    """Return options as texts of a query."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        for name, value in params.items()
    }


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{text!r} must be like Column=Field.")
    return name, value
