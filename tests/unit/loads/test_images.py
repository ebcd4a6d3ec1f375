"""Before-images can be loaded as they are, and restore what was there."""

from __future__ import annotations

from orgbridge.loads.images import image_blocks, touched_fields
from orgbridge.wire.bulk import IngestOperation

_DESCRIBE = {
    "fields": [
        {"name": "Id", "updateable": False},
        {"name": "Name", "updateable": True},
        {"name": "Key__c", "updateable": True},
        {"name": "Site", "updateable": True},
        {"name": "CreatedDate", "updateable": False},
        {"name": "ParentId", "updateable": True, "relationshipName": "Parent"},
        {"name": "WhoId", "updateable": True, "relationshipName": "Who"},
    ]
}


def test_fields_that_a_load_writes_are_those_that_are_kept() -> None:
    """In the input's order and Salesforce's case; lookups by their own field, the key and what is read-only not."""
    header = ("key__c", "Parent.Key__c", "name", "Lead:Who.Email", "CreatedDate", "ParentId")
    found = touched_fields(header, _DESCRIBE, operation=IngestOperation.UPSERT, external_id_field="Key__c")
    assert found == ("ParentId", "Name", "WhoId")
    by_id = touched_fields(("Id", "Key__c"), _DESCRIBE, operation=IngestOperation.UPDATE, external_id_field=None)
    assert by_id == ("Key__c",)


def test_values_are_written_as_the_bulk_api_takes_them() -> None:
    """Nothing becomes #N/A, truth values are small, instants end in Z, quotes and newlines survive."""
    record = {"Id": "001", "A": None, "B": True, "C": "2024-01-02T03:04:05.000+0000", "D": 'x "y"\nz', "E": 1.5}
    blocks = b"".join(image_blocks([record], ("A", "B", "C", "D", "E")))
    assert blocks == b'Id,A,B,C,D,E\n001,#N/A,true,2024-01-02T03:04:05.000Z,"x ""y""\nz",1.5\n'
