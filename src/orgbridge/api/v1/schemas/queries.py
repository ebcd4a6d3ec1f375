"""Shapes of queries, searches and limits."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from orgbridge.api.v1.schemas.records import SOQL_SCHEMA

#: A SOSL text in the API documents.
SOSL_SCHEMA: dict[str, Any] = {"pattern": r"^\s*[Ff][Ii][Nn][Dd]\s*\{"}
_RECORD: dict[str, Any] = {
    "attributes": {"type": "Account", "url": "/services/data/v67.0/sobjects/Account/001Ob..."},
    "Id": "001Ob0000000001AAA",
    "Name": "New Account",
}


class QueryRequest(BaseModel):
    """A SOQL query."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"q": "SELECT Id, Name FROM Account LIMIT 10", "include_deleted": False},
                {
                    "q": "SELECT Id FROM Account WHERE Name = :name AND Industry IN :industries AND CreatedDate > :day",
                    "binds": {
                        "name": "O'Neill & Sons",
                        "industries": ["Energy", "Retail"],
                        "day": {"literal": "LAST_N_DAYS:30"},
                    },
                },
            ]
        },
    )

    q: str = Field(min_length=1, max_length=100_000, description="The SOQL text.", json_schema_extra=SOQL_SCHEMA)
    include_deleted: StrictBool = Field(False, description="See the recycle bin too.")
    binds: dict[str, Any] | None = Field(
        None,
        description=(
            "Values for the `:name` in the text: a text, number, true, false, null, a list for IN, or an object with "
            'a type: `{"date": "2026-01-31"}`, `datetime`, `time`, `decimal`, `literal` (`LAST_N_DAYS:30`).'
        ),
        examples=[{"name": "O'Neill & Sons"}],
    )
    page_size: int | None = Field(
        None, ge=200, le=2_000, description="Records of a page; Salesforce's own choice if absent."
    )


class QueryReply(BaseModel):
    """One page of a query."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"totalSize": 1, "done": True, "next": None, "via": "query", "row_cap": None, "records": [_RECORD]}
            ]
        }
    )

    totalSize: int = Field(description="Records of the whole query.")  # noqa: N815 - Salesforce's own key
    done: bool = Field(description="True on the last page.")
    next: str | None = Field(description="Path of the next page; of use to this caller only.")
    via: Literal["query", "composite"] = Field(
        description="How the query went: one too long for a URL goes by a composite call."
    )
    row_cap: int | None = Field(
        description="Most rows that your roles let this query return, when they changed its LIMIT: as many as "
        "`totalSize` may mean that there are more."
    )
    records: list[dict[str, Any]] = Field(description="Records as Salesforce gives them.")


class SearchReply(BaseModel):
    """What a search found."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"searchRecords": [_RECORD]}]})

    searchRecords: list[dict[str, Any]] = Field(  # noqa: N815 - Salesforce's own key
        description="Records as Salesforce gives them."
    )


class BudgetFigures(BaseModel):
    """The org's API requests of the rolling day, as the last reply told them."""

    allowed: int | None = Field(description="Requests allowed; null before the first reply.")
    used: int | None = Field(description="Requests used, by whomever.")
    remaining: int | None = Field(description="Requests left.")
    reserve_percent: float = Field(description="Percent that loads leave untouched.")
    reserve: int | None = Field(description="The same as a number of requests.")
    remaining_for_loads: int | None = Field(description="Requests that loads may still use.")
    loads_parked: bool = Field(description="True when loads wait for the budget.")
    loads_parked_until: str | None = Field(description="When they look again.")
    caller_percent: float = Field(description="Percent that one caller may use in 24 hours; 100 sets no share.")
    caller_share: int | None = Field(description="The same as a number of requests; null without a share.")


class ConcurrencyFigures(BaseModel):
    """Calls of this process to Salesforce."""

    limit: int = Field(description="Calls that may run at once now; fewer while the org is overloaded.")
    ceiling: int = Field(description="Most calls at once.")
    running: int = Field(description="Calls that run.")
    waiting: int = Field(description="Calls that wait for their turn.")


class CallerFigures(BaseModel):
    """The caller's own use."""

    name: str = Field(description="Who asks.")
    calls_in_24_hours: int = Field(description="Calls that this process made for the caller.")


class ConnectionFigures(BaseModel):
    """Whether Salesforce lets this service sign in."""

    state: Literal["ready", "needs_reconsent"] = Field(
        description="`needs_reconsent` while Salesforce refuses until somebody consents again, or mends the user, the "
        "app or the secret; loads wait meanwhile."
    )
    error: str | None = Field(None, description="OAuth's word for it.")
    cause: str | None = Field(None, description="What is wrong.")
    remedy: str | None = Field(None, description="What to do about it.")
    since: str | None = Field(None, description="When Salesforce refused first.")
    next_try_at: str | None = Field(None, description="When it is asked again; other credentials are tried at once.")


class ServiceFigures(BaseModel):
    """What this process knows and does."""

    salesforce_calls: int = Field(description="HTTP requests to Salesforce since the start.")
    connection: ConnectionFigures
    budget: BudgetFigures
    concurrency: ConcurrencyFigures
    caller: CallerFigures


class LimitsReply(BaseModel):
    """The org's limits, and this service's budget of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "org": {"DailyApiRequests": {"Max": 100000, "Remaining": 99873}},
                    "service": {
                        "salesforce_calls": 127,
                        "connection": {"state": "ready"},
                        "budget": {
                            "allowed": 100000,
                            "used": 127,
                            "remaining": 99873,
                            "reserve_percent": 20.0,
                            "reserve": 20000,
                            "remaining_for_loads": 79873,
                            "loads_parked": False,
                            "loads_parked_until": None,
                            "caller_percent": 100.0,
                            "caller_share": None,
                        },
                        "concurrency": {"limit": 20, "ceiling": 20, "running": 0, "waiting": 0},
                        "caller": {"name": "erp", "calls_in_24_hours": 12},
                    },
                }
            ]
        }
    )

    org: dict[str, Any] | None = Field(description="As Salesforce gives them; null while the org needs consent again.")
    service: ServiceFigures
