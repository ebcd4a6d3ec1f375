"""What a caller is told of the rows that a duplicate rule found.

Source: REST API Developer Guide, "Duplicate Rule Header", v52.0 and later: `includeRecordDetails=true` returns all
fields of the duplicates, otherwise their ids. Assumed: only the fields that the caller may see.
"""

from __future__ import annotations

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.rows import shown_row
from orgbridge.emulator.org.outcomes import SaveOutcome
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON


def with_details(call: Call, outcome: SaveOutcome) -> SaveOutcome:
    """Return the outcome of a row, the duplicates with their fields if the caller wants those. Blocks."""
    if outcome.success or not call.duplicate_option("includerecorddetails"):
        return outcome
    for fault in outcome.errors:
        if fault.extra is None:
            continue
        for match in fault.extra["duplicateResult"]["matchResults"]:
            match["matchRecords"] = [
                {**found, "record": _record(call, found["record"])} for found in match["matchRecords"]
            ]
    return outcome


def _record(call: Call, told: JSON) -> JSON:
    org, name = call.parts.org, str(told["attributes"]["type"])
    try:
        sobject = org.sobject(name, user_id=call.user_id)
        return shown_row(sobject, org.get(name, str(told["Id"]), user_id=call.user_id), call.data_path)
    except SFError:
        # Hidden from the caller, or deleted since.
        return told
