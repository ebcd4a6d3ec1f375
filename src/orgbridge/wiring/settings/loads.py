"""How loads run, what they leave of the org's daily API requests, and how long they are kept."""

from __future__ import annotations

from pydantic import Field

from orgbridge.wire.limits import INGEST_BATCH_RECORDS
from orgbridge.wiring.settings.topic import Topic


class LoadSettings(Topic):
    """How loads run, what they leave of the org's daily API requests, and how long they are kept."""

    orgbridge_part_rows: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description=f"rows of one part of a load, best a multiple of {INGEST_BATCH_RECORDS}; empty chooses by size",
        examples=["100000"],
    )
    orgbridge_parts_in_parallel: int = Field(
        5, ge=1, le=25, description="parts of all loads that are at Salesforce at once, 1 to 25", examples=["5"]
    )
    orgbridge_poll_seconds: float = Field(
        5.0, gt=0, le=300, description="longest pause in seconds between two looks at a Salesforce job", examples=["5"]
    )
    orgbridge_patience_seconds: float = Field(
        600.0,
        gt=0,
        le=86_400,
        description="seconds that a load waits for a Salesforce that does not answer before a part is given up",
        examples=["600"],
    )
    orgbridge_lease_seconds: float = Field(
        30.0,
        ge=2,
        le=600,
        description="seconds after which a silent worker counts as dead (PostgreSQL)",
        examples=["30"],
    )
    orgbridge_api_reserve_percent: float = Field(
        20.0,
        ge=0,
        le=100,
        description="percent of the org's daily API requests that loads leave untouched, 0 to 100",
        examples=["20"],
    )
    orgbridge_api_caller_percent: float = Field(
        100.0,
        gt=0,
        le=100,
        description="percent of the org's daily API requests that one caller may use in 24 hours; 100 sets no share",
        examples=["25"],
    )
    orgbridge_api_recheck_seconds: float = Field(
        900.0,
        gt=0,
        le=86_400,
        description="seconds until a parked load looks again whether the org has API requests to spare",
        examples=["900"],
    )
    orgbridge_api_queue_seconds: float = Field(
        30.0,
        gt=0,
        le=600,
        description="seconds that a request waits for its turn when too many calls to Salesforce run at once",
        examples=["30"],
    )
    orgbridge_retention_days: float | None = Field(
        30.0,
        gt=0,
        le=36_500,
        description="days after which inputs and results of ended loads are removed; counts and receipts stay",
        examples=["30"],
    )
    orgbridge_retention_rows_days: float | None = Field(
        None,
        gt=0,
        le=36_500,
        description="days after which counts and receipts of ended loads are removed too; empty keeps them",
        examples=["730"],
    )
