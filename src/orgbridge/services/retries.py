"""Retry: the failed rows of an ended load, or those not processed, as a new load tied to the first."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from orgbridge.loads.remedies import UNKNOWN_OUTCOMES
from orgbridge.loads.results import failed_rows
from orgbridge.services.scopes import Caller
from orgbridge.services.sequels import Sequel, Sequels, facts_of, sent_fields
from orgbridge.store.files import FileStore
from orgbridge.store.records import LoadRecord
from orgbridge.store.round_records import LinkKind

#: Options of a load that say nothing of its rows, or of its first sending only.
_OF_THE_FIRST = frozenset(
    {
        *("original_name", "content_type", "encoding", "delimiter", "sheet", "detected"),
        *("canary", "undo", "delta", "traceparent"),
    }
)


class RetryRows(StrEnum):
    """Which rows are loaded again."""

    #: Failed ones and those not processed.
    ALL = "all"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


class RetryService:
    """Makes retries."""

    def __init__(self, sequels: Sequels, files: FileStore) -> None:
        self._sequels = sequels
        self._files = files

    async def retry(self, job_id: str, caller: Caller, rows: RetryRows = RetryRows.ALL) -> str:
        """Load rows again; return the new load's id. Rows that may have been written are left out.

        A load is retried once; what fails then is retried from the retry. So no row is loaded twice by two callers.

        Raises:
            LoadNotFound: We have no such load.
            LoadNotFinished: It has not ended yet.
            ResultsMissing: It left no results.
            NothingToDo: It has no such rows.
            SequelExists: It was retried before.
        """
        load = await self._sequels.ended(job_id, caller)
        dialect, columns, header = facts_of(load)

        def content() -> Iterator[bytes]:
            return failed_rows(
                self._files.open_blocks(load.results_key or ""),
                dialect,
                failed=rows is not RetryRows.UNPROCESSED,
                unprocessed=rows is not RetryRows.FAILED,
                without_codes=UNKNOWN_OUTCOMES,
            )

        sequel = Sequel(
            kind=LinkKind.RETRY,
            operation=load.operation,
            external_id_field=load.external_id_field,
            name=_name(load),
            options=_options(load),
            dialect=dialect,
            columns=columns,
            fields=sent_fields(load),
            header=header,
            content=content,
        )
        return await self._sequels.make(load, sequel, caller)


def _options(load: LoadRecord) -> dict[str, Any]:
    """Return the options of the first load that hold for its rows, with the mapping that it was sent with."""
    kept = {name: value for name, value in load.options.items() if name not in _OF_THE_FIRST}
    # The typed cells of a workbook are text in the results: without the mapping they would be sent unconverted.
    mapping = (load.input_facts or {}).get("mapping")
    return {**kept, "compiled": mapping} if mapping else kept


def _name(load: LoadRecord) -> str:
    stem = str(load.options.get("original_name") or load.object_name).rsplit("/", 1)[-1].partition(".")[0]
    return f"{stem.removesuffix('-retry')}-retry.csv"
