"""The environment of this process, which is read and written here and nowhere else."""

from __future__ import annotations

import os


def environment() -> dict[str, str]:
    """Return a copy of the environment."""
    return dict(os.environ)  # noqa: TID251 - this module is the one reader of the environment


def add_to_environment(values: dict[str, str]) -> None:
    """Put values into the environment, for the processes that this one starts."""
    os.environ.update(values)  # noqa: TID251 - this module is the one writer of the environment
