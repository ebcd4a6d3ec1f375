"""Exports: bulk queries taken in, and their results in the form in which they were written."""

from __future__ import annotations

from collections.abc import Iterator

from orgbridge.loads.columns import Column, ExportFormat, ndjson_rows
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.streams import ndjson
from orgbridge.store.files import FileStore
from orgbridge.store.files.targets import Targets
from orgbridge.store.records import LoadRecord

#: Media types of results, by the form in which they are written.
MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv",
    ExportFormat.NDJSON: "application/x-ndjson",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


def export_options(targets: Targets, *, output_format: str | None, target: str | None) -> dict[str, str]:
    """Return what an export's record keeps of the caller's choices.

    Raises:
        InvalidRequest: There is no such format.
        FileTargetRefused: The target may not be written.
    """
    options: dict[str, str] = {}
    if output_format is not None:
        try:
            options["output_format"] = ExportFormat(output_format.lower()).value
        except ValueError:
            raise InvalidRequest(f"output_format must be one of {', '.join(ExportFormat)}.") from None
    if target is not None:
        targets.check(target)
        options["target"] = target
    return options


def stored_form(load: LoadRecord) -> ExportFormat:
    """Return how an export's results are written."""
    return ExportFormat(load.options.get("output_format") or ExportFormat.CSV)


def open_results(files: FileStore, load: LoadRecord, form: ExportFormat) -> Iterator[bytes]:
    """Return an ended export's results; blocking, for threads.

    Results written as CSV are given as NDJSON too, row by row; no other form is turned into another.

    Raises:
        InvalidRequest: They were written in another form.
    """
    stored = stored_form(load)
    assert load.results_key is not None, "checked by the caller"
    if form is stored:
        return files.open_blocks(load.results_key)
    if stored is not ExportFormat.CSV or form is ExportFormat.PARQUET:
        raise InvalidRequest(
            f"This export was written as {stored.value}: ask for {MEDIA_TYPES[stored]}, "
            f"or submit it with output_format {form.value}."
        )
    known = (load.input_facts or {}).get("columns")
    if not known:
        return ndjson(files.open_blocks(load.results_key))
    return ndjson_rows(files.open_blocks(load.results_key), [Column.from_json(column) for column in known])
