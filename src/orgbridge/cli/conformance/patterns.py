"""What a reply must look like, written as JSON: itself, or a word for what changes from run to run.

    "$id" "$datetime" "$date" "$string" "$integer" "$number" "$boolean" "$any"   a value of that kind
    "~EXPRESSION"        text that matches the regular expression as a whole
    {"...": true, ...}   an object that may have other keys as well
    [..., "..."]         a list that may go on

Anything else stands for itself; in objects the order of keys does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from orgbridge.kit.json import JSON

_OPEN = "..."
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Z0-5]{3})\Z")
#: As REST and Bulk write it. Source: facts/salesforce/ids-and-types.md.
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:\+0000|Z)\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_SHOWN_CHARS = 160


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_WORDS: dict[str, Callable[[JSON], bool]] = {
    "$any": lambda value: True,
    "$id": lambda value: isinstance(value, str) and _ID.match(value) is not None,
    "$datetime": lambda value: isinstance(value, str) and _DATETIME.match(value) is not None,
    "$date": lambda value: isinstance(value, str) and _DATE.match(value) is not None,
    "$string": lambda value: isinstance(value, str) and value != "",
    "$integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "$number": _is_number,
    "$boolean": lambda value: isinstance(value, bool),
}


def shown(value: JSON) -> str:
    """Return a value cut to what fits into a line."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."


def mismatch(pattern: JSON, value: JSON, where: str = "body") -> str | None:
    """Return in one sentence where the value differs from the pattern, or None when it fits.

    Args:
        pattern: See the module's text.
        value: What was answered.
        where: What the value is called in the sentence.
    """
    match pattern:
        case dict():
            return _object(pattern, value, where)
        case list():
            return _list(pattern, value, where)
        case str() if pattern in _WORDS:
            return None if _WORDS[pattern](value) else f"{where} is {shown(value)}, not a {pattern[1:]}"
        case str() if pattern.startswith("~"):
            fits = isinstance(value, str) and re.fullmatch(pattern[1:], value, re.DOTALL) is not None
            return None if fits else f"{where} is {shown(value)}, which does not match {pattern[1:]!r}"
    same = type(pattern) is type(value) or (_is_number(pattern) and _is_number(value))
    return None if same and pattern == value else f"{where} is {shown(value)}, not {shown(pattern)}"


def _object(pattern: Mapping[str, JSON], value: JSON, where: str) -> str | None:
    if not isinstance(value, dict):
        return f"{where} is {shown(value)}, not an object"
    wanted = {key: inner for key, inner in pattern.items() if key != _OPEN}
    if missing := [key for key in wanted if key not in value]:
        return f"{where} lacks {', '.join(missing)}"
    if _OPEN not in pattern and (more := [key for key in value if key not in wanted]):
        return f"{where} has {', '.join(more)} as well"
    for key, inner in wanted.items():
        if (found := mismatch(inner, value[key], f"{where}.{key}")) is not None:
            return found
    return None


def _list(pattern: list[JSON], value: JSON, where: str) -> str | None:
    if not isinstance(value, list):
        return f"{where} is {shown(value)}, not a list"
    wanted = pattern[:-1] if pattern and pattern[-1] == _OPEN else pattern
    if len(value) < len(wanted) or (wanted is pattern and len(value) != len(wanted)):
        return f"{where} has {len(value)} items, not {len(wanted)}: {shown(value)}"
    for place, inner in enumerate(wanted):
        if (found := mismatch(inner, value[place], f"{where}[{place}]")) is not None:
            return found
    return None
