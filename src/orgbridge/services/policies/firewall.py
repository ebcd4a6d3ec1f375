"""The SOQL firewall: a query as a caller's policy allows it, or a refusal that names the part and the place.

Every object, field and relationship is resolved by describe and checked; what cannot be resolved is refused. The rows
that a policy allows are added to WHERE at every level where an object is read: the query itself, its child subqueries,
its semi-joins, and the parents that paths lead to. Names come back in the schema's spelling and without aliases, so
that Salesforce reads the same query that was checked. Pure: describes are given, see `FactsMissing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import assert_never

from orgbridge.services.policies.conditions import both, has_subquery, joined, moved
from orgbridge.services.policies.errors import OperationRefused, QueryRefused, UnknownName
from orgbridge.services.policies.facts import FieldFacts, ObjectFacts
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.policy import GrantView, Policy, View
from orgbridge.soql import parse, print_query, tree

#: Functions of which one row is made of many.
AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"})
#: The field of a polymorphic relationship that tells which object it points to.
_TYPE = "type"
_CUSTOM = (
    "If you are attempting to use a custom {0}, be sure to append the '__{1}' after the custom {2} name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)

#: Gives the facts of an object by its name, None when there is no such object.
Lookup = Callable[[str], ObjectFacts | None]


class FactsMissing(Exception):
    """The describe of an object is needed to go on: get it, and begin again."""

    def __init__(self, sobject: str) -> None:
        self.sobject = sobject
        super().__init__(sobject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A query that may be run."""

    #: The tree with all that was added.
    query: tree.Query
    #: Its text.
    text: str
    #: True when the policy's cap stands in place of the query's own LIMIT, so that there may be more rows.
    is_capped: bool


@dataclass(slots=True, kw_only=True)
class _Use:
    """What a query reads of one object at one place: itself, or a parent reached over a path."""

    view: View
    path: tuple[str, ...]
    position: int
    displayed: set[str] = field(default_factory=set)
    compared: set[str] = field(default_factory=set)


def secure(
    soql: str, policy: Policy, lookup: Lookup, operations: frozenset[Operation], *, include_deleted: bool = False
) -> Secured:
    """Return a query as a policy allows it.

    Args:
        soql: The text.
        policy: Of the caller.
        lookup: Gives the facts of objects; may raise `FactsMissing`.
        operations: What the query is for: `query`, `export` or `read`.
        include_deleted: The query will see deleted records, as with ALL ROWS.

    Raises:
        SOQLError: The text is no SOQL.
        PolicyError: The query may not be run.
    """
    query = parse(soql)
    if policy.is_unrestricted:
        return Secured(query=query, text=soql, is_capped=False)
    if include_deleted or query.all_rows:
        operations |= {Operation.QUERY_ALL}
    firewall = Firewall(soql, policy, lookup, operations)
    secured = firewall.whole(query)
    text = print_query(secured)
    if parse(text) != secured:
        raise QueryRefused("The query cannot be written in a form that is sure to be read as it was checked.")
    return Secured(query=secured, text=text, is_capped=secured.limit != query.limit)


class Firewall:
    """Checks one query."""

    def __init__(self, soql: str, policy: Policy, lookup: Lookup, operations: frozenset[Operation]) -> None:
        self.soql = soql
        self.policy = policy
        self.operations = operations
        self.lookup = lookup

    def whole(self, query: tree.Query) -> tree.Query:
        """Return a query and all inside of it as the policy allows it."""
        source = query.sources[0]
        if len(source.path) != 1:
            raise self.no_object(".".join(source.path), source.position)
        facts = self.object(source.path[0], source.position)
        return QueryScope(self, facts, query).secured(outer_name=facts.name)

    def object(self, name: str, position: int) -> ObjectFacts:
        """Return the facts of an object that the caller may know.

        Raises:
            UnknownName: There is none, or every role denies it.
            OperationRefused: The object may be known, but not read in this way.
        """
        grants = self.policy.grants(name)
        facts = self.lookup(name) if grants else None
        if facts is None:
            raise self.no_object(name, position)
        if not self.policy.allows(facts.name, *self.operations):
            words = " and ".join(sorted(operation.value for operation in self.operations))
            raise OperationRefused(
                f"No role of yours allows {words} on {facts.name}. Ask for it to be added to the role's policy."
            )
        return facts

    def view(self, facts: ObjectFacts) -> View:
        """Return what the caller sees of an object."""
        return self.policy.view(facts, self.operations)

    def refused(self, text: str, position: int) -> QueryRefused:
        """Return a refusal that points at a place."""
        return QueryRefused(text, soql=self.soql, position=position)

    def no_object(self, name: str, position: int) -> UnknownName:
        """Return what is said of an object that is not there."""
        text = f"sObject type '{name}' is not supported. {_CUSTOM.format('object', 'c', 'entity')}"
        return UnknownName(text, soql=self.soql, position=position)

    def no_field(self, name: str, entity: str, position: int) -> UnknownName:
        """Return what is said of a field that is not there."""
        text = f"No such column '{name}' on entity '{entity}'. {_CUSTOM.format('field', 'c', 'field')}"
        return UnknownName(text, soql=self.soql, position=position, field=name)

    def no_relationship(self, name: str, position: int, place: str = "field path") -> UnknownName:
        """Return what is said of a relationship that is not there."""
        custom = _CUSTOM.format("relationship", "r", "relationship")
        text = f"Didn't understand relationship '{name}' in {place}. {custom}"
        return UnknownName(text, soql=self.soql, position=position, field=name)


class QueryScope:
    """One query or subquery: the object that it reads, and what its paths reach."""

    def __init__(
        self, firewall: Firewall, facts: ObjectFacts, query: tree.Query, *, takes_subqueries: bool = True
    ) -> None:
        self._wall = firewall
        self._takes_subqueries = takes_subqueries
        self._facts = facts
        self._query = query
        self._uses: dict[tuple[str, ...], _Use] = {
            (): _Use(view=firewall.view(facts), path=(), position=query.sources[0].position)
        }
        self._prefixes: dict[str, tuple[str, ...]] = {}
        self._forced: list[tree.Condition] = []

    def secured(self, *, outer_name: str) -> tree.Query:
        """Return the query with checked names, forced conditions and caps.

        Args:
            outer_name: What stands after FROM in the result.
        """
        query = self._query
        self._check_clauses(query)
        self._name_sources()
        grouped = query.group_by is not None or any(map(_is_aggregate, query.select))
        select = [new for item in query.select for new in self._select_item(item, grouped=grouped)]
        where = None if query.where is None else self.condition(query.where)
        group_by = query.group_by
        if group_by is not None:
            group_by = replace(group_by, items=tuple(self._expression(item) for item in group_by.items))
        having = None if query.having is None else self.condition(query.having)
        order_by = tuple(replace(item, expression=self._expression(item.expression)) for item in query.order_by)
        select, caps = self._enforce(select)
        is_single = grouped and query.group_by is None
        return replace(
            query,
            select=tuple(select),
            sources=(replace(query.sources[0], path=(outer_name,), alias=None),),
            where=both(where, self._forced),
            group_by=group_by,
            having=having,
            order_by=order_by,
            # One row that tells of many cannot be cut; Salesforce refuses LIMIT beside it.
            limit=query.limit if is_single else _capped(query.limit, caps),
        )

    def compare_root(self, name: str) -> None:
        """Note that rows are found by a field of the object itself."""
        self._compare((), name, self._query.sources[0].position)

    # Clauses -----------------------------------------------------------------------------------------------------

    def _check_clauses(self, query: tree.Query) -> None:
        match query.with_:
            case None | tree.WithMode() | tree.WithDataCategory():
                pass
            case tree.WithCondition() | tree.WithRecordVisibility():
                raise self._wall.refused("This WITH clause cannot be checked: leave it out.", query.with_.position)
            case _:
                assert_never(query.with_)
        if (query.for_ or query.update) and not self._wall.policy.allows(self._facts.name, Operation.UPDATE):
            raise self._wall.refused(
                f"FOR and UPDATE write to {self._facts.name}, and no role of yours allows update on it.", query.position
            )

    def _name_sources(self) -> None:
        first, *others = self._query.sources
        if first.alias:
            self._name(first.alias, (), first.position)
        for source in others:
            prefix = self._prefixes.get(source.path[0].lower())
            if prefix is None or len(source.path) < 2:
                raise self._wall.no_relationship(source.path[0], source.position, "FROM part of query call")
            path = prefix + source.path[1:]
            self._reach(path, source.position)
            if source.alias:
                self._name(source.alias, path, source.position)

    def _name(self, alias: str, path: tuple[str, ...], position: int) -> None:
        known = alias.lower()
        if known in self._prefixes or known in self._facts.relationships:
            raise self._wall.refused(f"The alias {alias} can be read in two ways: choose another.", position)
        self._prefixes[known] = path

    # SELECT ------------------------------------------------------------------------------------------------------

    def _select_item(self, item: tree.SelectItem, *, grouped: bool) -> Iterable[tree.SelectItem]:
        match item:
            case tree.SelectExpression(expression=tree.FieldPath() as path):
                is_shown_as_it_is = not grouped and item.alias is None
                return [replace(item, expression=self._path(path, displayed=is_shown_as_it_is))]
            case tree.SelectExpression(expression=expression):
                return [replace(item, expression=self._expression(expression))]
            case tree.SelectFields():
                return self._all_fields(item)
            case tree.SelectQuery(query=query):
                return [replace(item, query=self._child(query))]
            case tree.SelectTypeOf():
                return [self._typeof(item)]
            case _:
                assert_never(item)

    def _all_fields(self, item: tree.SelectFields) -> Iterable[tree.SelectItem]:
        view = self._uses[()].view
        if all(one.rights.plain >= self._facts.fields.keys() for one in view.grants):
            return [item]
        # Of roles that show different fields, the one that shows most.
        best = max(view.grants, key=lambda one: len(one.rights.plain) + len(one.rights.masked))
        named = {
            one.expression.parts[-1].lower()
            for one in self._query.select
            if isinstance(one, tree.SelectExpression) and isinstance(one.expression, tree.FieldPath)
        }
        found = [
            facts.name
            for name, facts in self._facts.fields.items()
            if (name in best.rights.plain or (name in best.rights.masked and name in view.masks and not self._exports))
            and name not in named
            and _is_in_group(facts, item.group)
        ]
        if not found:
            raise self._wall.refused(f"FIELDS({item.group.value}) has no field for you.", item.position)
        paths = [tree.FieldPath(parts=(name,), position=item.position) for name in found]
        return [
            tree.SelectExpression(expression=self._path(path, displayed=True), position=item.position) for path in paths
        ]

    def _child(self, query: tree.Query) -> tree.Query:
        source = query.sources[0]
        name = source.path[-1]
        is_prefixed = len(source.path) == 2 and (
            source.path[0].lower() == self._facts.name.lower() or self._prefixes.get(source.path[0].lower()) == ()
        )
        child = self._facts.children.get(name.lower()) if len(source.path) == 1 or is_prefixed else None
        if child is None or not self._wall.policy.grants(child.sobject):
            raise self._wall.no_relationship(name, source.position, "FROM part of query call")
        facts = self._wall.object(child.sobject, source.position)
        scope = QueryScope(self._wall, facts, query)
        if child.field.lower() not in scope._uses[()].view.shown:
            raise self._wall.no_relationship(name, source.position, "FROM part of query call")
        scope._compare((), child.field.lower(), source.position)
        return scope.secured(outer_name=child.name)

    def _typeof(self, item: tree.SelectTypeOf) -> tree.SelectItem:
        parts = self._stripped(item.relationship)
        reference, prefix = self._reference(parts, item.relationship.position)
        whens = []
        for when in item.whens:
            target = next((name for name in reference.targets if name.lower() == when.sobject.lower()), None)
            if target is None or not self._wall.policy.grants(target):
                raise self._wall.no_object(when.sobject, when.position)
            fields = tuple(self._on_target(self._wall.object(target, when.position), path) for path in when.fields)
            whens.append(replace(when, sobject=target, fields=fields))
        otherwise = tuple(self._polymorphic(reference, path) for path in item.otherwise)
        relationship = replace(item.relationship, parts=(*prefix, str(reference.relationship)))
        return replace(item, relationship=relationship, whens=tuple(whens), otherwise=otherwise)

    def _on_target(self, facts: ObjectFacts, path: tree.FieldPath) -> tree.FieldPath:
        """Check a field of one branch of TYPEOF, where no condition on rows can be added."""
        view, name = self._wall.view(facts), path.parts[-1].lower()
        if len(path.parts) != 1:
            raise self._wall.refused("Paths inside TYPEOF cannot be checked: name a field.", path.position)
        if name not in view.shown:
            raise self._wall.no_field(path.parts[-1], facts.name, path.position)
        self._need_all_rows(view, view.choose([name], []), path)
        return replace(path, parts=(facts.fields[name].name,))

    def _need_all_rows(self, view: View, grants: tuple[GrantView, ...], path: tree.FieldPath) -> None:
        if not any(one.grant.where is None for one in grants):
            raise self._wall.refused(
                f"Only some rows of {view.facts.name} may be seen, and which they are cannot be asked at this place: "
                f"leave {path.text} out, or query {view.facts.name} itself.",
                path.position,
            )

    def _polymorphic(self, reference: FieldFacts, path: tree.FieldPath) -> tree.FieldPath:
        """Check a field of whatever a reference points to: every object that can be must show it in all rows."""
        name = path.parts[-1].lower()
        if name == _TYPE:
            return path
        is_known = False
        for target in reference.targets:
            facts = self._wall.lookup(target)
            if facts is None:
                # The integration user does not see the object either.
                continue
            named = facts.name_field if name == "name" else facts.fields.get(name)
            if named is None:
                continue
            if not self._wall.policy.allows(target, *self._wall.operations):
                raise self._hidden_somewhere(reference, path)
            view = self._wall.view(facts)
            grants = view.choose([], [named.name.lower()])
            if not any(one.grant.where is None for one in grants):
                raise self._hidden_somewhere(reference, path)
            is_known = True
        if not is_known:
            raise self._wall.no_field(path.parts[-1], "Name", path.position)
        return path

    def _hidden_somewhere(self, reference: FieldFacts, path: tree.FieldPath) -> QueryRefused:
        return self._wall.refused(
            f"{reference.relationship} may point to several objects, and your roles do not show {path.parts[-1]} of "
            "all records of all of them: leave it out, or name objects by TYPEOF.",
            path.position,
        )

    # Expressions -------------------------------------------------------------------------------------------------

    def condition(self, condition: tree.Condition) -> tree.Condition:
        """Return a condition with checked names; subqueries in it are secured."""
        match condition:
            case tree.And(items=items):
                return replace(condition, items=tuple(self.condition(item) for item in items))
            case tree.Or(items=items):
                return replace(condition, items=tuple(self.condition(item) for item in items))
            case tree.Not(item=item):
                return replace(condition, item=self.condition(item))
            case tree.InQuery(left=left, query=query):
                return replace(condition, left=self._expression(left), query=self._semi(query))
            case tree.Comparison() | tree.Like() | tree.InList() | tree.Includes():
                return replace(condition, left=self._expression(condition.left))
            case _:
                assert_never(condition)

    def _semi(self, query: tree.Query) -> tree.Query:
        source = query.sources[0]
        if len(source.path) != 1:
            raise self._wall.no_object(".".join(source.path), source.position)
        facts = self._wall.object(source.path[0], source.position)
        scope = QueryScope(self._wall, facts, query, takes_subqueries=False)
        # What a semi-join selects chooses rows: masks do not help there.
        for item in query.select:
            if not isinstance(item, tree.SelectExpression):
                raise self._wall.refused("A query inside IN selects one field.", item.position)
            scope._expression(item.expression)
        secured = scope.secured(outer_name=facts.name)
        # Salesforce takes a LIMIT inside IN; a cap there would change which rows are found.
        return replace(secured, limit=query.limit)

    def _expression(self, expression: tree.Expression) -> tree.Expression:
        match expression:
            case tree.FieldPath():
                return self._path(expression, displayed=False)
            case tree.FunctionCall(arguments=arguments):
                checked = tuple(
                    self._expression(item) if isinstance(item, tree.FieldPath | tree.FunctionCall) else item
                    for item in arguments
                )
                return replace(expression, arguments=checked)
            case _:
                assert_never(expression)

    def _stripped(self, path: tree.FieldPath) -> tuple[str, ...]:
        """Return a path from the root, an alias or the object's own name in front of it taken off."""
        parts, first = path.parts, path.parts[0].lower()
        if len(parts) == 1:
            return parts
        if first in self._prefixes:
            return self._prefixes[first] + parts[1:]
        if first == self._facts.name.lower():
            if first in self._facts.relationships:
                raise self._wall.refused(f"{path.parts[0]} can be read in two ways: use an alias.", path.position)
            return parts[1:]
        return parts

    def _path(self, path: tree.FieldPath, *, displayed: bool) -> tree.FieldPath:
        parts = self._stripped(path)
        name = parts[-1].lower()
        if len(parts) > 1:
            reference, prefix = self._reference(parts[:-1], path.position)
            if reference.is_polymorphic:
                self._polymorphic(reference, path)
                return replace(path, parts=(*prefix, str(reference.relationship), parts[-1]))
        use = self._reach(parts[:-1], path.position)
        facts = use.view.facts
        if name not in use.view.shown:
            raise self._wall.no_field(parts[-1], facts.name, path.position)
        if displayed:
            use.displayed.add(name)
        else:
            self._compare(use.path, name, path.position)
        return replace(path, parts=(*use.path, facts.fields[name].name))

    def _compare(self, path: tuple[str, ...], name: str, position: int) -> None:
        use = self._uses[tuple(part.lower() for part in path)]
        if name in use.view.masks:
            shown = use.view.facts.fields[name].name
            raise self._wall.refused(
                f"{shown} is shown masked to you: it may be selected as it is, and not be filtered, sorted, grouped, "
                "aggregated or put into a function, which would tell its values.",
                position,
            )
        use.compared.add(name)

    def _reference(self, parts: tuple[str, ...], position: int) -> tuple[FieldFacts, tuple[str, ...]]:
        """Return the reference field that a relationship path ends with, and the path before it."""
        use = self._reach(parts[:-1], position)
        reference = use.view.facts.relationships.get(parts[-1].lower())
        if reference is None or reference.name.lower() not in use.view.shown:
            raise self._wall.no_relationship(parts[-1], position)
        self._compare(use.path, reference.name.lower(), position)
        return reference, use.path

    def _reach(self, parts: tuple[str, ...], position: int) -> _Use:
        """Return the use of the object that a path of relationships leads to."""
        key = tuple(part.lower() for part in parts)
        use = self._uses.get(key)
        if use is not None:
            return use
        reference, prefix = self._reference(parts, position)
        if reference.is_polymorphic or not reference.targets:
            raise self._wall.refused(
                f"{reference.relationship} may point to several objects, and a path beyond it cannot be checked: "
                "use TYPEOF.",
                position,
            )
        target = reference.targets[0]
        if not self._wall.policy.grants(target):
            raise self._wall.no_relationship(parts[-1], position)
        facts = self._wall.object(target, position)
        path = (*prefix, str(reference.relationship))
        use = _Use(view=self._wall.view(facts), path=path, position=position)
        self._uses[key] = use
        return use

    # Rows --------------------------------------------------------------------------------------------------------

    def _enforce(self, select: list[tree.SelectItem]) -> tuple[list[tree.SelectItem], list[int | None]]:
        """Gather the conditions that every object in use brings; return the caps of the root's roles."""
        caps: list[int | None] = []
        for use in self._uses.values():
            grants = use.view.choose(use.displayed, use.compared)
            if not grants:
                names = sorted(use.view.facts.fields[name].name for name in use.displayed | use.compared)
                raise self._wall.refused(
                    f"No single role of yours shows {', '.join(names)} of {use.view.facts.name} together: "
                    "ask for them in several queries.",
                    use.position,
                )
            if self._exports and (veiled := sorted(use.displayed & use.view.masks.keys())):
                # An export is written as Salesforce gives it.
                shown = use.view.facts.fields[veiled[0]].name
                raise self._wall.refused(
                    f"{shown} is shown masked to you and cannot be exported: leave it out, or use /query.", use.position
                )
            rows = joined([one.grant.where for one in grants])
            if not use.path:
                caps = [self._cap(one) for one in grants]
            if rows is None:
                continue
            if not self._takes_subqueries and has_subquery(rows):
                raise self._wall.refused(
                    f"The rows of {use.view.facts.name} that you may see are told by a subquery, and Salesforce takes "
                    f"none at this place: query {use.view.facts.name} itself.",
                    use.position,
                )
            self._forced.append(rows if not use.path else self._of_parent(use, rows))
        return select, caps

    def _of_parent(self, use: _Use, rows: tree.Condition) -> tree.Condition:
        """Return the condition that the parent, if there is one, is a row that may be seen."""
        facts = use.view.facts
        if has_subquery(rows):
            raise self._wall.refused(
                f"The rows of {facts.name} that you may see cannot be told along the path {'.'.join(use.path)}: "
                f"query {facts.name} itself.",
                use.position,
            )
        parent = self._uses[tuple(part.lower() for part in use.path[:-1])]
        reference = parent.view.facts.relationships[use.path[-1].lower()]
        none = tree.Comparison(
            left=tree.FieldPath(parts=(*use.path[:-1], reference.name)),
            operator=tree.Operator.EQUAL,
            right=tree.NullValue(),
        )
        return tree.Or(items=(none, *_alternatives(moved(rows, use.path, facts.name))))

    @property
    def _exports(self) -> bool:
        return Operation.EXPORT in self._wall.operations

    def _cap(self, one: GrantView) -> int | None:
        return one.grant.role.max_export_rows if self._exports else one.grant.role.max_rows


def _alternatives(condition: tree.Condition) -> tuple[tree.Condition, ...]:
    return condition.items if isinstance(condition, tree.Or) else (condition,)


def _capped(limit: int | tree.Bind | None, caps: list[int | None]) -> int | tree.Bind | None:
    known = [cap for cap in caps if cap is not None]
    if len(known) < len(caps) or not known or isinstance(limit, tree.Bind):
        return limit
    return max(known) if limit is None else min(limit, max(known))


def _is_aggregate(item: tree.SelectItem) -> bool:
    return isinstance(item, tree.SelectExpression) and _aggregates(item.expression)


def _aggregates(expression: tree.Argument) -> bool:
    if not isinstance(expression, tree.FunctionCall):
        return False
    return expression.name.upper() in AGGREGATES or any(map(_aggregates, expression.arguments))


def _is_in_group(facts: FieldFacts, group: tree.FieldGroup) -> bool:
    match group:
        case tree.FieldGroup.ALL:
            return True
        case tree.FieldGroup.CUSTOM:
            return facts.is_custom
        case tree.FieldGroup.STANDARD:
            return not facts.is_custom
        case _:
            assert_never(group)
