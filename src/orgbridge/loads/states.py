"""The state machines of a part and of a load.

A part goes one way:

    planned -> job_created -> uploaded -> committed -> finished -> fetched -> matched

and leaves it so: before the commit it may be `aborted`, at any step before the end it may be `failed`, and a job that
was created but not committed may be given up for a new one (`restarted`, back to `planned`).

Laws:
1. The commit (`PATCH state=UploadComplete`) is the one irreversible act: no arrow leads from `committed` or any later
   state back to an earlier one, so no part can be committed twice.
2. Nothing is aborted after the commit. A job that Salesforce or somebody aborted goes on to `finished`, for its
   results still say which rows were written.
3. `matched`, `aborted` and `failed` are ends: no arrow leaves them.
4. A commit comes only after an upload, a match only after a fetch: every arrow but `failed`, `aborted` and `restarted`
   is exactly one step long.

Each arrow is one durable step whose outcome is recorded before the next begins.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from orgbridge.loads.errors import IllegalTransition


class PartState(StrEnum):
    """How far a part has come."""

    PLANNED = "planned"
    JOB_CREATED = "job_created"
    UPLOADED = "uploaded"
    COMMITTED = "committed"
    FINISHED = "finished"
    FETCHED = "fetched"
    MATCHED = "matched"
    ABORTED = "aborted"
    FAILED = "failed"


class PartEvent(StrEnum):
    """What has happened to a part."""

    JOB_CREATED = "job_created"
    UPLOADED = "uploaded"
    COMMITTED = "committed"
    #: The job reached a terminal state at Salesforce: JobComplete, Failed or Aborted.
    FINISHED = "finished"
    FETCHED = "fetched"
    MATCHED = "matched"
    #: The job was given up before its commit (an upload of unknown outcome, a job aborted by somebody else).
    RESTARTED = "restarted"
    #: The load was cancelled before the commit: no row of the part was sent for processing.
    ABORTED = "aborted"
    #: The part cannot go on.
    FAILED = "failed"


class LoadState(StrEnum):
    """State of a load, in the words of the platform."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    JOB_COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"


class LoadEvent(StrEnum):
    """What has happened to a load."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"


#: The way of a part without trouble, in order.
PART_PATH: Final = (
    PartState.PLANNED,
    PartState.JOB_CREATED,
    PartState.UPLOADED,
    PartState.COMMITTED,
    PartState.FINISHED,
    PartState.FETCHED,
    PartState.MATCHED,
)
PART_ENDS: Final = frozenset({PartState.MATCHED, PartState.ABORTED, PartState.FAILED})
LOAD_ENDS: Final = frozenset({LoadState.JOB_COMPLETE, LoadState.FAILED, LoadState.ABORTED})

_P, _E = PartState, PartEvent
TRANSITIONS: Final = MappingProxyType(
    {
        (_P.PLANNED, _E.JOB_CREATED): _P.JOB_CREATED,
        (_P.JOB_CREATED, _E.UPLOADED): _P.UPLOADED,
        (_P.UPLOADED, _E.COMMITTED): _P.COMMITTED,
        (_P.COMMITTED, _E.FINISHED): _P.FINISHED,
        (_P.FINISHED, _E.FETCHED): _P.FETCHED,
        (_P.FETCHED, _E.MATCHED): _P.MATCHED,
        (_P.JOB_CREATED, _E.RESTARTED): _P.PLANNED,
        (_P.UPLOADED, _E.RESTARTED): _P.PLANNED,
        (_P.PLANNED, _E.ABORTED): _P.ABORTED,
        (_P.JOB_CREATED, _E.ABORTED): _P.ABORTED,
        (_P.UPLOADED, _E.ABORTED): _P.ABORTED,
        (_P.PLANNED, _E.FAILED): _P.FAILED,
        (_P.JOB_CREATED, _E.FAILED): _P.FAILED,
        (_P.UPLOADED, _E.FAILED): _P.FAILED,
        (_P.COMMITTED, _E.FAILED): _P.FAILED,
        (_P.FINISHED, _E.FAILED): _P.FAILED,
        (_P.FETCHED, _E.FAILED): _P.FAILED,
    }
)
LOAD_TRANSITIONS: Final = MappingProxyType(
    {
        (LoadState.QUEUED, LoadEvent.STARTED): LoadState.IN_PROGRESS,
        (LoadState.QUEUED, LoadEvent.FAILED): LoadState.FAILED,
        (LoadState.QUEUED, LoadEvent.ABORTED): LoadState.ABORTED,
        (LoadState.IN_PROGRESS, LoadEvent.COMPLETED): LoadState.JOB_COMPLETE,
        (LoadState.IN_PROGRESS, LoadEvent.FAILED): LoadState.FAILED,
        (LoadState.IN_PROGRESS, LoadEvent.ABORTED): LoadState.ABORTED,
    }
)


def advance(state: PartState, event: PartEvent) -> PartState:
    """Return the state of a part after an event.

    Raises:
        IllegalTransition: The table has no such arrow.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None


def advance_load(state: LoadState, event: LoadEvent) -> LoadState:
    """Return the state of a load after an event.

    Raises:
        IllegalTransition: The table has no such arrow.
    """
    try:
        return LOAD_TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None


def has_reached(state: PartState, milestone: PartState) -> bool:
    """Tell whether a part on its way is at `milestone` or past it.

    A part that was aborted never reached the commit, so only `planned` is certain for it; one that failed may have
    come far, and nothing but `planned` can be told from its state.

    Args:
        state: Where the part is.
        milestone: A state of `PART_PATH`.
    """
    if state in PART_PATH:
        return PART_PATH.index(state) >= PART_PATH.index(milestone)
    return milestone is PartState.PLANNED
