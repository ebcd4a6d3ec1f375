"""Which field each name in a record or a CSV header means: a field, or a relationship with the key of its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.wire.bulk import IngestOperation
from orgbridge.wire.fieldtypes import FieldType


@dataclass(frozen=True, slots=True)
class Column:
    """What one name stands for."""

    #: As written.
    name: str
    #: The field that is set.
    field: Field
    #: For `Account.External_Id__c`: the object to look in.
    target: SObject | None = None
    #: For `Account.External_Id__c`: the field to look by.
    key: Field | None = None


def resolve(catalogue: Catalogue, sobject: SObject, name: str, *, strict: bool = True) -> Column | None:
    """Return what a name stands for, or None when it is no field.

    Takes `Name`, `Account.External_Id__c` and, for references to several objects, `Lead:Who.Email`. In CSV (`strict`)
    the object may be named only where it must be; JSON's `attributes.type` may stand anywhere.
    Source: facts/salesforce/bulk2.md section 4.
    """
    path, dot, key_name = name.partition(".")
    if not dot:
        field = sobject.field(name)
        return Column(name, field) if field else None
    kind, colon, relationship = path.rpartition(":")
    reference = sobject.relationship(relationship)
    if reference is None or (reference.is_polymorphic and not colon):
        return None
    if strict and colon and not reference.is_polymorphic:
        return None
    target = catalogue.sobject(kind if colon else reference.reference_to[0])
    if target is None or target.name not in reference.reference_to:
        return None
    key = target.field(key_name)
    if key is None or key.type is FieldType.ID or not (key.external_id or key.id_lookup):
        return None
    return Column(name, reference, target, key)


def check_header(
    catalogue: Catalogue,
    sobject: SObject,
    operation: IngestOperation,
    header: Sequence[str],
    external_id_field: str | None = None,
) -> None:
    """Refuse a header with which an ingest job cannot begin.

    Raises:
        SFError: Code and message together make the job's `errorMessage` (`{code} : {message}`). Nothing was read
            beyond the header.

    Source: facts/salesforce/bulk2.md section 5. Assumed: the texts for duplicate columns and for extra columns of a
    delete.
    """
    seen: set[str] = set()
    for name in header:
        if name.lower() in seen:
            raise SFError("InvalidBatch", f"InvalidBatch : Duplicate field name found : {name}")
        seen.add(name.lower())
        deleting = operation in (IngestOperation.DELETE, IngestOperation.HARD_DELETE)
        if (deleting and name.lower() != "id") or resolve(catalogue, sobject, name) is None:
            raise SFError("InvalidBatch", f"InvalidBatch : Field name not found : {name}")
    needed = {
        IngestOperation.INSERT: None,
        IngestOperation.UPSERT: external_id_field or "Id",
    }.get(operation, "Id")
    if needed is not None and needed.lower() not in seen:
        raise SFError("InvalidBatch", f"InvalidBatch : Field name not found : {needed}")
