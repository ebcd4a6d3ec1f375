"""What an org asks beyond its objects and fields: who may do what, which rows are duplicates, how long rows lock."""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.emulator.org.intake import CHUNK_RECORDS
from orgbridge.emulator.schema.duplicate_rules import DuplicateRule
from orgbridge.emulator.schema.profiles import COMMUNITY, READ_ONLY, ProfileRights


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What an org asks beyond its objects and fields."""

    #: Profiles with rights of their own; users of any other may do everything.
    profiles: tuple[ProfileRights, ...] = (READ_ONLY, COMMUNITY)
    #: Duplicate rules, in the order in which they are tried.
    duplicate_rules: tuple[DuplicateRule, ...] = ()
    #: Seconds that the parents of rows written by a bulk job stay locked for others; 0 for never.
    lock_seconds: float = 0.0
    #: Rows below one parent in a batch of a bulk job that lock it for jobs running side by side; 0 for never.
    lock_rows: int = CHUNK_RECORDS
