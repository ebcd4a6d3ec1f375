"""The policy of a role from its JSON form. What is wrong is told with its path and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

from orgbridge.services.policies.errors import PolicyInvalid
from orgbridge.services.policies.model import Mask, ObjectRule, Operation, RolePolicy
from orgbridge.soql import SOQLError, parse, tree, walk
from orgbridge.wire.bulk import IngestOperation

#: What a forced WHERE may ask of the caller.
BINDS = (
    "caller.user_id",
    "caller.username",
    "caller.sf_username",
    "caller.organizations",
    "caller.plants",
    "caller.machines",
)
_ROLE_KEYS = ("objects", "deny", "max_rows", "max_export_rows", "jobs", "hash_key")
_OBJECT_KEYS = (
    "operations", "loads", "hidden", "visible", "read_only", "masked", "derived", "where", "unchecked_writes",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}\Z")
_MIN_HASH_KEY_CHARS = 16
#: Fields that cannot be kept back: every reply of Salesforce names them in `attributes`.
_ALWAYS_SHOWN = "id"
_E = TypeVar("_E", bound=StrEnum)


def parse_policy(policy: Mapping[str, Any]) -> RolePolicy:
    """Return the policy that a JSON object describes; `docs/policies.md` says what may stand in it.

    Raises:
        PolicyInvalid: Something is missing, unknown or of the wrong form; the error names the path and the mend.
    """
    _check_keys("", policy, _ROLE_KEYS)
    objects = _mapping("objects", policy.get("objects", {}))
    rules: dict[str, ObjectRule] = {}
    for name, rule in objects.items():
        path = f"objects.{name}"
        if name != "*" and not _NAME.match(name):
            raise PolicyInvalid(path, "is no API name of an object; write for example Account, or * for all others")
        if name.lower() in rules:
            raise PolicyInvalid(path, "the object is named twice; keep one of them")
        rules[name.lower()] = _rule(path, _mapping(path, rule))
    jobs = policy.get("jobs", "own")
    if jobs not in ("own", "all"):
        raise PolicyInvalid("jobs", 'must be "own" or "all"')
    hash_key = policy.get("hash_key", "")
    hashes = any(mask is Mask.HASH for rule in rules.values() for _, mask in rule.masked)
    if not isinstance(hash_key, str) or (hashes and len(hash_key) < _MIN_HASH_KEY_CHARS):
        raise PolicyInvalid(
            "hash_key", f"the mask hash needs a key of {_MIN_HASH_KEY_CHARS} or more characters, else it can be guessed"
        )
    others = rules.pop("*", None)
    if others is not None and others.where is not None:
        raise PolicyInvalid("objects.*.where", "a condition belongs to one object; give each object its own")
    return RolePolicy(
        objects=rules,
        others=others,
        deny=_names("deny", policy.get("deny", [])),
        max_rows=_cap("max_rows", policy.get("max_rows")),
        max_export_rows=_cap("max_export_rows", policy.get("max_export_rows")),
        all_jobs=jobs == "all",
        hash_key=hash_key,
    )


def _rule(path: str, rule: Mapping[str, Any]) -> ObjectRule:
    _check_keys(path, rule, _OBJECT_KEYS)
    if "operations" not in rule and "loads" not in rule:
        raise PolicyInvalid(f"{path}.operations", 'is missing: list what is allowed, for example ["read", "query"]')
    masked = {
        name.lower(): _word(f"{path}.masked.{name}", form, Mask)
        for name, form in _mapping(f"{path}.masked", rule.get("masked", {})).items()
    }
    hidden = _names(f"{path}.hidden", rule.get("hidden", []))
    for kept, key in ((hidden, "hidden"), (masked, "masked")):
        if _ALWAYS_SHOWN in kept:
            raise PolicyInvalid(f"{path}.{key}", "Id cannot be kept back: deny the object, or its rows by where")
    unchecked = rule.get("unchecked_writes", [])
    return ObjectRule(
        operations=frozenset(_words(f"{path}.operations", rule.get("operations", []), Operation)),
        loads=frozenset(_words(f"{path}.loads", rule.get("loads", []), IngestOperation)),
        hidden=hidden,
        visible=_names(f"{path}.visible", rule["visible"]) if rule.get("visible") is not None else None,
        read_only=_names(f"{path}.read_only", rule.get("read_only", [])),
        masked=tuple(sorted(masked.items())),
        derived=_names(f"{path}.derived", rule.get("derived", [])),
        where=_where(f"{path}.where", rule["where"]) if rule.get("where") is not None else None,
        unchecked=frozenset(_words(f"{path}.unchecked_writes", unchecked, IngestOperation)),
    )


def _where(path: str, text: Any) -> tree.Condition:
    if not isinstance(text, str) or not text.strip():
        raise PolicyInvalid(path, "must be the text of a SOQL condition, for example Region__c = 'West'")
    head = "SELECT Id FROM X WHERE "
    try:
        query = parse(head + text, allow_binds=True)
    except SOQLError as error:
        place = f" at character {error.position - len(head) + 1}" if error.position is not None else ""
        raise PolicyInvalid(path, f"is no SOQL condition{place}: {error.reason}") from error
    plain = tree.Query(select=query.select, sources=query.sources, where=query.where)
    if query.where is None or query != plain:
        raise PolicyInvalid(path, "must be a condition alone, without ORDER BY, LIMIT or another clause")
    for node in walk(query.where):
        if isinstance(node, tree.Bind) and node.name.lower() not in BINDS:
            known = ", ".join(f":{name}" for name in BINDS)
            raise PolicyInvalid(path, f"there is no :{node.name}; there are {known}")
        if isinstance(node, tree.Query) and (isinstance(node.limit, tree.Bind) or isinstance(node.offset, tree.Bind)):
            raise PolicyInvalid(path, "LIMIT and OFFSET of a subquery take numbers only")
    return query.where


def _check_keys(path: str, value: Mapping[str, Any], known: Collection[str]) -> None:
    for key in value:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
            raise PolicyInvalid(f"{path}.{key}" if path else str(key), f"is unknown{hint}")


def _mapping(path: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise PolicyInvalid(path, "must be a JSON object")
    return value


def _list(path: str, value: Any, check: Callable[[str, str], str]) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise PolicyInvalid(path, 'must be a list of texts, for example ["Name"]')
    return [check(f"{path}[{number}]", item) for number, item in enumerate(value)]


def _names(path: str, value: Any) -> frozenset[str]:
    def check(place: str, name: str) -> str:
        if not _NAME.match(name):
            raise PolicyInvalid(place, f"{name[:80]!r} is no API name")
        return name.lower()

    return frozenset(_list(path, value, check))


def _word(path: str, text: Any, kind: type[_E]) -> _E:
    for member in kind:
        if isinstance(text, str) and member.value.lower() == text.lower():
            return member
    raise PolicyInvalid(path, f"must be one of {', '.join(member.value for member in kind)}")


def _words(path: str, value: Any, kind: type[_E]) -> list[_E]:
    if value == "*" or value == ["*"]:
        return list(kind)
    return [_word(f"{path}[{number}]", item, kind) for number, item in enumerate(_list(path, value, lambda _, t: t))]


def _cap(path: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PolicyInvalid(path, "must be a whole number of 1 or more; leave it out for no cap")
    return value
