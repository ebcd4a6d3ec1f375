"""One engine and one build of the images for all tests in here; both end when the last of these tests has run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.containers.cell import CellRefusedError
from tests.support.containers.engine import Engine, EngineFailed, open_engine
from tests.support.containers.images import Images, built_images
from tests.support.containers.places import REQUIRED, kubectl, missing_engine, missing_pods
from tests.support.containers.pods import Pods, open_pods

_HERE = Path(__file__).parent
_FIXTURES = {"engine", "images", "pods", "deployment"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that share an engine first, in the order in which they stand.

    They are then the head of one worker's queue, which no other worker takes tests from, so that nothing is built
    twice; the longest work of the suite begins first; and what stops a service comes after what needs it.
    """
    ours = [item for item in items if _HERE in item.path.parents and _FIXTURES & set(getattr(item, "fixturenames", ()))]
    chosen = set(ours)
    ours.sort(key=lambda item: (item.path.name, item.reportinfo()[1] or 0))
    items[:] = [*ours, *(item for item in items if item not in chosen)]


def _absent(reason: str) -> None:
    """Skip the test; where every part has to be there, fail it."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="package")
def scratch() -> Iterator[Path]:
    """A folder for engines, with a short name (a socket lies in it), which goes away with all that is in it."""
    folder = Path(tempfile.mkdtemp(prefix="orgbridge-engine-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="package")
def engine(scratch: Path) -> Iterator[Engine]:
    """A Docker engine with a base image."""
    reason = missing_engine()
    if reason is not None:
        _absent(reason)
    folder = scratch / "docker"
    folder.mkdir()
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(open_engine(folder))
        except (CellRefusedError, EngineFailed) as error:
            pytest.fail(str(error))
        yield opened


@pytest.fixture(scope="package")
def images(engine: Engine, scratch: Path) -> Iterator[Images]:
    """The images of the real Dockerfile, and one of PostgreSQL."""
    folder = scratch / "postgres"
    folder.mkdir()
    with built_images(engine, folder) as built:
        yield built


@pytest.fixture(scope="package")
def pods(engine: Engine, images: Images, scratch: Path) -> Iterator[Pods]:
    """Podman with the images under the names that the manifests use."""
    reason = missing_pods() or (None if kubectl() else "there is no kubectl to render overlays with")
    if reason is not None:
        _absent(reason)
    folder = scratch / "podman"
    folder.mkdir()
    with open_pods(folder) as opened:
        opened.take(engine, images.service, "orgbridge:local")
        opened.take(engine, images.postgres, "postgres:17-alpine")
        yield opened
