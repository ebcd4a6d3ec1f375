"""ORDER BY: without regard to case, nulls first both ways unless told otherwise.

Source: facts/salesforce/soql.md section 2, "Semantics to emulate". Assumed: picklists sort by their values.
"""

from __future__ import annotations

from orgbridge.emulator.query.operands import Operand
from orgbridge.soql import tree
from orgbridge.wire.fieldtypes import FieldType


def order_term(item: tree.OrderItem, operand: Operand, sql: str | None = None) -> str:
    """Return one term of SQL's ORDER BY.

    Args:
        item: Says which way, and where nulls go.
        operand: What is sorted by.
        sql: SQL of the sort key when it is not the operand's own.
    """
    # NULLS LAST is documented to do nothing for references.
    nulls = tree.Nulls.FIRST if operand.type is FieldType.REFERENCE else item.nulls or tree.Nulls.FIRST
    direction = item.direction or tree.Direction.ASC
    return f"{sql or sort_key(operand)} {direction.value} NULLS {nulls.value}"


def sort_key(operand: Operand) -> str:
    """Return the SQL that an operand is sorted by."""
    field = operand.field
    is_exact = field is not None and field.is_text and field.case_sensitive
    return f"SF_FOLD({operand.column})" if is_exact else operand.key
