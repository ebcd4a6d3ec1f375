"""What a query becomes: one SQL statement, the shape of its records, and what was used in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from orgbridge.emulator.query.fragments import Fragment, Parameter, join
from orgbridge.emulator.query.refusals import Refusals
from orgbridge.emulator.query.scopes import Aliases
from orgbridge.emulator.schema.model import Catalogue, SObject
from orgbridge.soql import tree
from orgbridge.wire.fieldtypes import FieldType


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What planning one query needs to know besides the query."""

    #: The objects of the org.
    catalogue: Catalogue
    #: Errors that point into the query.
    refusals: Refusals
    #: The present instant, for relative dates.
    now: datetime
    #: Who asks, for `USING SCOPE mine`.
    user_id: str
    #: True for queryAll: rows of the recycle bin are seen too.
    include_deleted: bool
    #: Child subqueries that may stand inside each other.
    child_levels: int = 5
    #: Gives aliases to the statement's tables.
    aliases: Aliases = field(default_factory=Aliases)


class Feature(StrEnum):
    """Constructs that some ways of asking do not take."""

    GROUP_BY = "GROUP BY"
    OFFSET = "OFFSET"
    TYPEOF = "TYPEOF"
    AGGREGATE = "aggregate"
    COMPOUND = "compound"
    BASE64 = "base64"
    CHILDREN = "children"
    FIELDS_UNBOUNDED = "FIELDS"
    LONG_TEXTS = "long texts"
    VIEWING = "FOR VIEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueItem:
    """One value of a record."""

    #: Key in the JSON record.
    key: str
    #: Place in the row.
    index: int
    #: Decides the value's form.
    type: FieldType


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobItem:
    """A base64 field: shown as the address of its bytes."""

    key: str
    #: Place in the row of 1 or 0: whether there are bytes.
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompoundItem:
    """An address or location: an object of its parts, or null when all are null."""

    key: str
    #: The parts; those that the object has no field for have no place.
    parts: tuple[tuple[str, ValueItem | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentItem:
    """A parent record, or null."""

    key: str
    shape: RecordShape


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildItem:
    """Child records, or null when there are none. They come as one JSON text of rows, each an array of arrays."""

    key: str
    index: int
    shape: RecordShape


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeOfItem:
    """A polymorphic parent whose fields depend on its object; the first branch whose record is there is shown."""

    key: str
    branches: tuple[RecordShape, ...]


Item: TypeAlias = ValueItem | BlobItem | CompoundItem | ParentItem | ChildItem | TypeOfItem


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordShape:
    """How a row becomes a record."""

    #: `type` of its attributes.
    type: str
    #: Place of the Id in the row; a record without Id is not there.
    id_index: int
    #: Place of the object's name where rows of several objects may stand; it decides the URL.
    type_index: int | None = None
    #: Values in SELECT order.
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateShape:
    """How a row of an aggregate query becomes a record."""

    items: tuple[ValueItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a CSV of the results."""

    #: Header, as written in the query.
    header: str
    #: Place in the row.
    index: int
    #: Decides the value's form.
    type: FieldType


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """A query that may be run. Nothing in it changes while it runs; it may be run on any connection."""

    #: The query as given.
    soql: str
    #: Its tree.
    query: tree.Query
    #: The object in FROM.
    sobject: SObject
    #: How rows become records; None for `SELECT COUNT()`, which has none.
    shape: RecordShape | AggregateShape | None
    #: CSV columns in SELECT order.
    columns: tuple[Column, ...]
    #: The statement without LIMIT, in two parts between which a further condition may be put, see `seek`.
    head: Fragment
    tail: Fragment
    #: The first part with cells of a CSV in the place of values: texts in the order of `columns`, none of them NULL.
    texts: Fragment
    #: What stands between the parts: WHERE or AND, if a condition is put there; None where none may be.
    seek: str | None
    #: True when a one-sided range of instants must hold: few rows or many may match, and SQLite cannot know which.
    is_ranged: bool
    #: Counts all matches, without LIMIT and OFFSET.
    counting: Fragment
    #: LIMIT of the query.
    limit: int | None
    #: OFFSET of the query.
    offset: int
    #: Constructs it uses.
    features: frozenset[Feature]

    @property
    def is_count(self) -> bool:
        """True for `SELECT COUNT()`."""
        return self.shape is None

    @property
    def is_aggregate(self) -> bool:
        """True when the records are groups. Such results cannot be paged."""
        return isinstance(self.shape, AggregateShape)

    @property
    def sql(self) -> str:
        """The whole statement, question marks in it."""
        return self.page().text

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Values of the question marks."""
        return self.page().parameters

    @property
    def count_sql(self) -> str:
        """Statement that counts all matches before LIMIT and OFFSET; `results.total` takes these off."""
        return self.counting.text

    @property
    def can_seek(self) -> bool:
        """True when rows come in the order of their rowid, so that a page may begin after a known row."""
        return self.seek is not None

    def page(
        self,
        start: int = 0,
        size: int | None = None,
        after_rowid: int | None = None,
        *,
        is_small: bool = False,
        as_texts: bool = False,
    ) -> Fragment:
        """Return the statement of one page.

        Args:
            start: Matches before the page.
            size: Most rows of the page; None for all.
            after_rowid: The last column of the row before the page, if `can_seek`: then nothing is read twice.
                Ignored where the plan cannot seek.
            is_small: Few rows match: they are better searched by an index and sorted than met in a scan that gives
                them in order. SQLite is told so by a sort key that no longer is the bare rowid.
            as_texts: Give the cells of a CSV in the place of values; no rowid is among them.
        """
        head = self.texts if as_texts else self.head
        count = -1 if size is None else size
        if self.limit is not None:
            left = max(0, self.limit - start)
            count = left if size is None else min(size, left)
        if after_rowid is not None and self.seek is not None:
            seek = Fragment(f"{self.seek} ?", (after_rowid,))
            return join(" ", (head, seek, self.tail, Fragment("LIMIT ? OFFSET ?", (count, 0))))
        tail = Fragment(self.tail.text.replace("ORDER BY ", "ORDER BY +")) if is_small and self.can_seek else self.tail
        return join(" ", (head, tail, Fragment("LIMIT ? OFFSET ?", (count, self.offset + start))))
