"""Causes and remedies of our own codes that concern an input: cells, records, mappings. None passes by itself.

Rows bear the first ones themselves; the others are the reason why rows behind a fault were not sent.
"""

from __future__ import annotations

from typing import Final

_MEND: Final = "Mend the line that the load names, then load the unprocessed rows again (`jobs retry`)."

#: Code -> cause, remedy.
INPUT_CAUSES: Final[dict[str, tuple[str, str]]] = {
    "BAD_DATE": (
        "The cell cannot be read as the date or the instant that its field takes, so the row was not sent.",
        "Correct the cell, or say how the file writes dates: `date_format`, `datetime_format`.",
    ),
    "NO_TIME_ZONE": (
        "The cell is an instant without a zone, and none was given for the file, so the row was not sent.",
        "Say `time_zone`, for example Europe/Berlin, or write the offset in the cell.",
    ),
    "BAD_TIME": (
        "The cell cannot be read as a time of day, so the row was not sent.",
        "Write it like 17:30:00.",
    ),
    "BAD_NUMBER": (
        "The cell cannot be read as the number that its field takes, so the row was not sent.",
        "Correct the cell, or say how the file writes numbers: `decimal_mark`.",
    ),
    "BAD_BOOLEAN": (
        "The cell is neither true nor false, so the row was not sent.",
        "Write true or false.",
    ),
    "BLANK_VALUE": (
        "The cell is blank, and the load's null policy takes that for an error, so the row was not sent.",
        "Fill the cell, or choose `ignore` or `clear` for the column in `null_policy`.",
    ),
    "PARENTS_NOT_CHECKED": (
        "A preflight could not look up the parents that a column names, or must not for this caller.",
        "Nothing, if the parents are known to be there; rows whose parent is missing fail by themselves.",
    ),
    "input.ragged_rows": ("A record of the input does not have as many cells as the header.", _MEND),
    "input.bad_quoting": ("A quote of the input stands where none may, or is never closed.", _MEND),
    "input.mixed_line_endings": ("Records of the input end in different ways.", _MEND),
    "input.record_too_large": ("A record of the input is larger than Salesforce takes.", _MEND),
    "input.undecodable_bytes": ("Bytes of the input are no text in its encoding.", _MEND),
    "input.faulty_records": ("Records of the input are wrong in several ways.", _MEND),
    "input.bad_archive": (
        "The gzip, zstd or zip breaks off or is damaged.",
        "Pack the file again; rows up to the damage were sent or are in the results.",
    ),
    "input.bad_table": (
        "The Parquet file or the workbook cannot be read to its end.",
        "Write the file again; rows up to the damage were sent or are in the results.",
    ),
    "input.bad_json": ("The JSON cannot be read as records from some place on.", _MEND),
    "input.duplicate_header": (
        "Two columns have the same name; Salesforce reads names without regard to case.",
        "Rename one of the columns or take it out.",
    ),
    "input.bad_mapping": (
        "The mapping names a column, a field or a policy that is not there, or one field twice.",
        "Correct what the message names.",
    ),
    "load.preflight": (
        "A strict load was looked at before it was sent, and something was found.",
        "Mend what the findings name, or load without `strict`.",
    ),
    "load.part_too_large": (
        "A part is larger than a job of Salesforce takes once its cells are mapped.",
        "Load again with a smaller `part_rows`.",
    ),
    "load.input_changed": (
        "The stored input is no longer what it was when the load began.",
        "Load the file again; upsert by an external id, for parts before may be in the org.",
    ),
}
