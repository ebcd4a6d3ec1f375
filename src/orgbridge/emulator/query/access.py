"""USING SCOPE and WITH: whose records a query sees, and under which rights.

Every user of this org may read every record and field, so SECURITY_ENFORCED, USER_MODE and SYSTEM_MODE leave a result
as it is.

Source: facts/salesforce/soql.md section 2 (`scope`, `withList`); SOQL and SOSL Reference, "USING SCOPE".
Assumed: codes and texts of the refusals.
"""

from __future__ import annotations

from typing import assert_never

from orgbridge.emulator.query.fragments import Fragment, identifier
from orgbridge.emulator.query.plans import Context
from orgbridge.emulator.query.refusals import Refusals
from orgbridge.emulator.query.scopes import Scope
from orgbridge.emulator.schema.errors import SFError
from orgbridge.soql import tree

#: Scopes of the language that need delegation, teams, territories or queues, which this org does not have.
UNSUPPORTED_SCOPES = frozenset({"delegated", "mine_and_my_groups", "my_territory", "my_team_territory", "team"})


def scope_conditions(context: Context, query: tree.Query, scope: Scope) -> list[Fragment]:
    """Return what USING SCOPE adds to WHERE: nothing for everything, the own records for mine.

    Raises:
        SFError: MALFORMED_QUERY, another scope.
    """
    # Without scoping rules, which this org cannot have, the scope scopingRule is everything. Source: the same page.
    if query.scope is None or query.scope.lower() in ("everything", "scopingrule"):
        return []
    if query.scope.lower() == "mine" and scope.sobject.field("OwnerId"):
        return [Fragment(f"{scope.alias}.{identifier('OwnerId')} = ?", (context.user_id,))]
    if query.scope.lower() in UNSUPPORTED_SCOPES | {"mine"}:
        text = f"Scope '{query.scope}' is not supported for entity '{scope.sobject.name}'"
        raise SFError("MALFORMED_QUERY", text)
    raise SFError("MALFORMED_QUERY", f"unexpected token: '{query.scope}'")


def sharing_conditions(context: Context, scope: Scope) -> list[Fragment]:
    """Return which rows of a query's object its user may see: nothing where that is all of them."""
    sharing = scope.sobject.sharing
    if sharing is None:
        return []
    return [Fragment(sharing.replace("{row}", scope.alias), (context.user_id,) * sharing.count("?"))]


def check_with(refusals: Refusals, query: tree.Query) -> None:
    """Refuse WITH clauses that this org cannot honour.

    Raises:
        SFError: MALFORMED_QUERY or INVALID_FIELD.
    """
    match query.with_:
        case None | tree.WithMode():
            return
        case tree.WithDataCategory(position=position):
            text = "Data category filtering is only supported for Question and KnowledgeArticleVersion"
            raise refusals.malformed(position, text)
        case tree.WithRecordVisibility(position=position):
            raise refusals.malformed(position, "RecordVisibilityContext is not supported for this query")
        case tree.WithCondition(position=position):
            raise refusals.not_evaluated(position, "WITH")
        case _:
            assert_never(query.with_)
