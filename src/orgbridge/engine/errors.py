"""Errors of the engine.

EngineError
+-- EngineAlreadyRunning   another worker runs on this SQLite file
+-- LeaseLost              this worker's lease ran out: others may have taken over its work
+-- StepRefused            a step cannot go on; carries the fault that accounts for the rows
"""

from __future__ import annotations

from orgbridge.engine.faults import Fault
from orgbridge.kit.errors import ErrorKind, OrgbridgeError


class EngineError(OrgbridgeError):
    """The durable engine cannot go on."""

    code = "engine.error"


class EngineAlreadyRunning(EngineError):
    """Another worker already runs on this SQLite file. One worker per file; use PostgreSQL for more."""

    code = "engine.already_running"
    kind = ErrorKind.CONFLICT


class LeaseLost(EngineError):
    """The store was out of reach for longer than the lease: others may have taken over this worker's loads."""

    code = "engine.lease_lost"
    kind = ErrorKind.UNAVAILABLE


class StepRefused(EngineError):
    """A step of a load cannot go on.

    Attributes:
        fault: Why, in the words that the caller of the load will read.
    """

    code = "engine.step_refused"

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message, details=list(fault.details))
        self.fault = fault
