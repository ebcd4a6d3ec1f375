"""From a tree and a catalogue to a plan: which clauses may stand together, and the statement they make.

A query becomes one SQL statement. Without ORDER BY rows come in the order in which they were made (Assumed: the
platform promises none), and every order ends with the row's number, so that pages never overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from orgbridge.emulator.query.access import check_with, scope_conditions, sharing_conditions
from orgbridge.emulator.query.aggregates import AGGREGATES, plan_groups
from orgbridge.emulator.query.celltexts import cell_text
from orgbridge.emulator.query.expressions import operand_of, sorted_operand
from orgbridge.emulator.query.filters import Filter
from orgbridge.emulator.query.fragments import MAX_DEPTH, Fragment, balanced, depth, identifier, join
from orgbridge.emulator.query.ordering import order_term
from orgbridge.emulator.query.plans import ChildItem, Context, Feature, QueryPlan
from orgbridge.emulator.query.records import SelectList, child_relationship_of
from orgbridge.emulator.query.refusals import Refusals
from orgbridge.emulator.query.scopes import Scope
from orgbridge.emulator.query.semijoins import check_semi_joins, semi_join
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.soql import TOO_COMPLICATED, SOQLError, parse, tree, walk
from orgbridge.wire.fieldtypes import FieldType
from orgbridge.wire.limits import SOQL_OFFSET

#: Child subqueries inside each other, up to v57 and since; and beside each other.
#: Source: facts/salesforce/soql.md, "Relationship limits".
OLD_CHILD_LEVELS, CHILD_LEVELS, MAX_CHILDREN = 1, 5, 20
#: The last version with one level.
_OLD_VERSION = 57
#: Parents joined in one statement; SQLite joins 64 tables. The platform's own bound is 55 relationships.
MAX_JOINS = 60
#: Columns of one statement; SQLite takes 2,000.
MAX_COLUMNS = 1_990
#: Columns of a child row that travel in one JSON array.
CHILD_CHUNK = 100


def plan_query(
    catalogue: Catalogue,
    soql: str,
    *,
    include_deleted: bool = False,
    now: datetime,
    user_id: str = "",
    api_version: int | None = None,
) -> QueryPlan:
    """Return the plan of a query.

    Args:
        catalogue: The objects of the org.
        soql: The query.
        include_deleted: Whether rows in the recycle bin are seen, as queryAll does.
        now: The present instant, which relative dates count from.
        user_id: Who asks, for `USING SCOPE mine`.
        api_version: API version of the call, e.g. 62; None for the newest rules.

    Raises:
        SFError: The query is malformed, names what is not there, or asks for what is not evaluated. Nothing was read.
    """
    try:
        query = parse(soql)
    except SOQLError as error:
        raise SFError(error.error_code, error.message) from error
    return plan_tree(
        catalogue, query, soql, include_deleted=include_deleted, now=now, user_id=user_id, api_version=api_version
    )


def plan_tree(
    catalogue: Catalogue,
    query: tree.Query,
    soql: str,
    *,
    include_deleted: bool = False,
    now: datetime,
    user_id: str = "",
    api_version: int | None = None,
    restriction: Callable[[Scope], Fragment] | None = None,
) -> QueryPlan:
    """Return the plan of a tree.

    Args:
        catalogue: See `plan_query`.
        query: The tree.
        soql: The text that the positions in the tree are about.
        include_deleted: See `plan_query`.
        now: See `plan_query`.
        user_id: See `plan_query`.
        api_version: See `plan_query`.
        restriction: Gives a further condition that every row of the root must meet.

    Raises:
        SFError: See `plan_query`.
    """
    is_old = api_version is not None and api_version <= _OLD_VERSION
    context = Context(
        catalogue=catalogue,
        refusals=Refusals(soql),
        now=now,
        user_id=user_id,
        include_deleted=include_deleted,
        child_levels=OLD_CHILD_LEVELS if is_old else CHILD_LEVELS,
    )
    plan = _Planner(context, soql, restriction).plan(query)
    if depth(plan.sql) > MAX_DEPTH or plan.sql.count("JOIN") > MAX_JOINS:
        raise SFError("QUERY_TOO_COMPLICATED", TOO_COMPLICATED)
    return plan


class _Planner:
    def __init__(self, context: Context, soql: str, restriction: Callable[[Scope], Fragment] | None) -> None:
        self._restriction = restriction
        self._context = context
        self._refusals = context.refusals
        self._soql = soql

    def plan(self, query: tree.Query) -> QueryPlan:
        source = query.sources[0]
        sobject = self._context.catalogue.sobject(source.path[0]) if len(source.path) == 1 else None
        if sobject is None:
            raise self._refusals.no_object(source.position, ".".join(source.path))
        if not sobject.queryable:
            # Assumed: code and text.
            text = f"entity type {sobject.name} does not support query"
            raise SFError("INVALID_TYPE_FOR_OPERATION", text)
        self._check_clauses(query, is_root=True)
        scope = Scope(self._context.catalogue, self._refusals, sobject, self._context.aliases, query.sources)
        is_grouped = query.group_by is not None or any(_is_aggregate(item) for item in query.select)
        if query.for_ and is_grouped:
            # Assumed: the text; groups are no records that somebody could have seen.
            raise self._refusals.malformed(0, f"FOR {query.for_[0]} is not supported with aggregate queries")
        if _is_count(query):
            return self._count(query, scope)
        if is_grouped:
            return self._groups(query, scope)
        return self._records(query, scope)

    def _check_clauses(self, query: tree.Query, *, is_root: bool = False) -> None:
        # FOR UPDATE and ALL ROWS are Apex's; FOR VIEW and FOR REFERENCE stand at the end of the whole query.
        is_for_wrong = bool(query.for_) and (not is_root or "UPDATE" in query.for_)
        for clause, word in ((is_for_wrong, "FOR"), (query.update, "UPDATE"), (query.all_rows, "ALL")):
            if clause:
                raise SFError("MALFORMED_QUERY", f"unexpected token: '{word}'")
        grouped = query.group_by.items if query.group_by else ()
        if len(query.select) + len(query.order_by) + len(grouped) > MAX_COLUMNS:
            raise SFError("QUERY_TOO_COMPLICATED", TOO_COMPLICATED)
        if isinstance(query.offset, int) and query.offset > SOQL_OFFSET:
            # Assumed: the text, from memory; code and bound are documented.
            text = f"Maximum SOQL offset allowed is {SOQL_OFFSET}"
            raise self._refusals.at("NUMBER_OUTSIDE_VALID_RANGE", query.offset_position, text)
        check_with(self._refusals, query)
        children = [item for item in query.select if isinstance(item, tree.SelectQuery)]
        if len(children) > MAX_CHILDREN:
            # Assumed: code and text; the bound is documented.
            text = f"Maximum {MAX_CHILDREN} child subqueries are allowed in a query"
            raise self._refusals.malformed(children[MAX_CHILDREN].position, text)

    def _check_width(self, select: SelectList) -> None:
        if len(select.columns()) > MAX_COLUMNS:
            raise SFError("QUERY_TOO_COMPLICATED", TOO_COMPLICATED)

    def _where(self, query: tree.Query, scope: Scope) -> list[Fragment]:
        """Return the conditions of the root, all of which must hold."""
        conditions: list[Fragment] = []
        if not self._context.include_deleted:
            conditions.append(Fragment(f"{scope.alias}.{identifier('IsDeleted')} = 0"))
        conditions += sharing_conditions(self._context, scope)
        conditions += scope_conditions(self._context, query, scope)
        if self._restriction is not None:
            conditions.append(self._restriction(scope))
        if query.where is not None:
            check_semi_joins(self._context, query.where)
            filters = Filter(
                scope, self._context.now, semi_join=lambda condition: semi_join(self._context, scope, condition)
            )
            conditions.append(filters.condition(query.where))
        return conditions

    def _order(self, query: tree.Query, scope: Scope) -> list[str]:
        return [order_term(item, sorted_operand(scope, item.expression)) for item in query.order_by]

    def _records(self, query: tree.Query, scope: Scope) -> QueryPlan:
        select = SelectList(self._context, scope, lambda item, outer: self._child(item, outer, query, 1))
        select.add_all(query)
        shape = select.shape()
        self._check_width(select)
        conditions = self._where(query, scope)
        order = self._order(query, scope)
        rowid = f"{scope.alias}.rowid"
        source = f" FROM {scope.from_clause()}"
        where = balanced("AND", conditions).wrap(" WHERE ") if conditions else Fragment("")
        values = select.columns()
        cells = [cell_text(values[column.index], column.type) for column in select.csv_columns]
        features = select.features | ({Feature.OFFSET} if query.offset is not None else set())
        if query.for_:
            features.add(Feature.VIEWING)
        return QueryPlan(
            soql=self._soql,
            query=query,
            sobject=scope.sobject,
            shape=shape,
            columns=tuple(select.csv_columns),
            head=_selecting([*values, Fragment(rowid)], source, where),
            texts=_selecting(cells, source, where),
            tail=Fragment("ORDER BY " + ", ".join([*order, rowid])),
            seek=None if order else f"{'AND' if conditions else 'WHERE'} {rowid} >",
            is_ranged=_is_ranged(query, scope),
            counting=where.wrap("SELECT COUNT(*)" + source),
            limit=_number(query.limit),
            offset=_number(query.offset) or 0,
            features=frozenset(features),
        )

    def _count(self, query: tree.Query, scope: Scope) -> QueryPlan:
        if query.order_by:
            raise self._refusals.not_evaluated(query.order_by[0].position, "ORDER")
        if query.group_by is not None:
            raise self._refusals.not_evaluated(query.group_by.position, "GROUP")
        conditions = self._where(query, scope)
        where = balanced("AND", conditions).wrap(" WHERE ") if conditions else Fragment("")
        counting = where.wrap(" ".join(("SELECT COUNT(*) FROM", scope.from_clause())))
        features = {Feature.AGGREGATE} | ({Feature.OFFSET} if query.offset is not None else set())
        return QueryPlan(
            soql=self._soql,
            query=query,
            sobject=scope.sobject,
            shape=None,
            columns=(),
            head=counting,
            texts=counting,
            tail=Fragment(""),
            seek=None,
            is_ranged=False,
            counting=counting,
            limit=_number(query.limit),
            offset=_number(query.offset) or 0,
            features=frozenset(features),
        )

    def _groups(self, query: tree.Query, scope: Scope) -> QueryPlan:
        if query.group_by is None and query.limit is not None:
            # Assumed: the text, from memory; the rule is documented.
            text = "Non-grouped query that uses overall aggregate functions cannot also use LIMIT"
            raise self._refusals.malformed(query.limit_position, text)
        conditions = self._where(query, scope)
        groups = plan_groups(self._context, scope, query, conditions)
        features = {Feature.AGGREGATE}
        if query.group_by is not None:
            features.add(Feature.GROUP_BY)
        if query.offset is not None:
            features.add(Feature.OFFSET)
        return QueryPlan(
            soql=self._soql,
            query=query,
            sobject=scope.sobject,
            shape=groups.shape,
            columns=(),
            head=groups.statement,
            texts=groups.statement,
            tail=Fragment(groups.order),
            seek=None,
            is_ranged=False,
            counting=groups.statement.wrap("SELECT COUNT(*) FROM (", ")"),
            limit=_number(query.limit),
            offset=_number(query.offset) or 0,
            features=frozenset(features),
        )

    def _child(
        self, item: tree.SelectQuery, outer: Scope, parent: tree.Query, level: int
    ) -> tuple[Fragment, ChildItem]:
        """Plan a child subquery as one value: a JSON array with one array per row."""
        query = item.query
        if level > self._context.child_levels:
            # Assumed: code and text; the bound is documented.
            raise self._refusals.malformed(
                item.position, f"Maximum {self._context.child_levels} levels of subqueries are allowed"
            )
        self._check_child(query, parent)
        name, child, reference = child_relationship_of(self._context, outer.sobject, query.sources[0])
        scope = Scope(self._context.catalogue, self._refusals, child, self._context.aliases, query.sources)
        select = SelectList(
            self._context, scope, lambda inner, inside: self._child(inner, inside, query, level + 1), nested=True
        )
        select.add_all(query)
        shape = select.shape()
        self._check_width(select)
        link = Fragment(f"{scope.alias}.{identifier(reference.name)} = {outer.alias}.{identifier('Id')}")
        where = balanced("AND", [link, *self._where(query, scope)])
        order = ", ".join([*self._order(query, scope), f"{scope.alias}.rowid"])
        columns = select.columns()
        named = join(", ", [column.wrap("", f" AS c{index}") for index, column in enumerate(columns)])
        limit, offset = _number(query.limit), _number(query.offset) or 0
        rows = join(
            " ",
            (
                named.wrap("SELECT ", f" FROM {scope.from_clause()} WHERE"),
                where,
                Fragment(f"ORDER BY {order} LIMIT ? OFFSET ?", (-1 if limit is None else limit, offset)),
            ),
        )
        names = [f"c{index}" for index in range(len(columns))]
        # SQLite's functions take 127 arguments, so a row travels as an array of arrays.
        chunks = [names[start : start + CHILD_CHUNK] for start in range(0, len(names), CHILD_CHUNK)]
        values = ", ".join(f"json_array({', '.join(chunk)})" for chunk in chunks)
        fragment = rows.wrap("".join(("(SELECT json_group_array(json_array(", values, ")) FROM (")), "))")
        return fragment, ChildItem(key=name, index=0, shape=shape)

    def _check_child(self, query: tree.Query, parent: tree.Query) -> None:
        self._check_clauses(query)
        if query.group_by is not None or any(_is_aggregate(item) for item in query.select):
            # Assumed: the text, from memory.
            raise self._refusals.malformed(query.select[0].position, "only root queries support aggregate expressions")
        if query.offset is not None and parent.limit != 1:
            # Assumed: code and text; the rule is documented.
            text = "OFFSET in a subquery needs LIMIT 1 in the parent query"
            raise self._refusals.malformed(query.offset_position, text)


def _selecting(values: Sequence[Fragment], source: str, where: Fragment) -> Fragment:
    return join("", (join(", ", values).wrap("SELECT ", source), where))


def _number(count: int | tree.Bind | None) -> int | None:
    return count if isinstance(count, int) else None


def _is_ranged(query: tree.Query, scope: Scope) -> bool:
    conditions = query.where.items if isinstance(query.where, tree.And) else (query.where,)
    return any(
        isinstance(condition, tree.Comparison)
        and condition.operator not in (tree.Operator.EQUAL, tree.Operator.NOT_EQUAL)
        and isinstance(condition.left, tree.FieldPath)
        and operand_of(scope, condition.left).type is FieldType.DATETIME
        for condition in conditions
    )


def _is_count(query: tree.Query) -> bool:
    item = query.select[0]
    if len(query.select) > 1 or not isinstance(item, tree.SelectExpression) or item.alias:
        return False
    call = item.expression
    return isinstance(call, tree.FunctionCall) and call.name.upper() == "COUNT" and not call.arguments


def _is_aggregate(item: tree.SelectItem) -> bool:
    return isinstance(item, tree.SelectExpression) and any(
        isinstance(node, tree.FunctionCall) and node.name.upper() in AGGREGATES for node in walk(item)
    )
