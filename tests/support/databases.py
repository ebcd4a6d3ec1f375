"""Databases with all tables, copied from one that the migrations made: a test that is not about them does not wait."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from orgbridge.store.addresses import parse_address
from orgbridge.store.schema import read_schema, upgrade


@cache
def _template() -> Path:
    path = Path(mkdtemp(prefix="orgbridge-tables-")) / "orgbridge.sqlite"
    upgrade(f"sqlite:///{path}")
    return path


def migrate(url: str) -> None:
    """Do what `upgrade` does, for a new SQLite file by copying one; nothing where the tables are there already."""
    file = parse_address(url).file
    if file is not None and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_template(), file)
        file.chmod(_template().stat().st_mode)
    elif read_schema(url).outdated:
        upgrade(url)
