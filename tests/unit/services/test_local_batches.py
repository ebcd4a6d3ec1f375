"""Cells of a small file as JSON values: what is a number to Salesforce, and what stays text for it to refuse."""

from __future__ import annotations

from typing import Any

import pytest

from orgbridge.services.local_batches import _typed


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        ("12", "int", 12),
        ("-7", "int", -7),
        ("1_000", "int", "1_000"),
        (" 12", "int", " 12"),
        ("\u0663", "int", "\u0663"),
        ("1.5", "double", 1.5),
        ("1e3", "currency", 1000.0),
        (".5", "percent", 0.5),
        ("nan", "double", "nan"),
        ("inf", "double", "inf"),
        ("1e999", "double", "1e999"),
        ("1,5", "double", "1,5"),
        ("TRUE", "boolean", True),
        ("0", "boolean", False),
        ("maybe", "boolean", "maybe"),
        ("12", "string", "12"),
    ],
)
def test_only_what_salesforce_reads_as_a_number_becomes_one(cell: str, kind: str, value: Any) -> None:
    """Everything else goes as it stands: a cell is never turned into null or into another number."""
    typed = _typed(cell, kind)
    assert (type(typed), typed) == (type(value), value)
