r"""Values to SOQL literals, so that no caller ever glues text into a query.

Source: facts/salesforce/soql.md section 2: escapes `\n \r \t \b \f \" \' \\`, in LIKE also `\_ \%`; dates and instants
stand without quotes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TypeAlias

from orgbridge.soql.dateliterals import COUNTED_LITERALS
from orgbridge.soql.errors import UnboundName, UnquotableValue
from orgbridge.soql.tokens import TokenKind, tokenize
from orgbridge.wire.dates import EARLIEST, LATEST, bulk_datetime

#: What can stand in a query as a literal.
Scalar: TypeAlias = str | int | float | Decimal | bool | date | datetime | time | None
#: What can be bound: a scalar, or many for IN.
Bindable: TypeAlias = Scalar | list[Scalar] | tuple[Scalar, ...]

_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", '"': '\\"'}
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPECIAL = re.compile(r"[\\'\n\r\t\b\f\"]")


def quote(value: Scalar) -> str:
    """Return the SOQL literal of a value.

    Args:
        value: Text of any characters; a finite number; a date from 1700 to 4000; an aware instant (cut to
            milliseconds); a time of day without zone (cut likewise); a truth value; or None.

    Raises:
        UnquotableValue: SOQL has no literal for it: an infinite number, an instant without a time zone, a date out of
            range, or a type it does not know.
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            if _SURROGATE.search(value):
                raise UnquotableValue("Text with half a character (a lone surrogate) has no SOQL literal.")
            return "'" + _SPECIAL.sub(lambda found: _ESCAPES[found.group()], value) + "'"
        case int():
            return int.__repr__(value)
        case float() | Decimal():
            if not math.isfinite(value):
                raise UnquotableValue(f"{value} has no SOQL literal: numbers must be finite.")
            return float.__repr__(value) if isinstance(value, float) else str(value)
        case datetime():
            if value.tzinfo is None:
                raise UnquotableValue("An instant needs a time zone to become a SOQL literal.")
            _check_range(value.date())
            return bulk_datetime(value)
        case date():
            _check_range(value)
            return value.isoformat()
        case time():
            if value.tzinfo is not None:
                raise UnquotableValue("A time of day with a time zone has no SOQL literal.")
            return f"{value.isoformat('milliseconds')}Z"
        case _:
            raise UnquotableValue(f"A {type(value).__name__} has no SOQL literal.")


def quote_like(text: str, *, before: str = "", after: str = "") -> str:
    """Return the literal of a LIKE pattern in which the text stands for itself.

    Args:
        text: Matched as it is; `%` and `_` in it are escaped.
        before: Wildcards to put before the text, `%` or `_`.
        after: Wildcards to put after it.
    """
    body = quote(text)[1:-1].replace("%", "\\%").replace("_", "\\_")
    return f"'{before}{body}{after}'"


def bind(soql: str, values: Mapping[str, Bindable]) -> str:
    """Return the query with every `:name` replaced by the literal of its value.

    A list or tuple becomes `(a, b)` for IN. Text inside quotes is left alone. Nothing is re-parsed after the
    replacement, so a value can never become part of the grammar.

    Raises:
        UnboundName: A name has no value, a value has no name, or an empty list was given.
        UnquotableValue: A value has no literal.
        MalformedQuery: The text cannot be read as tokens.
    """
    tokens = tokenize(soql)
    out: list[str] = []
    used: set[str] = set()
    copied = 0
    for index in range(len(tokens) - 1):
        colon, name = tokens[index], tokens[index + 1]
        if colon.text != ":" or name.kind is not TokenKind.WORD:
            continue
        if name.text not in values:
            raise UnboundName(f"No value was given for :{name.text}.")
        used.add(name.text)
        counted = index > 0 and tokens[index - 1].upper in COUNTED_LITERALS
        out += [soql[copied : colon.start], ":" if counted else "", _literal(name.text, values[name.text])]
        copied = name.end
    unused = sorted(set(values) - used)
    if unused:
        raise UnboundName(f"The query has no :{unused[0]}.")
    return "".join(out) + soql[copied:]


def _literal(name: str, value: Bindable) -> str:
    if not isinstance(value, list | tuple):
        return quote(value)
    if not value:
        raise UnboundName(f"The list for :{name} is empty; SOQL has no empty list.")
    return "(" + ", ".join(quote(item) for item in value) + ")"


def _check_range(day: date) -> None:
    if not EARLIEST <= day <= LATEST:
        raise UnquotableValue(f"{day.isoformat()} lies outside {EARLIEST} to {LATEST}.")
