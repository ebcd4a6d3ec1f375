"""Objects from describe replies."""

from __future__ import annotations

import pytest

from orgbridge.emulator.schema.dependencies import from_bitmap, to_bitmap
from orgbridge.emulator.schema.describe import describe_sobject
from orgbridge.emulator.schema.describes import objects_from_describes, read_describes
from orgbridge.emulator.schema.loading import catalogue_from_json, standard_catalogue, standard_objects
from orgbridge.emulator.schema.merging import merge_objects
from orgbridge.emulator.schema.metadata_files import MetadataError
from orgbridge.kit.json import dumps

BASE = "/services/data/v67.0"


def described(catalogue):
    """Return what describe says of every object."""
    return {s.name: describe_sobject(s, BASE) for s in catalogue.sobjects()}


def test_describes_make_the_objects_they_came_from():
    """An org built from the describes of another is described the same, field for field."""
    original = described(standard_catalogue())
    again = described(catalogue_from_json(objects_from_describes(original.values())))
    for name, told in original.items():
        fields = {f["name"]: f for f in again[name]["fields"]}
        assert {f["name"]: f for f in told["fields"]} == fields
        assert {k: v for k, v in told.items() if k != "fields"} == {
            k: v for k, v in again[name].items() if k != "fields"
        }


def test_dependencies_and_record_types_survive():
    """Controlling values come back from their bitmaps, record types with their ids."""
    told = {
        "name": "Thing__c", "label": "Thing", "labelPlural": "Things", "keyPrefix": "a7x", "custom": True,
        "recordTypes": [{"id": "012Ob0000000007IAA", "developer_name": "A", "name": "An A", "default": True}],
        "fields": [
            {"name": "Name", "type": "string", "length": 80, "nameField": True},
            {"name": "On__c", "type": "boolean"},
            {
                "name": "Why__c", "type": "picklist", "length": 255, "controllerName": "On__c",
                "picklistValues": [{"value": "x", "validFor": ["true"]}, {"value": "y", "validFor": ["false", "true"]}],
            },
        ],
    }  # fmt: skip
    first = catalogue_from_json([told])
    second = catalogue_from_json(objects_from_describes(described(first).values()))
    assert second.sobject("Thing__c").field("Why__c").picklist == first.sobject("Thing__c").field("Why__c").picklist
    assert second.sobject("Thing__c").record_types == first.sobject("Thing__c").record_types


@pytest.mark.parametrize("count", [1, 7, 8, 9, 20])
def test_bitmaps_come_back(count):
    """Any choice of controlling values survives its bitmap."""
    values = [f"v{n}" for n in range(count)]
    for chosen in (values[::2], values, []):
        assert from_bitmap(to_bitmap(chosen, values), values) == chosen
    with pytest.raises(ValueError, match="no base64"):
        from_bitmap("%", values)


def test_a_folder_of_describes_is_read(tmp_path):
    """Replies saved in files become objects; a prefix that is taken is given up; a wrong file is named."""
    machine = describe_sobject(standard_catalogue().sobject("Machine__c"), BASE) | {"name": "Apparatus__c"}
    (tmp_path / "Apparatus__c.describe.json").write_bytes(dumps(machine))
    merged = {data["name"]: data for data in merge_objects(standard_objects(), read_describes(tmp_path))}
    assert "keyPrefix" not in merged["Apparatus__c"]
    assert merged["Machine__c"]["keyPrefix"] == "a00"
    (tmp_path / "Bad.describe.json").write_text('{"name": 1}')
    with pytest.raises(MetadataError, match=r"Bad\.describe\.json"):
        read_describes(tmp_path)
