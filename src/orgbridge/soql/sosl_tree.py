"""What a SOSL text says, as frozen values. Positions take no part in equality."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from orgbridge.soql import tree


class SearchGroup(StrEnum):
    """Which fields of a record are looked through."""

    ALL = "ALL"
    NAME = "NAME"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    SIDEBAR = "SIDEBAR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Words that stand in a row: one bare word, one broken by signs, or a phrase in quotation marks."""

    #: At least one; letters, digits and underscores as written, `*` for any of them, `?` for one.
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """Two or more terms that all must be found."""

    items: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """Two or more terms of which one must be found."""

    items: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """A term that must not be found; stands inside `AllOf` after another one."""

    item: Term


Term: TypeAlias = "Words | AllOf | AnyOf | Without"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One `WITH name [= value]`."""

    #: As written.
    name: str
    #: None where there is no `=`.
    value: tree.Value | None = None
    position: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A whole search."""

    #: What is looked for.
    term: Term
    #: Where it is looked for.
    group: SearchGroup = SearchGroup.ALL
    #: One query per object of RETURNING, in order, with fields, WHERE, ORDER BY, LIMIT, OFFSET; empty for all objects.
    returning: tuple[tree.Query, ...] = ()
    #: WITH clauses in order.
    settings: tuple[Setting, ...] = ()
    #: LIMIT of the whole.
    limit: int | None = None
