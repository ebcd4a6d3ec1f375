"""Trouble on demand: programmed failures of requests, sessions, rows and jobs, seeded and repeatable.

`orders` says what may be ordered and reads it from JSON; `register` keeps the orders in force and decides. `http` and
`jobs` carry the decisions out.
"""

from __future__ import annotations

from orgbridge.emulator.faults.orders import Cut, FaultError, JobEnd, LockStorm, RequestFault, Trouble
from orgbridge.emulator.faults.register import Faults

__all__ = ["Cut", "FaultError", "Faults", "JobEnd", "LockStorm", "RequestFault", "Trouble"]
