"""Before-images of a part: what the fields held before the load writes them, kept until the load itself goes."""

from __future__ import annotations

from collections.abc import Iterator

from orgbridge.client.errors import SalesforceError
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts
from orgbridge.engine.faults import Fault, fault_of
from orgbridge.engine.lookups import find
from orgbridge.engine.resources import Resources
from orgbridge.kit.logs import get_logger
from orgbridge.loads.images import image_blocks, touched_fields
from orgbridge.loads.records import parse_chunk, record_chunks
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.bulk import IngestOperation

_WRITING = (IngestOperation.UPDATE, IngestOperation.UPSERT)
_log = get_logger(__name__)


def image_key(load_id: str, number: int) -> str:
    """Return the key of a part's before-images. They outlive the part's other files."""
    return f"loads/{load_id}/before/{number:05d}.csv"


def wanted(resources: Resources, load: LoadRecord, part: PartRecord) -> bool:
    """Tell whether before-images are taken: when the load says so, else up to a size of the load."""
    if IngestOperation(load.operation) not in _WRITING:
        return False
    chosen = load.options.get("before_images")
    if chosen is not None:
        return bool(chosen)
    rows = load.rows_read
    if rows is None:
        # The rest of the input is being split still: its size tells about how many rows there will be.
        rows = max(part.first_row + part.rows - 1, int(load.input_bytes / max(1.0, part.bytes / max(1, part.rows))))
    return rows <= resources.config.image_rows


async def take(resources: Resources, load: LoadRecord, part: PartRecord) -> None:
    """Read and keep what the part's records hold, unless it is kept already. Nothing of the part was sent before.

    Raises:
        StepRefused: The load insists on before-images, and Salesforce does not give them; nothing was sent.
    """
    key = image_key(load.id, part.number)
    if await resources.files.exists(key):
        return
    facts = InputFacts.from_json(load.input_facts or {})
    operation = IngestOperation(load.operation)
    salesforce = resources.orgs.get(load.org).salesforce
    key_field = (load.external_id_field or "Id") if operation is IngestOperation.UPSERT else "Id"
    patience = resources.patience(load.id)
    values = await resources.match(lambda: column_values(resources, facts, part.input_key, key_field))
    try:
        describe = await patience.until_done(lambda: salesforce.describe.sobject(load.object_name))
        fields = touched_fields(facts.header, describe, operation=operation, external_id_field=load.external_id_field)
        found = find(salesforce, patience, load.object_name, key_field, values, ("Id", *fields))
        records = [record async for record in found]
    except SalesforceError as error:
        if load.options.get("before_images"):
            message = f"Before-images could not be taken, so nothing was sent: {fault_of(error).message}"
            raise StepRefused(Fault(code="load.no_before_images", message=message)) from error
        _log.warning("engine.no_before_images", load_id=load.id, part=part.number, cause=str(error))
        return

    def write() -> None:
        resources.files.write_blocks(key, image_blocks(records, fields))

    await resources.match(write)


def column_values(resources: Resources, facts: InputFacts, input_key: str, column: str) -> list[str]:
    """Return the values of a column of a part, without duplicates and blanks; blocking, for threads."""
    folded = [name.casefold() for name in facts.header]
    if column.casefold() not in folded:
        return []
    place = folded.index(column.casefold())

    def cells() -> Iterator[str]:
        for chunk in record_chunks(resources.files.open_blocks(input_key)):
            for row in parse_chunk(chunk.decode(), facts.dialect.delimiter):
                if row and row[place]:
                    yield row[place]

    return list(dict.fromkeys(cells()))
