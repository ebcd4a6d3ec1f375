"""What is shown in place of a value that a policy masks."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from orgbridge.kit.json import dumps
from orgbridge.services.policies.model import Mask

_FULL = "********"
_SHOWN_CHARS = 4
_HASH_CHARS = 32

#: Gives the masks of an object by field in lower case: the form, and the key of `hash`.
MasksOf = Callable[[str], Mapping[str, tuple[Mask, str]]]


def masked(value: Any, mask: Mask, hash_key: str) -> Any:
    """Return what stands in place of a value. Null stays null, so that whether there is a value can be seen.

    A value that is no text keeps no part of itself: it is null unless it is hashed.
    """
    if value is None:
        return None
    match mask:
        case Mask.NULL:
            return None
        case Mask.HASH:
            return hmac.new(hash_key.encode(), dumps(value), hashlib.sha256).hexdigest()[:_HASH_CHARS]
        case Mask.FULL:
            return _FULL if isinstance(value, str) else None
        case Mask.LAST4:
            if not isinstance(value, str):
                return None
            # A short text would be shown whole, or nearly.
            return _FULL + (value[-_SHOWN_CHARS:] if len(value) >= 2 * _SHOWN_CHARS else "")
        case _:
            assert_never(mask)


def mask_records(value: Any, masks_of: MasksOf) -> Any:
    """Return records of Salesforce with masked values, also those inside of others, told by their `attributes.type`."""
    if isinstance(value, list):
        return [mask_records(item, masks_of) for item in value]
    if not isinstance(value, Mapping):
        return value
    attributes = value.get("attributes")
    kind = attributes.get("type") if isinstance(attributes, Mapping) else None
    masks = masks_of(str(kind)) if kind else {}
    shown: dict[str, Any] = {}
    for name, item in value.items():
        mask = masks.get(name.lower())
        if name == "attributes":
            shown[name] = item
        elif mask is not None:
            shown[name] = masked(item, *mask)
        else:
            shown[name] = mask_records(item, masks_of)
    return shown


def types_in(value: Any) -> set[str]:
    """Return the objects that records of Salesforce belong to, those inside of others included."""
    found: set[str] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, Mapping):
            attributes = item.get("attributes")
            if isinstance(attributes, Mapping) and attributes.get("type"):
                found.add(str(attributes["type"]))
            stack.extend(inner for name, inner in item.items() if name != "attributes")
    return found
