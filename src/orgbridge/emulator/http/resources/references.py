"""References of one subrequest to the result of another: `@{NewAccount.id}`, `@{q.records[0].Id}`.

Pure: results in, values out. Source: facts/salesforce/composite.md section 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

from orgbridge.kit.json import JSON

_REFERENCE = re.compile(r"@\{([^{}]*)\}")
#: The same as clients' libraries of addresses write it. Assumed: a real org reads it too; aiosalesforce counts on it.
_ENCODED = re.compile(r"(?:@|%40)(?:\{|%7B)((?:[A-Za-z0-9_.\[\]]|%5B|%5D)*)(?:\}|%7D)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*\Z")
_PATH = re.compile(r"([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d{1,9}\])+)\Z")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")
#: First version in which a field that is null is passed on as null. Source: composite.md section 1.
_NULL_SINCE = 52


class BadReferenceError(Exception):
    """A reference leads nowhere; its text is what the subrequest is told."""

    def __init__(self, path: str, name: str) -> None:
        # Source: composite.md section 1, with the path where the recorded text has `ref.id`.
        super().__init__(
            f"Invalid reference specified. No value for {path} found in {name}. Provided referenceId ('{path}') must "
            "start with a letter or a number, and it can contain only letters, numbers and underscores ('_')."
        )


def is_reference_id(text: object) -> bool:
    """Tell whether a subrequest may have this id."""
    return isinstance(text, str) and _NAME.match(text) is not None


def names_in(value: JSON) -> Iterator[str]:
    """Yield the ids that the references in a URL or a body point to."""
    if isinstance(value, str):
        for path in _REFERENCE.findall(value):
            yield re.split(r"[.\[]", path, maxsplit=1)[0]
    elif isinstance(value, dict):
        for inner in value.values():
            yield from names_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names_in(inner)


def plain_url(url: str) -> str:
    """Return a URL whose references are all written plainly; the rest of it stays percent-encoded."""
    return _ENCODED.sub(lambda m: f"@{{{unquote(m.group(1))}}}", url)


def fill_url(url: str, results: Mapping[str, JSON], version: int) -> str:
    """Return a URL with the values in place of its references, percent-encoded unless the reference is all of it.

    Args:
        url: As sent.
        results: Bodies of the earlier subrequests that succeeded, by id.
        version: API version of the whole call.

    Raises:
        BadReferenceError: A reference leads nowhere.
    """
    whole = _REFERENCE.fullmatch(url)
    if whole:
        return _text(_look_up(whole.group(1), results, version))
    return _REFERENCE.sub(lambda m: quote(_text(_look_up(m.group(1), results, version)), safe=""), url)


def fill(value: JSON, results: Mapping[str, JSON], version: int) -> JSON:
    """Return a body with the values in place of its references.

    A text that is nothing but a reference becomes the value itself, with its type.

    Raises:
        BadReferenceError: A reference leads nowhere.
    """
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return _look_up(whole.group(1), results, version)
        return _REFERENCE.sub(lambda m: _text(_look_up(m.group(1), results, version)), value)
    if isinstance(value, dict):
        return {key: fill(inner, results, version) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, results, version) for inner in value]
    return value


def _look_up(path: str, results: Mapping[str, JSON], version: int) -> JSON:
    found = _PATH.match(path)
    if found is None or found.group(1) not in results:
        raise BadReferenceError(path, re.split(r"[.\[]", path, maxsplit=1)[0])
    name = found.group(1)
    value = results[name]
    for step in _STEP.finditer(found.group(2)):
        key, index = step.groups()
        if key is not None and isinstance(value, dict) and key in value:
            value = value[key]
        elif index is not None and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            raise BadReferenceError(path, name)
    if value is None and version < _NULL_SINCE:
        raise BadReferenceError(path, name)
    return value


def _text(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case _:
            return str(value)
