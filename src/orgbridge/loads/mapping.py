"""Which column of a file goes to which field, and how its cells are written on the way.

A specification is what the caller says; compiled against a header and a describe it becomes a `Mapping`, small JSON
that is kept with the load, so that every part of it is written in the same way, by whichever worker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from orgbridge.loads.errors import BadMapping
from orgbridge.loads.normalising import Formats
from orgbridge.wire.fieldtypes import FieldType

_ALL: Final = "*"
#: `Type:Relation.Field`, and the orders in which Data Loader and people write the same.
_PATH: Final = re.compile(r"(?:(?P<first>\w+):)?(?P<second>\w+)(?:[.\-](?P<third>\w+))?")


_AS_IT_IS: Final = Formats()


class NullPolicy(StrEnum):
    """What a blank cell means."""

    #: Nothing is sent for the field: it stays as it is, or gets its default.
    IGNORE = "ignore"
    #: The field is cleared.
    CLEAR = "clear"
    #: The row is refused and not sent.
    ERROR = "error"


class Unmapped(StrEnum):
    """What becomes of columns that a mapping does not name."""

    #: They go to the field whose name or label they bear.
    MATCH = "match"
    #: They are not sent.
    LEAVE_OUT = "leave_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSpec:
    """What the caller says about columns and fields."""

    #: Column to field, path or label; to several of them; or to nothing, which leaves the column out.
    columns: MappingABC[str, tuple[str, ...]] = field(default_factory=dict)
    #: Field to the text that every row gets.
    constants: MappingABC[str, str] = field(default_factory=dict)
    #: What blank cells mean, by column or field; `*` for all others.
    nulls: MappingABC[str, NullPolicy] = field(default_factory=dict)
    #: Texts that count as blank, besides the empty one.
    null_values: tuple[str, ...] = ()
    #: What becomes of columns that `columns` does not name.
    unmapped: Unmapped = Unmapped.MATCH
    #: How the file writes its values.
    formats: Formats = _AS_IT_IS

    @property
    def says_nothing(self) -> bool:
        """Whether the file is sent as it is, but for columns that bear labels."""
        return self == MappingSpec()

    def to_json(self) -> dict[str, Any]:
        """Return the form in which it is kept with the load; `spec_from_json` reads it."""
        return {
            "columns": {name: list(fields) for name, fields in self.columns.items()},
            "constants": dict(self.constants),
            "nulls": {name: policy.value for name, policy in self.nulls.items()},
            "null_values": list(self.null_values),
            "unmapped": self.unmapped.value,
            **self.formats.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One column of what is sent."""

    #: The field, or path to a parent's key, as the upload's header names it.
    name: str
    #: Place of the file's column, from 0; None for a constant.
    column: int | None = None
    #: What every row gets, where there is no column.
    constant: str = ""
    #: The field's type, where its values are to be written as Salesforce reads them.
    kind: FieldType | None = None
    #: What a blank cell means.
    nulls: NullPolicy = NullPolicy.IGNORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A specification that was compiled for one file and one object."""

    #: The columns of what is sent, in order.
    targets: tuple[Target, ...]
    #: Columns of the file.
    columns: int
    #: Texts that count as blank, besides the empty one.
    null_values: tuple[str, ...] = ()
    #: How the file writes its values.
    formats: Formats = _AS_IT_IS

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns that are sent."""
        return tuple(target.name for target in self.targets)

    @property
    def keeps_records(self) -> bool:
        """Whether records are sent byte for byte, under another header at most."""
        return not self.null_values and [(target.column, target.kind, target.nulls) for target in self.targets] == [
            (place, None, NullPolicy.IGNORE) for place in range(self.columns)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the form that the store keeps."""
        return {
            "targets": [
                {
                    "name": target.name,
                    "column": target.column,
                    "constant": target.constant,
                    "kind": None if target.kind is None else target.kind.value,
                    "nulls": target.nulls.value,
                }
                for target in self.targets
            ],
            "columns": self.columns,
            "null_values": list(self.null_values),
            "formats": self.formats.to_json(),
        }

    @classmethod
    def from_json(cls, value: MappingABC[str, Any]) -> Mapping:
        """Return the mapping that the store keeps."""
        return cls(
            targets=tuple(
                Target(
                    name=item["name"],
                    column=item["column"],
                    constant=item["constant"],
                    kind=None if item["kind"] is None else FieldType(item["kind"]),
                    nulls=NullPolicy(item["nulls"]),
                )
                for item in value["targets"]
            ),
            columns=value["columns"],
            null_values=tuple(value["null_values"]),
            formats=Formats(**value["formats"]),
        )


@dataclass(frozen=True, slots=True)
class _Object:
    """What a describe says of names."""

    name: str
    fields: dict[str, MappingABC[str, Any]]
    relations: dict[str, MappingABC[str, Any]]
    labels: dict[str, list[str]]

    @classmethod
    def of(cls, describe: MappingABC[str, Any]) -> _Object:
        found = cls(str(describe.get("name", "")), {}, {}, {})
        for item in describe.get("fields", []):
            name = str(item["name"])
            found.fields[name.lower()] = item
            if item.get("relationshipName"):
                found.relations[str(item["relationshipName"]).lower()] = item
            if item.get("label"):
                found.labels.setdefault(str(item["label"]).casefold(), []).append(name)
        return found

    def path(self, text: str) -> str | None:
        """Return the name under which Salesforce takes a field or a parent's key; None when there is none.

        Source: facts/salesforce/bulk2.md section 4: `Relation.Field`; `Type:Relation.Field` where the relation is
        polymorphic, and only there. Data Loader's `Relation:Field`, and `Relation:Type.Field`, mean the same.
        """
        if text.lower() in self.fields:
            return str(self.fields[text.lower()]["name"])
        parts = _PATH.fullmatch(text.strip())
        if parts is None or (parts["first"] is None and parts["third"] is None):
            return None
        first, second, third = parts["first"], parts["second"], parts["third"]
        if third is None:
            kind, relation, key = None, first, second
        elif first is not None and second.lower() not in self.relations and first.lower() in self.relations:
            kind, relation, key = second, first, third
        else:
            kind, relation, key = first, second, third
        item = self.relations.get(relation.lower())
        if item is None:
            return None
        parents = {str(parent).lower(): str(parent) for parent in item.get("referenceTo") or []}
        known = str(item["relationshipName"])
        if len(parents) < 2:
            return f"{known}.{key}"
        if kind is None:
            raise BadMapping(
                f"{self.name}.{known} may name any of {', '.join(parents.values())}: "
                f"say which, as in {next(iter(parents.values()))}:{known}.{key}."
            )
        if kind.lower() not in parents:
            raise BadMapping(f"{self.name}.{known} never names a {kind}, only {', '.join(parents.values())}.")
        return f"{parents[kind.lower()]}:{known}.{key}"

    def by_label(self, text: str) -> str | None:
        names = self.labels.get(text.strip().casefold(), [])
        if len(names) > 1:
            raise BadMapping(f"The label {text!r} is that of {' and '.join(names)}: say which field is meant.")
        return names[0] if names else None

    def kind_of(self, name: str) -> FieldType | None:
        try:
            return FieldType(str(self.fields.get(name.lower(), {}).get("type")))
        except ValueError:
            return None


def compile_mapping(
    spec: MappingSpec, header: Sequence[str], describe: MappingABC[str, Any], *, typed: bool = False
) -> Mapping:
    """Return a specification's meaning for one file and one object.

    Columns keep their order, constants follow. A column that matches nothing stays under its own name, for the check of
    the header to say what is wrong with it.

    Args:
        spec: What the caller says.
        header: The file's columns.
        describe: Salesforce's describe of the object.
        typed: Whether the cells come from typed values, which are always written as their fields' types want.

    Raises:
        BadMapping: It names columns, fields or policies that are not there, or a field twice.
    """
    known = _Object.of(describe)
    chosen = {_column(name, header): fields for name, fields in spec.columns.items()}
    policies = {name.casefold(): policy for name, policy in spec.nulls.items()}
    normalises = typed or bool(spec.formats.to_json()) or bool(spec.nulls) or bool(spec.null_values)
    targets: list[Target] = []
    for place, column in enumerate(header):
        if place in chosen:
            names = [_field(name, known) for name in chosen[place]]
        elif spec.unmapped is Unmapped.LEAVE_OUT:
            names = []
        else:
            names = [known.path(column) or known.by_label(column) or column]
        for name in names:
            policy = policies.get(column.casefold(), policies.get(name.casefold(), policies.get(_ALL)))
            kind = known.kind_of(name) if normalises else None
            targets.append(Target(name=name, column=place, kind=_normalised(kind), nulls=policy or NullPolicy.IGNORE))
    targets += [Target(name=_field(name, known), constant=text) for name, text in spec.constants.items()]
    _check_targets(targets, header, policies)
    return Mapping(targets=tuple(targets), columns=len(header), null_values=spec.null_values, formats=spec.formats)


_NORMALISED: Final = frozenset(
    {
        FieldType.BOOLEAN,
        FieldType.INT,
        FieldType.DOUBLE,
        FieldType.CURRENCY,
        FieldType.PERCENT,
        FieldType.DATE,
        FieldType.DATETIME,
        FieldType.TIME,
    }
)


def _normalised(kind: FieldType | None) -> FieldType | None:
    return kind if kind in _NORMALISED else None


def _column(name: str, header: Sequence[str]) -> int:
    if name in header:
        return list(header).index(name)
    folded = [column.casefold() for column in header]
    if name.casefold() not in folded:
        raise BadMapping(f"The mapping names the column {name!r}, which the file does not have.")
    return folded.index(name.casefold())


def _field(name: str, known: _Object) -> str:
    found = known.path(name) or known.by_label(name)
    if found is None:
        raise BadMapping(f"The mapping names the field {name!r}, which {known.name} does not have.")
    return found


def _check_targets(targets: Sequence[Target], header: Sequence[str], policies: MappingABC[str, NullPolicy]) -> None:
    seen: set[str] = set()
    for target in targets:
        if target.name.casefold() in seen:
            raise BadMapping(f"Two columns go to the field {target.name}; leave one of them out.")
        seen.add(target.name.casefold())
    if not targets:
        raise BadMapping("The mapping leaves every column out.")
    for name in policies.keys() - seen - {column.casefold() for column in header} - {_ALL}:
        raise BadMapping(
            f"The null policy names {name!r}, which is neither a column of the file nor a field it goes to."
        )
