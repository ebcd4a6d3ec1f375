"""When a failed request is made again, and after how long. Decides over errors; sends nothing.

Source: facts/salesforce/errors.md section 3: exponential from 0.5 s, doubled, at most five tries, with jitter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orgbridge.client.errors import (
    AuthenticationFailed,
    ClientError,
    ConcurrencyExceeded,
    ConnectionFailed,
    RequestLimitExceeded,
    SalesforceError,
)
from orgbridge.client.transport.requests import Resend
from orgbridge.client.verdicts import repeatable


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient the client is."""

    #: Tries in all; 1 means no second try.
    attempts: int = 5
    #: Seconds before the second try; doubled before each further one.
    wait_initial: float = 0.5
    #: Longest pause in seconds. A longer `Retry-After` ends the tries: the caller can wait better than a connection.
    wait_max: float = 30.0
    #: Up to so many seconds are added to each pause, by chance.
    wait_jitter: float = 0.5
    #: Pause after "too many concurrent requests"; the guide asks for 5 to 60 s.
    busy_seconds: float = 5.0


def retry_rule(policy: RetryPolicy, resend: Resend) -> Callable[[Exception], bool | float]:
    """Return what stamina asks after a failure: False for no more tries, True or a pause in seconds for another one."""

    def rule(error: Exception) -> bool | float:
        # A sign-in has tries of its own.
        if not isinstance(error, ClientError) or isinstance(error, AuthenticationFailed) or resend is Resend.NEVER:
            return False
        if isinstance(error, ConnectionFailed):
            return resend is Resend.ALWAYS or not error.sent
        if resend is not Resend.ALWAYS or not repeatable(error):
            return False
        if isinstance(error, SalesforceError) and error.retry_after is not None:
            return error.retry_after if error.retry_after <= policy.wait_max else False
        if isinstance(error, ConcurrencyExceeded):
            return policy.busy_seconds
        return not isinstance(error, RequestLimitExceeded)

    return rule
