"""What is logged, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from orgbridge.wiring.settings.topic import Topic


class LogSettings(Topic):
    """What is logged, and where to."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="one of DEBUG, INFO, WARNING, ERROR, CRITICAL", examples=["INFO"]
    )
    log_filename: Path | None = Field(
        None, description="the log file; empty logs to standard error only", examples=["sfdc_api.log"]
    )
    log_max_bytes: int = Field(
        10_485_760, ge=1, description="bytes at which the log file turns over", examples=["10485760"]
    )
    log_backup_count: int = Field(5, ge=0, description="how many old log files are kept", examples=["5"])

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_level(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value
