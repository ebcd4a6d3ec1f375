"""What a worker may be told about how to work."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from orgbridge.kit.receivers import WebhookPolicy
from orgbridge.store.files.targets import Targets


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
    #: While a load waits for long: how often it looks whether somebody asked to stop it.
    cancel_look_seconds: float = 2.0
    #: Pause before the second look at a running job, and the shortest; the others follow the job's rows and rate.
    poll_seconds: float = 0.2
    #: Longest pause between looks at a running job. Every look costs one API request.
    longest_poll_seconds: float = 5.0
    #: How long a job may show no progress before it is reported as stalled.
    stall_seconds: float = 900.0
    #: How long a job may take before its part is parked: its place goes to others, and it is looked at less often.
    park_seconds: float = 21_600.0
    #: Longest pause between looks at a parked job.
    parked_poll_seconds: float = 60.0
    #: Rounds in which rows that could not be locked are sent again, for loads that do not say.
    retry_rounds: int = 5
    #: Pause before the first such round; doubled for each.
    retry_pause_seconds: float = 2.0
    #: Longest pause before such a round.
    longest_retry_pause_seconds: float = 60.0
    #: Rows of an update or upsert up to which before-images are taken, for loads that do not say.
    image_rows: int = 10_000
    #: Age of an open job that nobody remembers before the sweep takes it for an orphan.
    orphan_seconds: float = 60.0
    #: Folder into which results are copied; None: nowhere.
    output_folder: Path | None = None
    #: Folder into which failed rows are copied; None: nowhere.
    failed_folder: Path | None = None
    #: Uploads of one part whose outcome stayed unknown, after which the part is given up. Kills do not count.
    upload_attempts: int = 8
    #: Placements that one worker carries at the same time; most of them wait for Salesforce.
    placements_per_worker: int = 50
    #: How long a placement puts up with a checkout that does not get on, before the cart is given back.
    checkout_seconds: float = 300.0
    #: How long a request that makes an order may still be under way after it was sent and not answered. Longer than the
    #: client waits for a reply, so that no request of another worker can be.
    order_settle_seconds: float = 160.0
    #: How long, after that, an order is looked for whose cart says that there is one.
    order_find_seconds: float = 120.0
    #: Pause before an order whose outcome is unknown is looked at again, doubled each time up to the longest.
    order_look_seconds: float = 60.0
    longest_order_look_seconds: float = 21_600.0
    #: Pause before the second look at a checkout, and the longest one.
    checkout_poll_seconds: float = 0.1
    longest_checkout_poll_seconds: float = 2.0
    #: Pause before a failed computation of a checkout is started again, and how often that is done.
    checkout_retry_seconds: float = 2.5
    checkout_retries: int = 12
    #: The field of Order that carries our marker on orders of the second way; None takes the first that fits.
    order_marker_field: str | None = None
    #: Connections of the durable engine to PostgreSQL.
    engine_pool_size: int = 10
    #: Where exports may be put besides the file store.
    targets: Targets = field(default_factory=Targets)
    #: Which receivers of webhooks are allowed besides public ones.
    webhooks: WebhookPolicy = field(default_factory=WebhookPolicy)
    #: How often ended loads and due messages are looked for.
    notify_seconds: float = 1.0
    #: Pauses after failed attempts to deliver a message; after the last of them it is given up. About 15 hours in all.
    webhook_pauses: tuple[float, ...] = (5, 30, 120, 600, 1800, 3600, 7200, 10800, 14400, 14400)
    #: Days after which inputs, results and durable workflows of ended loads are removed; None keeps them.
    retention_days: float | None = 30.0
    #: Days after which the loads themselves, counts and receipts, are removed; None keeps them.
    retention_rows_days: float | None = None
    #: Days after which decided orders of carts are forgotten, and their keys with them; None keeps them.
    retention_orders_days: float | None = 400.0
    #: How often a worker looks for what is past its time.
    retention_seconds: float = 900.0
