"""The images of the real Dockerfile, built once for all tests that run containers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from tests.support.containers.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Names of what was built."""

    service: str
    emulator: str
    #: The engine's own, or one that stands in for it.
    postgres: str


@contextmanager
def built_images(engine: Engine, folder: Path) -> Iterator[Images]:
    """Build everything, and take it out of the engine again.

    Args:
        engine: Where to build.
        folder: An empty folder.

    Raises:
        EngineFailed: A build failed.
    """
    tag = token_hex(4)
    service, emulator = f"orgbridge-test:{tag}", f"orgbridge-emulator-test:{tag}"
    try:
        engine.build(service)
        # Only its last layers are built: the others are the service's.
        engine.build(emulator, target="emulator")
        yield Images(service=service, emulator=emulator, postgres=engine.postgres_image(folder))
    finally:
        engine.docker("image", "rm", "--force", service, emulator)
