"""What the load that is to be undone wrote into the records of a part of its undo, read from its own results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from orgbridge.engine.facts import InputFacts
from orgbridge.engine.resources import Resources
from orgbridge.loads.afterimages import comparable_fields, still_holds
from orgbridge.loads.outcomes import RowStatus
from orgbridge.loads.records import parse_chunk
from orgbridge.loads.rounds import result_rows
from orgbridge.loads.sentrows import as_sent
from orgbridge.store.records import LoadRecord


@dataclass(frozen=True, slots=True)
class AfterImages:
    """What was written, by record."""

    #: Descriptions of the fields by name.
    fields: Mapping[str, Mapping[str, Any]]
    #: Cells by record and field; more than one where several rows wrote one record.
    _cells: Mapping[str, Mapping[str, set[str]]]

    def differs(self, record: Mapping[str, Any]) -> str | None:
        """Return the first field that holds something else than was written; None when there is none."""
        for name, cells in self._cells.get(str(record["Id"]), {}).items():
            if not any(still_holds(cell, record.get(name), self.fields[name]) for cell in cells):
                return name
        return None


async def written(
    resources: Resources, of: str, ids: Collection[str], describe: Mapping[str, Any]
) -> AfterImages | None:
    """Return what a load wrote into some records; None when its results are no longer there.

    Args:
        resources: The worker's connections.
        of: The load that is to be undone.
        ids: 18-character ids of the records.
        describe: Salesforce's describe of the object.
    """

    async def read() -> LoadRecord | None:
        async with resources.database.unit(write=False) as unit:
            return await unit.loads.get(of)

    load = await resources.patience().until_done(read)
    if load is None or load.input_facts is None or load.results_key is None:
        return None
    key = load.results_key
    if not await resources.files.exists(key):
        return None
    facts = InputFacts.from_json(load.input_facts)
    places = comparable_fields(facts.sent_header, describe)
    wanted = frozenset(ids)

    def gather() -> AfterImages:
        cells: defaultdict[str, dict[str, set[str]]] = defaultdict(dict)
        done = RowStatus.SUCCEEDED.value.encode()
        for row in result_rows(resources.files.open_blocks(key), facts.dialect, lambda status: status == done):
            if row.id not in wanted:
                continue
            own = parse_chunk(row.record.decode(), facts.dialect.delimiter)
            for sent, _ in as_sent(own, facts.mapping):
                for place, field in places.items():
                    cells[row.id].setdefault(str(field["name"]), set()).add(sent[place])
        return AfterImages({str(field["name"]): field for field in places.values()}, cells)

    return await resources.match(gather)
