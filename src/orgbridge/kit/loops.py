"""The edge of a worker's loop: whatever goes wrong in one turn is told, and the next turn comes all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.typing import FilteringBoundLogger

from orgbridge.kit.errors import OrgbridgeError


@contextmanager
def outlived(log: FilteringBoundLogger, event: str) -> Iterator[None]:
    """Outlive what a turn of a loop raises: an outage is a warning, a fault of our own an error with its traceback.

    Args:
        log: Whose words it is told in.
        event: What the line is called, e.g. `engine.dispatch_failed`.
    """
    try:
        yield
    except (OrgbridgeError, OSError) as error:
        log.warning(event, cause=f"{type(error).__name__}: {error}")
    except Exception as error:
        log.error(event, cause=f"{type(error).__name__}: {error}", exc_info=error)
