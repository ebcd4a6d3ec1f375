"""A row as REST shows it: attributes first, bytes as the address to read them at.

Source: facts/salesforce/rest.md section 3.
"""

from __future__ import annotations

from collections.abc import Mapping

from orgbridge.emulator.schema.model import SObject
from orgbridge.kit.json import JSON


def shown_row(sobject: SObject, row: Mapping[str, JSON], base: str) -> dict[str, JSON]:
    """Return the JSON of a row.

    Args:
        sobject: Its object.
        row: Values by API name as `Org.get` gives them, Id among them.
        base: `/services/data/vXX.X`.
    """
    url = f"{base}/sobjects/{sobject.name}/{row['Id']}"
    shown: dict[str, JSON] = {"attributes": {"type": sobject.name, "url": url}, **row}
    for field in sobject.blob_fields:
        if field.name in row:
            shown[field.name] = f"{url}/{field.name}" if row[field.name] else None
    return shown
