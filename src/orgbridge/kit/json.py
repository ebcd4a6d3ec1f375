"""JSON in and out of bytes, in one place and with one library."""

from __future__ import annotations

import json
from typing import Any

import msgspec

#: A value that came from or goes to JSON at a boundary; shapes are checked where it is used.
JSON = Any

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class JSONDecodeError(ValueError):
    """The bytes are not JSON."""


def dumps(value: JSON) -> bytes:
    """Return compact UTF-8 JSON.

    Raises:
        TypeError: A value in it has no JSON form.
    """
    return _encoder.encode(value)


def dumps_sorted(value: JSON) -> str:
    """Return JSON text that is the same for the same value: keys sorted, no spaces, nothing but ASCII.

    Raises:
        TypeError: A value in it has no JSON form.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def loads(data: bytes | str) -> JSON:
    """Return the value that the JSON text stands for.

    Raises:
        JSONDecodeError: The text is not JSON, and the message names the byte; or it is nested too deeply.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JSONDecodeError(str(error)) from error
    except RecursionError as error:
        raise JSONDecodeError("JSON is nested too deeply") from error
