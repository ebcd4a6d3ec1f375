"""What one role allows: objects, operations, fields, rows and caps. Names are kept in lower case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from orgbridge.soql import tree
from orgbridge.wire.bulk import IngestOperation


class Operation(StrEnum):
    """What may be done with the records of an object. The value is what stands in a policy."""

    READ = "read"
    QUERY = "query"
    #: Besides `query` or `export`: deleted and archived records too.
    QUERY_ALL = "queryAll"
    SEARCH = "search"
    EXPORT = "export"
    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hardDelete"


class Mask(StrEnum):
    """What is shown in place of a masked value."""

    #: Nothing: null.
    NULL = "null"
    #: Asterisks, of one length for every value.
    FULL = "full"
    #: A keyed hash: equal values look equal.
    HASH = "hash"
    #: Asterisks and the last four characters.
    LAST4 = "last4"


#: From the strictest to the mildest: where several masks meet, the first of them is used.
STRICTEST = (Mask.NULL, Mask.FULL, Mask.HASH, Mask.LAST4)

#: Objects that repeat rows or values of the object whose name stands in front: `AccountHistory`, `Site__Share`.
_COMPANIONS = ("fieldhistory", "history", "feed", "share", "tag", "changeevent")
#: Objects that repeat names or values of many objects. `*` does not grant them where anything is kept back; a rule of
#: their own does.
_CROSSING = frozenset(
    {
        "activityhistory", "attachedcontentdocument", "combinedattachment", "duplicaterecorditem", "entitydefinition",
        "entityparticle", "feedcomment", "feeditem", "feedtrackedchange", "fielddefinition", "fieldhistoryarchive",
        "fieldpermissions", "lookedupfromactivity", "name", "noteandattachment", "objectpermissions", "openactivity",
        "picklistvalueinfo", "recentlyviewed", "relationshipdomain", "relationshipinfo", "setupaudittrail",
        "userrecordaccess",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRule:
    """What a role allows with one object."""

    #: Operations on records and queries.
    operations: frozenset[Operation] = frozenset()
    #: Operations of bulk loads.
    loads: frozenset[IngestOperation] = frozenset()
    #: Fields that do not exist for the role.
    hidden: frozenset[str] = frozenset()
    #: The only fields that exist for the role besides Id; None for all.
    visible: frozenset[str] | None = None
    #: Fields that may be read and not written.
    read_only: frozenset[str] = frozenset()
    #: Fields whose values are shown masked.
    masked: tuple[tuple[str, Mask], ...] = ()
    #: Formula and roll-up fields that may be shown although what they are made of cannot be told.
    derived: frozenset[str] = frozenset()
    #: The only rows that exist for the role, binds not yet replaced; None for all.
    where: tree.Condition | None = None
    #: Operations that may write rows without comparing them with `where`.
    unchecked: frozenset[IngestOperation] = frozenset()

    @property
    def is_transparent(self) -> bool:
        """True when every field and every row is shown as it is."""
        return not self.hidden and self.visible is None and not self.masked and self.where is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePolicy:
    """What a role allows."""

    #: Rules by the object's name in lower case.
    objects: Mapping[str, ObjectRule]
    #: The rule of `*`: for objects without one of their own; None denies them.
    others: ObjectRule | None = None
    #: Objects that are denied whatever else is said.
    deny: frozenset[str] = frozenset()
    #: Most rows of one query; None for no cap.
    max_rows: int | None = None
    #: Most rows of one export; None for no cap.
    max_export_rows: int | None = None
    #: True when jobs of others may be seen.
    all_jobs: bool = False
    #: Key of the mask `hash`.
    hash_key: str = ""

    def rule(self, sobject: str) -> ObjectRule | None:
        """Return the rule of an object, None when it is denied."""
        name = sobject.lower()
        if name in self.deny:
            return None
        rule = self.objects.get(name)
        return rule if rule is not None or self._tells_of_others(name) else self.others

    def _tells_of_others(self, name: str) -> bool:
        """Tell whether an object without a rule of its own repeats what a rule keeps back from another object."""
        if self.shows_everything:
            return False
        if name in _CROSSING:
            return True
        for suffix in _COMPANIONS:
            if name.endswith(f"__{suffix}"):
                base = name.removesuffix(suffix) + "c"
            elif name.endswith(suffix):
                base = name.removesuffix(suffix)
            else:
                continue
            rule = self.objects.get(base)
            if base in self.deny or (rule is not None and not rule.is_transparent):
                return True
        return False

    @property
    def shows_everything(self) -> bool:
        """True when nothing that can be read is kept back, so that no derived value can tell of it."""
        if self.deny or self.others is None or Operation.QUERY not in self.others.operations:
            return False
        return self.others.is_transparent and all(rule.is_transparent for rule in self.objects.values())
