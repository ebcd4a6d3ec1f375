"""JSON in and out of bytes, in one place and with one library."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
#: A value inside of a JSON text that is left as its bytes.
Raw = msgspec.Raw
#: What a text is read into when only its outside is of interest: annotate the inside as `Raw`.
Envelope = msgspec.Struct

#: A value that came from or goes to JSON at a boundary; shapes are checked where it is used.
JSON = Any

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
#: Decoders by the shape that they read; there are as many as shapes in the house.
_shaped: dict[Any, Any] = {}


class JSONDecodeError(ValueError):
    """The bytes are not JSON."""


def dumps(value: JSON) -> bytes:
    """Return compact UTF-8 JSON.

    Raises:
        TypeError: A value in it has no JSON form.
    """
    return _encoder.encode(value)


def dumps_indented(value: JSON) -> str:
    """Return JSON text for people: a line for each member, and every letter as it is."""
    return msgspec.json.format(_encoder.encode(value), indent=2).decode()


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


def loads_as(data: bytes, shape: type[T]) -> T:
    """Return the value that the JSON text stands for, in the shape that an `Envelope` gives it.

    Raises:
        JSONDecodeError: The text is not JSON, or not of that shape.
    """
    decoder = _shaped.get(shape)
    if decoder is None:
        decoder = _shaped[shape] = msgspec.json.Decoder(shape)
    try:
        value: T = decoder.decode(data)
        return value
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JSONDecodeError(str(error)) from error
    except RecursionError as error:
        raise JSONDecodeError("JSON is nested too deeply") from error
