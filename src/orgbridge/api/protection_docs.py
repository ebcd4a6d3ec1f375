"""What keys and limits add to the API document: headers and replies that no route declares itself."""

from __future__ import annotations

from typing import Any

from orgbridge.api.traffic import Traffic

#: An extension and no parameter: programs that try an API by its document would draw one key for all their calls, and
#: be told, rightly, that it was used before.
_KEY = "Takes Idempotency-Key: the same call with the same key is done once; later ones get the first one's reply."
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_WORDS = {
    "400": "The request cannot be carried out as it stands",
    "409": "It conflicts with the present state, or with a request under the same Idempotency-Key",
    "429": "A limit is used up",
}
_HEADERS = {
    "RateLimit": {"description": "What is left of a limit.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The limit.", "schema": {"type": "string"}},
}


def declare_protection(document: dict[str, Any], prefix: str) -> None:
    """Add the key's header, and the replies that keys and limits bring, to every call that they are about."""
    traffic = Traffic(prefix=prefix)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if traffic.kind(method.upper(), path) is None:
                continue
            replies = operation.setdefault("responses", {})
            wanted = ["429"]
            if traffic.changes(method.upper(), path):
                operation["x-idempotency-key"] = _KEY
                wanted += ["400", "409"]
            for status in wanted:
                replies.setdefault(status, {"description": _WORDS[status], "content": _PROBLEM})
            for status, reply in replies.items():
                if status[0] in "24":
                    reply.setdefault("headers", {}).update(_HEADERS)
