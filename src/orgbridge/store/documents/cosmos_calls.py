"""Calls to Cosmos DB: how long they may take, what is tried again, and what an error of theirs means to us.

The library's own repetitions are off: it would wait half a minute for throughput and could not say what had happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from orgbridge.kit.clock import Clock
from orgbridge.store.document_errors import (
    DocumentInvalid,
    DocumentsRefused,
    DocumentsThrottled,
    DocumentsUnavailable,
)

T = TypeVar("T")
#: Answers that tell something of the document; whoever asked decides what.
ANSWERS: Final = (CosmosResourceNotFoundError, CosmosResourceExistsError, CosmosAccessConditionFailedError)
#: Cosmos DB's own word for "two writes met: do it again"; it has no name in `HTTPStatus`.
_RETRY_WITH = 449
#: Answers after which the same call may succeed, and nothing is known of what it did.
_PASSING = frozenset({408, 410, 500, 502, 503, 504, _RETRY_WITH})
_RETRY_AFTER = "x-ms-retry-after-ms"
#: First pause after an answer that names none; it doubles.
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0
#: What a throttled caller is told to wait at least.
_LEAST_RETRY_AFTER_SECONDS = 1.0


class Deadline:
    """Until when a call may take, repetitions included."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._ends = self._began + seconds

    @property
    def passed_seconds(self) -> float:
        """How long it has taken so far."""
        return self._clock.monotonic() - self._began

    @property
    def left_seconds(self) -> float:
        """How long it may still take."""
        return max(0.0, self._ends - self._clock.monotonic())

    async def pause(self, seconds: float) -> bool:
        """Wait and return True; return False at once when there is no time left for that."""
        if seconds >= self.left_seconds:
            return False
        await self._clock.sleep(seconds)
        return True


async def call(attempt: Callable[[], Awaitable[T]], deadline: Deadline, *, writes: bool, attempt_seconds: float) -> T:
    """Return what an attempt returns, repeated while Cosmos DB asks for it or does not answer, until the deadline.

    Args:
        attempt: Makes one request; must be safe to repeat.
        deadline: For all attempts.
        writes: True when it matters whether an attempt without an answer was carried out.
        attempt_seconds: Longest wait for one attempt.

    Raises:
        CosmosResourceNotFoundError: As Cosmos DB said; after a lost answer it may tell of our own doing.
        CosmosResourceExistsError: As above.
        CosmosAccessConditionFailedError: As above.
        DocumentInvalid: Cosmos DB does not take the document; nothing was done.
        DocumentsRefused: Cosmos DB refuses this service; nothing was done.
        DocumentsThrottled: It refused every attempt for want of throughput; nothing was done.
        DocumentsUnavailable: It did not answer; `unknown` tells whether something may have been done.
    """
    attempts, unknown, pause = 0, False, _PAUSE_SECONDS
    while True:
        attempts += 1
        retry_after: float | None = None
        try:
            async with asyncio.timeout(attempt_seconds):
                return await attempt()
        except ANSWERS:
            raise
        except TimeoutError:
            unknown, cause = True, f"no answer within {attempt_seconds:.0f} seconds"
        except CosmosHttpResponseError as error:
            status = int(error.status_code or 0)
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                retry_after = _retry_after(error)
                cause = "throttled"
            elif status in _PASSING or not status:
                # 449 and 410 are said before anything is written.
                unknown = unknown or status not in (_RETRY_WITH, HTTPStatus.GONE)
                cause = f"status {status}"
            else:
                raise _refusal(status) from error
        except ServiceRequestError as error:
            # Nothing left this machine.
            cause = type(error).__name__
        except ClientAuthenticationError as error:
            raise DocumentsRefused(
                "This machine's identity gets no token for the document store: see AZURE_COSMOS_KEY, or the identity's "
                "own settings. Nothing was done."
            ) from error
        except AzureError as error:
            unknown, cause = True, type(error).__name__
        if not await deadline.pause(retry_after if retry_after is not None else pause):
            break
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
    unknown = unknown and writes
    if retry_after is not None and not unknown:
        raise DocumentsThrottled(attempts, deadline.passed_seconds, max(retry_after, _LEAST_RETRY_AFTER_SECONDS))
    told = "Nobody knows whether it was written: read it before trying again." if unknown else "Nothing was done."
    message = f"The document store does not answer ({cause}, {attempts} attempts). {told}"
    raise DocumentsUnavailable(message, unknown=unknown)


def _retry_after(error: CosmosHttpResponseError) -> float:
    headers = getattr(error, "headers", None) or {}
    text = str(headers.get(_RETRY_AFTER, ""))
    try:
        return max(0.0, float(text) / 1000)
    except ValueError:
        return _PAUSE_SECONDS


def _refusal(status: int) -> DocumentInvalid | DocumentsRefused:
    """Return our error for a refusal; its own words may quote the document."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return DocumentInvalid("Cosmos DB finds the document too large: nothing was written. Cut it into several.")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return DocumentsRefused(
            f"Cosmos DB refuses this service (status {status}): see that AZURE_COSMOS_KEY is the account's, or that "
            "this machine's identity has the role Cosmos DB Built-in Data Contributor. Nothing was done."
        )
    return DocumentsRefused(f"Cosmos DB refuses the call (status {status}). Nothing was done.")
