"""The SOQL firewall: a query as a caller's policy allows it, or a refusal that names the part and the place.

Every object, field and relationship is resolved by describe and checked; what cannot be resolved is refused. The rows
that a policy allows are added to WHERE at every level where an object is read: the query itself, its child subqueries,
its semi-joins, and the parents that paths lead to. Names come back in the schema's spelling and without aliases, so
that Salesforce reads the same query that was checked. Pure: describes are given, see `FactsMissing`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import assert_never

from orgbridge.services.policies.conditions import both, has_subquery, joined, moved
from orgbridge.services.policies.errors import QueryRefused
from orgbridge.services.policies.facts import FieldFacts, ObjectFacts
from orgbridge.services.policies.model import Operation
from orgbridge.services.policies.paths import Paths, Use
from orgbridge.services.policies.policy import GrantView, Policy
from orgbridge.services.policies.questions import Lookup, Question
from orgbridge.soql import parse, print_query, tree

#: Functions of which one row is made of many.
AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A query that may be run."""

    #: The tree with all that was added.
    query: tree.Query
    #: Its text.
    text: str
    #: True when the policy's cap stands in place of the query's own LIMIT, so that there may be more rows.
    is_capped: bool


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
    question = Question(soql, policy, lookup, operations)
    facts = question.root(query)
    secured = QueryScope(question, facts, query).secured(outer_name=facts.name)
    text = print_query(secured)
    if parse(text) != secured:
        raise QueryRefused("The query cannot be written in a form that is sure to be read as it was checked.")
    return Secured(query=secured, text=text, is_capped=secured.limit != query.limit)


class QueryScope:
    """One query or subquery: the object that it reads, and what its paths reach."""

    def __init__(
        self, question: Question, facts: ObjectFacts, query: tree.Query, *, takes_subqueries: bool = True
    ) -> None:
        self._question = question
        self._takes_subqueries = takes_subqueries
        self._facts = facts
        self._query = query
        self._paths = Paths(question, facts, query.sources[0].position)
        self._forced: list[tree.Condition] = []

    def secured(self, *, outer_name: str) -> tree.Query:
        """Return the query with checked names, forced conditions and caps.

        Args:
            outer_name: What stands after FROM in the result.
        """
        query = self._query
        self._check_clauses(query)
        self._paths.name_sources(query.sources)
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
        self._paths.compare((), name, self._query.sources[0].position)

    # Clauses -----------------------------------------------------------------------------------------------------

    def _check_clauses(self, query: tree.Query) -> None:
        match query.with_:
            case None | tree.WithMode() | tree.WithDataCategory():
                pass
            case tree.WithCondition() | tree.WithRecordVisibility():
                raise self._question.refused("This WITH clause cannot be checked: leave it out.", query.with_.position)
            case _:
                assert_never(query.with_)
        if (query.for_ or query.update) and not self._question.policy.allows(self._facts.name, Operation.UPDATE):
            raise self._question.refused(
                f"FOR and UPDATE write to {self._facts.name}, and no role of yours allows update on it.", query.position
            )

    # SELECT ------------------------------------------------------------------------------------------------------

    def _select_item(self, item: tree.SelectItem, *, grouped: bool) -> Iterable[tree.SelectItem]:
        match item:
            case tree.SelectExpression(expression=tree.FieldPath() as path):
                is_shown_as_it_is = not grouped and item.alias is None
                return [replace(item, expression=self._paths.resolve(path, displayed=is_shown_as_it_is))]
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
        view = self._paths.root.view
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
            raise self._question.refused(f"FIELDS({item.group.value}) has no field for you.", item.position)
        paths = [tree.FieldPath(parts=(name,), position=item.position) for name in found]
        return [
            tree.SelectExpression(expression=self._paths.resolve(path, displayed=True), position=item.position)
            for path in paths
        ]

    def _child(self, query: tree.Query) -> tree.Query:
        source = query.sources[0]
        name = source.path[-1]
        is_prefixed = len(source.path) == 2 and self._paths.is_root(source.path[0])
        child = self._facts.children.get(name.lower()) if len(source.path) == 1 or is_prefixed else None
        if child is None or not self._question.policy.grants(child.sobject):
            raise self._question.no_relationship(name, source.position, "FROM part of query call")
        facts = self._question.object(child.sobject, source.position)
        scope = QueryScope(self._question, facts, query)
        if child.field.lower() not in scope._paths.root.view.shown:
            raise self._question.no_relationship(name, source.position, "FROM part of query call")
        scope.compare_root(child.field.lower())
        return scope.secured(outer_name=child.name)

    def _typeof(self, item: tree.SelectTypeOf) -> tree.SelectItem:
        parts = self._paths.stripped(item.relationship)
        reference, prefix = self._paths.reference(parts, item.relationship.position)
        whens = []
        for when in item.whens:
            target = next((name for name in reference.targets if name.lower() == when.sobject.lower()), None)
            if target is None or not self._question.policy.grants(target):
                raise self._question.no_object(when.sobject, when.position)
            fields = tuple(
                self._paths.on_target(self._question.object(target, when.position), path) for path in when.fields
            )
            whens.append(replace(when, sobject=target, fields=fields))
        otherwise = tuple(self._paths.polymorphic(reference, path) for path in item.otherwise)
        relationship = replace(item.relationship, parts=(*prefix, str(reference.relationship)))
        return replace(item, relationship=relationship, whens=tuple(whens), otherwise=otherwise)

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
        facts = self._question.root(query)
        scope = QueryScope(self._question, facts, query, takes_subqueries=False)
        # What a semi-join selects chooses rows: masks do not help there.
        for item in query.select:
            if not isinstance(item, tree.SelectExpression):
                raise self._question.refused("A query inside IN selects one field.", item.position)
            scope._expression(item.expression)
        secured = scope.secured(outer_name=facts.name)
        # Salesforce takes a LIMIT inside IN; a cap there would change which rows are found.
        return replace(secured, limit=query.limit)

    def _expression(self, expression: tree.Expression) -> tree.Expression:
        match expression:
            case tree.FieldPath():
                return self._paths.resolve(expression, displayed=False)
            case tree.FunctionCall(arguments=arguments):
                checked = tuple(
                    self._expression(item) if isinstance(item, tree.FieldPath | tree.FunctionCall) else item
                    for item in arguments
                )
                return replace(expression, arguments=checked)
            case _:
                assert_never(expression)

    # Rows --------------------------------------------------------------------------------------------------------

    def _enforce(self, select: list[tree.SelectItem]) -> tuple[list[tree.SelectItem], list[int | None]]:
        """Gather the conditions that every object in use brings; return the caps of the root's roles."""
        caps: list[int | None] = []
        for use in self._paths.uses():
            grants = use.view.choose(use.displayed, use.compared)
            if not grants:
                names = sorted(use.view.facts.fields[name].name for name in use.displayed | use.compared)
                raise self._question.refused(
                    f"No single role of yours shows {', '.join(names)} of {use.view.facts.name} together: "
                    "ask for them in several queries.",
                    use.position,
                )
            if self._exports and (veiled := sorted(use.displayed & use.view.masks.keys())):
                # An export is written as Salesforce gives it.
                shown = use.view.facts.fields[veiled[0]].name
                raise self._question.refused(
                    f"{shown} is shown masked to you and cannot be exported: leave it out, or use /query.", use.position
                )
            rows = joined([one.grant.where for one in grants])
            if not use.path:
                caps = [self._cap(one) for one in grants]
            if rows is None:
                continue
            if not self._takes_subqueries and has_subquery(rows):
                raise self._question.refused(
                    f"The rows of {use.view.facts.name} that you may see are told by a subquery, and Salesforce takes "
                    f"none at this place: query {use.view.facts.name} itself.",
                    use.position,
                )
            self._forced.append(rows if not use.path else self._of_parent(use, rows))
        return select, caps

    def _of_parent(self, use: Use, rows: tree.Condition) -> tree.Condition:
        """Return the condition that the parent, if there is one, is a row that may be seen."""
        facts = use.view.facts
        if has_subquery(rows):
            raise self._question.refused(
                f"The rows of {facts.name} that you may see cannot be told along the path {'.'.join(use.path)}: "
                f"query {facts.name} itself.",
                use.position,
            )
        parent = self._paths.parent(use)
        reference = parent.view.facts.relationships[use.path[-1].lower()]
        none = tree.Comparison(
            left=tree.FieldPath(parts=(*use.path[:-1], reference.name)),
            operator=tree.Operator.EQUAL,
            right=tree.NullValue(),
        )
        return tree.Or(items=(none, *_alternatives(moved(rows, use.path, facts.name))))

    @property
    def _exports(self) -> bool:
        return Operation.EXPORT in self._question.operations

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
