"""What a Bulk API 2.0 query job refuses that REST takes.

Source: facts/salesforce/bulk2.md sections 8 and 9. Assumed: the texts of those refusals that are not marked there.
"""

from __future__ import annotations

from orgbridge.emulator.query.plans import Feature, QueryPlan
from orgbridge.emulator.schema.errors import SFError

_REFUSALS: tuple[tuple[Feature, str, str], ...] = (
    (Feature.CHILDREN, "API_ERROR", "Aggregate Relationships not supported in Bulk Query"),
    (Feature.COMPOUND, "API_ERROR", "Selecting compound data not supported in Bulk Query"),
    (Feature.GROUP_BY, "API_ERROR", "Group By Not Supported in Bulk Query"),
    (Feature.AGGREGATE, "API_ERROR", "Aggregate Functions Not Supported in Bulk Query"),
    (Feature.OFFSET, "API_ERROR", "Offset Not Supported in Bulk Query"),
    (Feature.TYPEOF, "API_ERROR", "TypeOf Not Supported in Bulk Query"),
    (Feature.BASE64, "API_ERROR", "Selecting binary data not supported in Bulk Query"),
    (Feature.VIEWING, "MALFORMED_QUERY", "For View and For Reference are not supported in Bulk Query"),
    (Feature.FIELDS_UNBOUNDED, "MALFORMED_QUERY", "Only FIELDS(STANDARD) is supported in Bulk Query"),
)


def check_bulk(plan: QueryPlan) -> None:
    """Refuse a plan that a query job cannot run.

    Raises:
        SFError: It uses a construct that is not supported there; the first found is named.
    """
    for feature, code, text in _REFUSALS:
        if feature in plan.features:
            raise SFError(code, text)
