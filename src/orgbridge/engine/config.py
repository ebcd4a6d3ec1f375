"""What a worker may be told about how to work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """How one worker works. Durations are seconds."""

    #: Where the durable engine's SQLite file lies; None: beside the store's. Not used on PostgreSQL.
    engine_file: Path | None = None
    #: How long a silent worker keeps its work before others take it over. PostgreSQL only.
    lease_seconds: float = 30.0
    #: How often a worker renews its lease and looks for dead ones. PostgreSQL only.
    beat_seconds: float = 5.0
    #: How often the store is asked for new loads.
    dispatch_seconds: float = 0.2
    #: How often a worker looks for loads whose workflow broke, to end them.
    watch_seconds: float = 15.0
    #: Parts of one org that run at the same time, over all workers.
    parts_per_org: int = 5
    #: Loads that one worker carries at the same time.
    loads_per_worker: int = 50
    #: Parts that one worker carries at the same time; most of them wait for Salesforce.
    parts_per_worker: int = 50
    #: Parts whose results are matched at the same time in one worker: bounds memory.
    matches_per_worker: int = 1
    #: Inputs that are split at the same time in one worker: bounds memory.
    splits_per_worker: int = 1
    #: Bytes of CSV that are cut between two looks at the step log; the first so many are checked before anything is
    #: sent. None: as the format of the input needs.
    piece_bytes: int | None = None
    #: How long a step puts up with a Salesforce that does not answer, before its part is given up.
    patience_seconds: float = 600.0
    #: Pause after the first failed try; doubled up to the longest.
    pause_seconds: float = 0.5
    #: Longest pause between tries.
    longest_pause_seconds: float = 30.0
    #: Pause before the second look at a running job, and the shortest; the others follow the job's rows and rate.
    poll_seconds: float = 0.2
    #: Longest pause between looks at a running job. Every look costs one API request.
    longest_poll_seconds: float = 5.0
    #: Uploads of one part whose outcome stayed unknown, after which the part is given up. Kills do not count.
    upload_attempts: int = 8
    #: Connections of the durable engine to PostgreSQL.
    engine_pool_size: int = 10
