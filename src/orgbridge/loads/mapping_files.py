"""Mappings as people write them: JSON, a CSV of two columns, or the `.sdl` of Data Loader."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any, Final

from orgbridge.loads.errors import BadMapping
from orgbridge.loads.mapping import MappingSpec, NullPolicy, Unmapped
from orgbridge.loads.normalising import Formats

#: Characters of a mapping.
MAPPING_CHARS: Final = 1_000_000
_FORMATS: Final = ("time_zone", "date_format", "datetime_format", "decimal_mark")
_KEYS: Final = frozenset({"columns", "constants", "nulls", "null_values", "unmapped", *_FORMATS})
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def read_mapping(text: str, name: str = "") -> MappingSpec:
    """Return the specification that a text holds.

    Args:
        text: JSON when it begins with `{`; else by the name's ending, `.sdl` or CSV (column, field); without a name,
            lines of `column=field` are an `.sdl`.
        name: Name of the file.

    Raises:
        BadMapping: It cannot be read.
    """
    if len(text) > MAPPING_CHARS:
        raise BadMapping(f"The mapping has more than {MAPPING_CHARS} characters.")
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        try:
            value = json.loads(text.lstrip("\ufeff"))
        except (json.JSONDecodeError, RecursionError) as error:
            raise BadMapping(f"The mapping is not JSON: {error}.") from None
        return spec_from_json(value)
    significant = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] not in "#!"]
    if name.lower().endswith(".sdl") or (not name and significant and all("=" in line for line in significant)):
        return read_sdl(text)
    return _read_csv(text)


def spec_of_options(
    *,
    mapping: str | Mapping[str, Any] | None = None,
    mapping_name: str = "",
    null_policy: str | Mapping[str, Any] | None = None,
    formats: Mapping[str, str | None] | None = None,
) -> MappingSpec | None:
    """Return what the options of a load say about columns and fields; None when they say nothing.

    Args:
        mapping: A mapping in any of its forms.
        mapping_name: Name of the file that it comes from.
        null_policy: `clear` for all columns, `Phone:clear,Fax:error,*:ignore`, or a mapping of columns to policies.
        formats: `time_zone`, `date_format`, `datetime_format`, `decimal_mark`.

    Raises:
        BadMapping: One of them cannot be read.
    """
    given = {name: value for name, value in (formats or {}).items() if value}
    if not mapping and not null_policy and not given:
        return None
    if isinstance(mapping, str) and mapping.strip():
        spec = read_mapping(mapping, mapping_name)
    elif mapping:
        spec = spec_from_json(mapping)
    else:
        spec = MappingSpec()
    if isinstance(null_policy, str):
        pairs = [pair.rpartition(":") for pair in null_policy.split(",") if pair.strip()]
        null_policy = {name.strip() or "*": policy.strip() for name, _, policy in pairs}
    said = spec.to_json()
    return spec_from_json({**said, **given, "nulls": {**said["nulls"], **(null_policy or {})}})


def spec_from_json(value: Any) -> MappingSpec:
    """Return the specification that a JSON object means.

    Shape: `{"columns": {column: field | [fields] | null}, "constants": {field: text}, "nulls": {column or field or "*":
    "ignore" | "clear" | "error"}, "null_values": [texts], "unmapped": "match" | "leave_out", "time_zone",
    "date_format", "datetime_format", "decimal_mark"}`. An object without any of these keys maps columns to fields.

    Raises:
        BadMapping: It has another shape.
    """
    if not isinstance(value, Mapping):
        raise BadMapping("The mapping must be a JSON object.")
    if not _KEYS.intersection(value):
        value = {"columns": value}
    unknown = sorted(map(str, set(value) - _KEYS))
    if unknown:
        raise BadMapping(f"The mapping has {unknown[0][:100]!r}; it may have {', '.join(sorted(_KEYS))}.")
    columns = {name: _fields(name, fields) for name, fields in _object(value, "columns").items()}
    constants = {name: _text(name, text) for name, text in _object(value, "constants").items()}
    given = value.get("null_values", [])
    if not isinstance(given, list | tuple) or any(not isinstance(text, str) for text in given):
        raise BadMapping("null_values must be a list of texts.")
    formats = {name: value[name] for name in _FORMATS if value.get(name) is not None}
    if any(not isinstance(text, str) for text in formats.values()):
        raise BadMapping(f"{', '.join(_FORMATS)} must be texts.")
    try:
        nulls = {name: NullPolicy(policy) for name, policy in _object(value, "nulls").items()}
        unmapped = Unmapped(value.get("unmapped", Unmapped.MATCH))
    except (ValueError, TypeError):
        raise BadMapping("A null policy is ignore, clear or error; unmapped is match or leave_out.") from None
    return MappingSpec(
        columns=columns,
        constants=constants,
        nulls=nulls,
        null_values=tuple(given),
        unmapped=unmapped,
        formats=Formats(**formats),
    )


def read_sdl(text: str) -> MappingSpec:
    """Return what a mapping file of Data Loader means: a Java properties file of `column=Field`.

    A column may go to several fields, separated by commas; a column without a field is left out; a key in double quotes
    is a constant. Columns that it does not name are left out, as Data Loader leaves them.

    Raises:
        BadMapping: A line has no key.
    """
    columns: dict[str, tuple[str, ...]] = {}
    constants: dict[str, str] = {}
    for key, value in _properties(text.lstrip("\ufeff")):
        if not key:
            raise BadMapping("A line of the mapping has no column.")
        names = tuple(name.strip() for name in value.split(",") if name.strip())
        if len(key) > 1 and key[0] == key[-1] == '"':
            constants |= dict.fromkeys(names, key[1:-1])
        else:
            columns[key] = names
    return MappingSpec(columns=columns, constants=constants, unmapped=Unmapped.LEAVE_OUT)


def _properties(text: str) -> list[tuple[str, str]]:
    """Return keys and values of a Java properties file. Source: java.util.Properties.load."""
    logical: list[str] = []
    held = ""
    for line in text.splitlines():
        stripped = line.lstrip(" \t\f")
        if not held and (not stripped or stripped[0] in "#!"):
            continue
        body = held + stripped
        if (len(body) - len(body.rstrip("\\"))) % 2:
            held = body[:-1]
            continue
        logical.append(body)
        held = ""
    if held:
        logical.append(held)
    return [_property(line) for line in logical]


def _property(line: str) -> tuple[str, str]:
    place = 0
    quoted = line.startswith('"')
    while place < len(line):
        char = line[place]
        if char == "\\":
            place += 2
            continue
        if quoted and place and char == '"':
            quoted = False
        elif not quoted and char in "=: \t\f":
            break
        place += 1
    rest = line[place:].lstrip(" \t\f")
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(" \t\f")
    return _unescaped(line[:place]), _unescaped(rest)


def _unescaped(text: str) -> str:
    out: list[str] = []
    place = 0
    while place < len(text):
        char = text[place]
        if char != "\\" or place + 1 == len(text):
            out.append(char)
            place += 1
            continue
        code = text[place + 1]
        digits = text[place + 2 : place + 6]
        if code == "u" and len(digits) == 4 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
            out.append(chr(int(digits, 16)))
            place += 6
            continue
        out.append(_ESCAPES.get(code, code))
        place += 2
    return "".join(out)


def _read_csv(text: str) -> MappingSpec:
    try:
        rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), strict=True))
    except csv.Error as error:
        raise BadMapping(f"The mapping is no CSV: {error}.") from None
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if rows and [cell.strip().lower() for cell in rows[0]] == ["column", "field"]:
        rows = rows[1:]
    if not rows or any(len(row) != 2 for row in rows):
        raise BadMapping("The mapping must be JSON, an .sdl file, or a CSV with the columns column and field.")
    columns: dict[str, tuple[str, ...]] = {}
    for column, name in rows:
        columns[column] = (*columns.get(column, ()), name.strip()) if name.strip() else ()
    return MappingSpec(columns=columns)


def _object(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key) or {}
    if not isinstance(found, Mapping):
        raise BadMapping(f"{key} must be a JSON object.")
    return found


def _fields(column: str, value: Any) -> tuple[str, ...]:
    match value:
        case None | "":
            return ()
        case str():
            return (value,)
        case list() if all(isinstance(name, str) for name in value):
            return tuple(value)
        case _:
            raise BadMapping(f"The column {column!r} must go to a field, a list of fields, or null.")


def _text(name: str, value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case None:
            return "#N/A"
        case _:
            raise BadMapping(f"The constant of {name!r} must be a text, a number, true, false or null.")
