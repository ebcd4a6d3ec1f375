"""Checks on records that are to be written: operation, fields, and rows before and after.

A row that is written must lie inside of what a role lets its holder see, before and after. What Salesforce will make of
a row (defaults, triggers, formulas) is not guessed: where it cannot be decided from the values given, the write is
refused unless the policy says `unchecked_writes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orgbridge.orgs.connections import Orgs
from orgbridge.services.policies.conditions import both, decide, fields_of
from orgbridge.services.policies.directory import Directory
from orgbridge.services.policies.errors import OperationRefused, RecordMissing, RowsRefused, UnknownName
from orgbridge.services.policies.facts import ObjectFacts
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.policy import Grant, GrantView, Policy, View
from orgbridge.soql import print_query, tree
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.fieldtypes import DECIMAL_TYPES, FieldType
from orgbridge.wire.ids import to_18

#: Ids or keys in one query that looks rows up: 200 ids stay below the length of a URL.
_LOOKED_UP = 200
_NOT_FIELDS = frozenset({"id", "attributes"})
_RECORD_OPERATIONS = {
    IngestOperation.INSERT: Operation.CREATE,
    IngestOperation.UPDATE: Operation.UPDATE,
    IngestOperation.UPSERT: Operation.UPSERT,
    IngestOperation.DELETE: Operation.DELETE,
    IngestOperation.HARD_DELETE: Operation.HARD_DELETE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Records to be written."""

    facts: ObjectFacts
    operation: IngestOperation
    #: Values by field; `Id` where the operation needs it.
    records: Sequence[Mapping[str, Any]]
    #: The key of an upsert.
    key: str | None = None


class WriteChecks:
    """Checks writes to one org."""

    def __init__(self, orgs: Orgs, org: str, directory: Directory) -> None:
        self._orgs = orgs
        self._org = org
        self._directory = directory

    async def check(self, policy: Policy, writing: Writing, *, reads: Policy, written: set[str] | None = None) -> None:
        """See that all records may be written. Nothing is sent but queries.

        Args:
            policy: Of the roles that let the caller write.
            writing: Records and what is done with them.
            reads: Of the roles that let the caller read: a parent that is looked up is read.
            written: Ids of rows that were looked at for earlier writes of the same call; those of this one are added.

        Raises:
            OperationRefused: No role allows the operation on the object.
            UnknownName: A field is not there, for this caller.
            RowsRefused: A field may not be written, or a row would lie outside of what may be seen.
            RecordMissing: A record is not there, for this caller.
            ClientError: Salesforce could not be asked.
        """
        operation = _RECORD_OPERATIONS[writing.operation]
        if not policy.allows(writing.facts.name, operation):
            raise OperationRefused(
                f"No role of yours allows {operation.value} on {writing.facts.name}. "
                "Ask for it to be added to the role's policy."
            )
        view = policy.view(writing.facts, frozenset({operation}))
        checked: list[tuple[int, tuple[Grant, ...]]] = []
        for number, record in enumerate(writing.records):
            await self._check_lookups(reads, writing.facts, record)
            grants = writers(view, columns_of(record), writing.key)
            if all(one.grant.where is not None and writing.operation not in one.grant.rule.unchecked for one in grants):
                checked.append((number, tuple(one.grant for one in grants)))
        # Ids of another object would be written through this one's rules.
        strangers = [
            number
            for number, record in enumerate(writing.records)
            if (given := _id_of(record)) is not None and not (is_reference(given) or writing.facts.has_id(given))
        ]
        if strangers:
            raise _missing(strangers, len(writing.records))
        if checked:
            await self._check_rows(writing, checked, set() if written is None else written)

    async def _check_lookups(self, policy: Policy, facts: ObjectFacts, record: Mapping[str, Any]) -> None:
        for name, value in record.items():
            if not isinstance(value, Mapping) or name.lower() in _NOT_FIELDS:
                continue
            reference = facts.relationships.get(name.lower())
            if reference is None:
                continue
            attributes = value.get("attributes")
            named = attributes.get("type") if isinstance(attributes, Mapping) else None
            for field in value:
                if field.lower() not in ("attributes", "type"):
                    await self.check_lookup(policy, reference.targets, str(named) if named else None, field)

    async def check_lookup(self, policy: Policy, targets: Sequence[str], named: str | None, field: str) -> None:
        """See that a parent may be looked up by a field: the answer tells whether a row with this value is there.

        Args:
            policy: Of the caller.
            targets: Objects that the reference may point to.
            named: The one that the caller names; None when there is only one.
            field: The parent's field.

        Raises:
            UnknownName: The field is not there, for this caller.
            RowsRefused: Only some rows of the parent may be seen.
        """
        if policy.is_unrestricted:
            return
        chosen = [target for target in targets if named is None or target.lower() == named.lower()]
        if len(chosen) != 1:
            raise RowsRefused(f"Name the object that {field} is a field of; it cannot be told from the relationship.")
        facts = await self._directory.facts(chosen[0]) if policy.grants(chosen[0]) else None
        views = (
            [] if facts is None else [policy.view(facts, frozenset({op})) for op in (Operation.READ, Operation.QUERY)]
        )
        grants = [one for view in views for one in view.choose([], [field.lower()])]
        if not grants:
            raise _no_column(field, chosen[0])
        if all(one.grant.where is not None for one in grants):
            raise RowsRefused(
                f"Only some rows of {chosen[0]} may be seen, so that a parent cannot be given by {field}: give its id."
            )

    async def _check_rows(
        self, writing: Writing, checked: list[tuple[int, tuple[Grant, ...]]], written: set[str]
    ) -> None:
        # Rows of one batch mostly have the same grants: each condition is asked for all of its rows at once.
        conditions = list(dict.fromkeys(one.where for _, grants in checked for one in grants if one.where is not None))
        by_key = writing.operation is IngestOperation.UPSERT and (writing.key or "id").lower() != "id"
        key = str(writing.key) if by_key else "Id"
        values = [_value_of(writing.records[number], key) for number, _ in checked]
        asked = [value for value in values if value is not None]
        if any(is_reference(value) for value in asked):
            raise RowsRefused(
                f"Only some rows of {writing.facts.name} may be written, and which one a reference stands for is not "
                "known before the call: give its id."
            )
        if writing.operation is IngestOperation.INSERT:
            asked = []
        inside = {where: await self._rows(writing.facts, key, asked, where) for where in conditions} if asked else {}
        existing = await self._rows(writing.facts, key, asked, None) if by_key and asked else {}
        if existing.keys() - {_found_key(value, key) for value in asked}:
            # Salesforce took a key for equal that looks different here: which row would be written is not certain.
            raise RowsRefused(
                f"Which records the values of {key} stand for is not certain: write them as they are stored."
            )
        missing: list[int] = []
        for (number, grants), value in zip(checked, values, strict=True):
            wheres = [one.where for one in grants if one.where is not None]
            record = writing.records[number]
            found = _found_key(value, key)
            is_new = writing.operation is IngestOperation.INSERT or (
                writing.operation is IngestOperation.UPSERT and (value is None or (by_key and found not in existing))
            )
            if is_new:
                if not any(decide(where, _known(record)) for where in wheres):
                    raise _outside(writing.facts, wheres, number, len(writing.records))
                continue
            seen = [where for where in wheres if found in inside.get(where, {})]
            if not seen:
                missing.append(number)
            elif writing.operation in (IngestOperation.UPDATE, IngestOperation.UPSERT):
                if not any(_stays(writing.facts, where, inside[where][found], record) for where in seen):
                    raise _outside(writing.facts, seen, number, len(writing.records))
                # Each of two changes may leave a row inside, and both together move it out.
                identifier = str(inside[seen[0]][found]["id"])
                if identifier in written:
                    raise RowsRefused(
                        f"A record of {writing.facts.name} is changed twice in one call, and what both make of it "
                        "together is not known before: change it once.",
                        details=[{"row": number + 1, "message": "changed twice"}],
                    )
                written.add(identifier)
        if missing:
            raise _missing(missing, len(writing.records))

    async def _rows(
        self, facts: ObjectFacts, key: str, values: Sequence[Any], where: tree.Condition | None
    ) -> dict[str, dict[str, Any]]:
        """Return rows by their key, with the fields that a condition compares, of those that meet it."""
        found: dict[str, dict[str, Any]] = {}
        named = dict.fromkeys(
            ["Id", key, *(path[0] for path in fields_of(where) if len(path) == 1)] if where else ["Id", key]
        )
        known = list(dict.fromkeys(facts.fields[name.lower()].name for name in named if name.lower() in facts.fields))
        select = tuple(tree.SelectExpression(expression=tree.FieldPath(parts=(name,))) for name in known)
        kind = facts.fields[key.lower()].type
        for start in range(0, len(values), _LOOKED_UP):
            told = [literal_of(value, kind) for value in values[start : start + _LOOKED_UP]]
            literals = [literal for literal in told if literal is not None]
            if len(literals) < len(told):
                raise RowsRefused(f"A value of {key} is none that records can be looked up by.")
            query = tree.Query(
                select=select,
                sources=(tree.FromItem(path=(facts.name,)),),
                where=both(
                    tree.InList(left=tree.FieldPath(parts=(key,)), values=tuple(literals)), [where] if where else []
                ),
            )
            async for record in self._orgs.get(self._org).salesforce.query.records(print_query(query)):
                row = {name.lower(): value for name, value in record.items()}
                found[_found_key(row.get(key.lower()), key)] = row
        return found


def is_reference(value: Any) -> bool:
    """Tell whether a value may be a reference of a composite call, so that what it stands for is not known."""
    return isinstance(value, str) and "@{" in value


def columns_of(record: Mapping[str, Any]) -> list[str]:
    """Return the fields that a record writes; a nested object stands for its relationship."""
    return [name for name in record if name.lower() not in _NOT_FIELDS]


def writers(view: View, columns: Iterable[str], key: str | None) -> tuple[GrantView, ...]:
    """Return the grants that let all columns be written.

    Args:
        view: Of the object, for the operation.
        columns: Fields, or relationship names for parents that are looked up.
        key: The field by which rows are found, which must be shown as it is.

    Raises:
        UnknownName: A column is not there, for this caller.
        RowsRefused: A column may not be written, or no single role lets all of them be written.
    """
    facts = view.facts
    names: set[str] = set()
    for column in columns:
        reference = facts.relationships.get(column.lower())
        name = reference.name.lower() if reference is not None else column.lower()
        if name not in view.shown:
            raise _no_column(column, facts.name)
        if not any(name in one.rights.writable for one in view.grants) and (key or "").lower() != name:
            why = "is shown masked to you" if name in view.masks else "may be read by you"
            raise RowsRefused(
                f"{facts.fields[name].name} of {facts.name} {why} and not written.",
                details=[{"field": facts.fields[name].name, "message": "may not be written"}],
            )
        names.add(name)
    if key is not None:
        if key.lower() not in view.shown:
            raise _no_column(key, facts.name)
        if key.lower() in view.masks:
            raise RowsRefused(f"{key} is shown masked to you: records cannot be found by it.")
        names.discard(key.lower())
    grants = tuple(
        one for one in view.grants if names <= one.rights.writable and (key is None or key.lower() in one.rights.plain)
    )
    if not grants:
        raise RowsRefused(
            f"No single role of yours lets {', '.join(sorted(names))} of {facts.name} be written together."
        )
    return grants


def literal_of(value: Any, kind: str) -> tree.Value | None:
    """Return the literal by which a field of a type is compared with a value; None where there is none."""
    if value is None or isinstance(value, bool | Mapping | list):
        return None
    text = str(value)
    if kind in (FieldType.INT, *DECIMAL_TYPES):
        return tree.NumberValue(text=text) if isinstance(value, int | float) and "e" not in text.lower() else None
    return tree.StringValue(value=text)


def _stays(facts: ObjectFacts, where: tree.Condition, before: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Tell whether a row that meets a condition is certain to meet it with the new values too."""
    values = _known(record)
    touched = {name.lower() for name in record} - _NOT_FIELDS
    touched |= {facts.relationships[name].name.lower() for name in touched if name in facts.relationships}
    touched |= {field.compound for name in touched if (field := facts.fields.get(name)) and field.compound}
    after = {name: value for name, value in before.items() if name not in touched} | values
    items = where.items if isinstance(where, tree.And) else (where,)
    for item in items:
        compared = {path[0].lower() for path in fields_of(item)}
        references = {facts.relationships[name].name.lower() for name in compared if name in facts.relationships}
        is_derived = any(facts.fields[name].is_derived for name in compared if name in facts.fields)
        if (is_derived or (compared | references) & touched) and not decide(item, after):
            return False
    return True


def _known(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.lower(): value
        for name, value in record.items()
        if name.lower() not in _NOT_FIELDS and not isinstance(value, Mapping | list) and not is_reference(value)
    }


def _id_of(record: Mapping[str, Any]) -> str | None:
    value = _value_of(record, "Id")
    return None if value is None else str(value)


def _value_of(record: Mapping[str, Any], key: str) -> Any:
    return next(
        (value for name, value in record.items() if name.lower() == key.lower() and value not in (None, "")), None
    )


def _found_key(value: Any, key: str) -> str:
    text = str(value)
    if key.lower() == "id":
        return to_18(text) or text
    if isinstance(value, int | float):
        return str(Decimal(text).normalize())
    # Salesforce compares keys without regard to case unless the field says otherwise; then two keys may share this.
    return text.strip().casefold()


def _no_column(name: str, entity: str) -> UnknownName:
    return UnknownName(f"No such column '{name}' on sobject of type {entity}", field=name)


def _missing(numbers: Sequence[int], count: int) -> RecordMissing:
    if count == 1:
        return RecordMissing()
    details = [{"row": number + 1, "message": "no such record"} for number in numbers]
    return RecordMissing(
        f"{len(numbers)} of {count} records are not there, or lie outside of what you may see. Nothing was sent.",
        details=details,
    )


def _outside(facts: ObjectFacts, wheres: Sequence[tree.Condition], number: int, count: int) -> RowsRefused:
    compared = [path[0].lower() for where in wheres for path in fields_of(where) if len(path) == 1]
    names = sorted({facts.fields[name].name for name in compared if name in facts.fields})
    hint = f" Give values for {', '.join(names)} that show it." if names else ""
    place = "The record" if count == 1 else f"Record {number + 1}"
    return RowsRefused(
        f"{place} is not certain to lie inside of what you may see of {facts.name}. Nothing was sent.{hint}",
        details=[{"row": number + 1, "message": "outside of the rows that your roles allow"}],
    )
