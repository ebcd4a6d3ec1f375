"""Before-images of a part: what the fields held before the load writes them, kept until the load itself goes."""

from __future__ import annotations

from orgbridge.client.errors import SalesforceError
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.facts import InputFacts
from orgbridge.engine.faults import Fault, fault_of
from orgbridge.engine.lookups import find
from orgbridge.engine.mappings import sent_column
from orgbridge.engine.resources import Resources
from orgbridge.kit.logs import get_logger
from orgbridge.loads.images import image_blocks, touched_fields
from orgbridge.store.records import LoadRecord, PartRecord
from orgbridge.wire.bulk import IngestOperation

_WRITING = (IngestOperation.UPDATE, IngestOperation.UPSERT)
_log = get_logger(__name__)


def image_key(load_id: str, number: int) -> str:
    """Return the key of a part's before-images. They outlive the part's other files."""
    return f"loads/{load_id}/before/{number:05d}.csv"


def wanted(load: LoadRecord, part: PartRecord, *, most_rows: int) -> bool:
    """Tell whether before-images are taken: when the load says so, else up to a size of the load.

    Args:
        load: The load; of an input that is being cut still, only a part's place and an expectation say how long it is.
        part: One of its parts.
        most_rows: Rows of the largest load for which they are taken unasked.
    """
    if IngestOperation(load.operation) not in _WRITING:
        return False
    chosen = load.options.get("before_images")
    if chosen is not None:
        return bool(chosen)
    rows = load.rows_read
    if rows is None:
        # The rest of the input is being cut still.
        rows = max(part.first_row + part.rows - 1, (load.input_facts or {}).get("expected_rows") or 0)
    return rows <= most_rows


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
    values = await resources.match(lambda: sent_column(resources, facts, part, key_field))
    try:
        describe = await patience.until_done(lambda: salesforce.describe.sobject(load.object_name))
        fields = touched_fields(
            facts.sent_header, describe, operation=operation, external_id_field=load.external_id_field
        )
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
