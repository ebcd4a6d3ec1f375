"""`plan/*.soql` (query, SQL, rows) and `errors.soql` (query, code, message), each block one test.

A block is a query, then lines that say what must come of it:

    ~ SQL of the statement, without the spaces that do not matter     (optional)
    ? the statement's parameters as a JSON array                      (optional)
    = one record as JSON, its attributes left out                     (none: no record comes)
    ! the error's code
    | one line of the error's message
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.soql_files import Block, bare, blocks

from orgbridge.emulator.query import results
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Catalogue
from orgbridge.emulator.storage.database import Connection
from orgbridge.kit.json import loads
from orgbridge.wire.ids import make_id

_FILES = Path(__file__).parents[3] / "soql"


def _params(path: Path) -> list[Any]:
    return [pytest.param(block, id=f"{path.stem}:{block.text[:60]}") for block in blocks(path)]


@pytest.mark.parametrize("block", [b for path in sorted((_FILES / "plan").glob("*.soql")) for b in _params(path)])
def test_a_query_gives_its_rows(block: Block, catalogue: Catalogue, org: Connection, now: datetime) -> None:
    """The query becomes the SQL that is written below it and gives these records in this order."""
    soql, expected = block.text, block.marked
    plan = plan_query(catalogue, soql, now=now, user_id=make_id("005", 1))
    reply = results.query_json(plan, org, version="v62.0")
    wanted = [loads(line) for line in expected["="]]
    if plan.is_count:
        assert [reply["totalSize"]] == wanted
        return
    assert bare(reply["records"]) == wanted
    assert [list(record) for record in bare(reply["records"])] == [list(record) for record in wanted]
    assert reply["totalSize"] == len(wanted)
    if expected["~"]:
        assert plan.sql.split() == " ".join(expected["~"]).split()
    if expected["?"]:
        assert list(plan.parameters) == loads(expected["?"][0])


@pytest.mark.parametrize("block", _params(_FILES / "errors.soql"))
def test_a_wrong_query_is_refused_in_salesforces_words(block: Block, catalogue: Catalogue, now: datetime) -> None:
    """The query gives this code and this message, to the letter."""
    soql, expected = block.text, block.marked
    with pytest.raises(SFError) as caught:
        plan_query(catalogue, soql, now=now)
    assert (caught.value.code, caught.value.message) == (expected["!"][0], "\n".join(expected["|"]))
    assert caught.value.status == 400
