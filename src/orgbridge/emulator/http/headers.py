"""Request headers of Salesforce's own: which are taken, which are refused, and what they may say.

Source: facts/salesforce/rest.md section 4. Assumed: that a value out of form is refused, and the code and text of it;
that a header nobody knows is refused, where a real org ignores it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from orgbridge.emulator.schema.errors import SFError
from orgbridge.wire.ids import is_id

_JSON_ENOUGH = ("*/*", "application/json", "application/*", "text/csv", "text/*", "text/plain")
_OPTION = re.compile(r"\s*([A-Za-z]+)\s*=\s*([^;,]*?)\s*\Z")
_FLAGS = ("true", "false")
#: Words of the header that lets alert-only duplicates be saved.
_DUPLICATE_WORDS = frozenset({"allowsave", "includerecorddetails", "runascurrentuser"})
#: Headers whose value is looked at elsewhere, or says nothing that this org could do otherwise.
_PASSED = frozenset({"sforce-query-options", "sforce-limit-info"})


def check_headers(headers: Mapping[str, str], *, kinds: tuple[str, ...] = ()) -> None:
    """Refuse headers that would change what the call means and that this org cannot honour.

    Args:
        headers: Of the request, or of a subrequest; names in lower case.
        kinds: Kinds of reply that may be wanted beside JSON.

    Raises:
        SFError: Such a header is there, or a known one says what it cannot.
    """
    for name in headers:
        if name.startswith("x-sfdc-packageversion-") or (name.startswith("sforce-") and not _is_taken(name, headers)):
            raise SFError("FUNCTIONALITY_NOT_ENABLED", f"The emulated org does not know the header {name}", 403)
    accept = headers.get("accept")
    if accept and not any(kind in accept.lower() for kind in (*_JSON_ENOUGH, *kinds)):
        raise SFError("NOT_ACCEPTABLE", f"The emulated org cannot answer as {accept}", 406)


def _is_taken(name: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a header of Salesforce's is known; what it says is looked at.

    Raises:
        SFError: It says what it cannot.
    """
    text = headers[name].strip()
    match name:
        case "sforce-auto-assign":
            # The emulated org has no active assignment rules: with or without them nothing else happens.
            good = text.lower() in _FLAGS or is_id(text)
        case "sforce-duplicate-rule-header":
            good = all(key in _DUPLICATE_WORDS and value.lower() in _FLAGS for key, value in options(text, ";"))
        case "sforce-mru":
            good = [(key, value.lower() in _FLAGS) for key, value in options(text, ";")] == [("updatemru", True)]
        case "sforce-call-options":
            # There are no namespaces in the emulated org, so a default one changes no name.
            good = all(key in ("client", "defaultnamespace") for key, _ in options(text, ","))
        case "sforce-line-ending":
            # A Bulk header that aiosalesforce sends with every call; Bulk 2.0 jobs say their line ending themselves.
            return text.upper() == "LF"
        case _:
            return name in _PASSED
    if not good:
        raise SFError("INVALID_HEADER", f"The header {name} says {text!r}, which is not understood", 400)
    return True


def options(text: str, separator: str) -> list[tuple[str, str]]:
    """Return the `key=value` pairs of a header, keys in lower case; one that is no pair has the key `""`."""
    pairs = []
    for piece in filter(str.strip, text.split(separator)):
        found = _OPTION.match(piece)
        pairs.append((found.group(1).lower(), found.group(2)) if found else ("", piece))
    return pairs
