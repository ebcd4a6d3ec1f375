"""Objects from describe replies of an org, real or emulated, in the form of the package's data files.

What describe does not tell is lost: forms of auto-numbers, defaults that are formulas, what a roll-up sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orgbridge.emulator.schema.dependencies import from_bitmap
from orgbridge.emulator.schema.metadata_files import MetadataError
from orgbridge.kit.json import JSON, JSONDecodeError, loads

#: How the name of a file with one describe reply ends.
DESCRIBE_ENDING = ".describe.json"

#: Fields that every object gets by itself.
_SYSTEM = frozenset(
    {"Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}
)
_FIELD_KEYS = (
    "name", "label", "type", "length", "precision", "scale", "digits", "nillable", "createable", "updateable",
    "defaultedOnCreate", "unique", "caseSensitive", "externalId", "idLookup", "restrictedPicklist", "referenceTo",
    "relationshipName", "relationshipOrder", "nameField", "autoNumber", "calculated", "filterable", "sortable",
    "groupable", "custom", "compoundFieldName", "htmlFormatted", "inlineHelpText", "extraTypeInfo", "cascadeDelete",
    "restrictedDelete", "controllerName",
)  # fmt: skip
_OBJECT_KEYS = (
    "name", "label", "labelPlural", "keyPrefix", "custom", "createable", "updateable", "deletable", "undeletable",
    "queryable", "layoutable", "searchable", "triggerable",
)  # fmt: skip


def objects_from_describes(describes: Iterable[JSON]) -> tuple[JSON, ...]:
    """Return the objects that describe replies tell of.

    Objects without a key prefix (shares, histories, feeds) are left out: their rows cannot be told by their ids.

    Args:
        describes: Replies of `GET /sobjects/{name}/describe`.

    Raises:
        KeyError: A reply lacks a key that every describe has.
        ValueError: A `validFor` is no base64.
    """
    told = [data for data in describes if data["keyPrefix"]]
    below: dict[tuple[str, str], str] = {}
    for data in told:
        for child in data["childRelationships"]:
            if child["relationshipName"]:
                below.setdefault((child["childSObject"], child["field"]), child["relationshipName"])
    return tuple(_object(data, below) for data in told)


def read_describes(folder: Path) -> tuple[JSON, ...]:
    """Return the objects of the describe replies in a folder: one in each file that ends with `.describe.json`.

    Raises:
        MetadataError: A file holds no describe reply.
    """
    replies = []
    for path in sorted(folder.rglob(f"*{DESCRIBE_ENDING}")):
        try:
            reply = loads(path.read_bytes())
            objects_from_describes([reply])
        except (OSError, JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise MetadataError(path, f"the file holds no describe reply: {error}") from error
        replies.append(reply)
    return objects_from_describes(replies)


def _object(data: JSON, below: dict[tuple[str, str], str]) -> JSON:
    names = {field["name"] for field in data["fields"]}
    by_name = {field["name"]: field for field in data["fields"]}
    # The parser of the data files adds system fields itself, but only those the object really has may be asked for.
    told: JSON = {key: data[key] for key in _OBJECT_KEYS if key in data}
    told["system"] = {"deleted": "IsDeleted" in names}
    told["fields"] = [
        _field(data["name"], field, by_name, below) for field in data["fields"] if field["name"] not in _SYSTEM
    ]
    told["recordTypes"] = [
        {
            "id": info["recordTypeId"],
            "developer_name": info["developerName"],
            "name": info["name"],
            "active": info["active"],
            "default": info["defaultRecordTypeMapping"],
        }
        for info in data.get("recordTypeInfos", ())
        if not info["master"]
    ]
    return told


def _field(sobject: str, field: JSON, by_name: dict[str, JSON], below: dict[tuple[str, str], str]) -> JSON:
    told: JSON = {key: field[key] for key in _FIELD_KEYS if key in field}
    if (sobject, field["name"]) in below:
        told["childRelationshipName"] = below[sobject, field["name"]]
    if field.get("defaultValue") is not None:
        told["defaultValue"] = field["defaultValue"]
    values = [_value(item, by_name.get(field.get("controllerName") or "")) for item in field["picklistValues"]]
    if values:
        told["picklistValues"] = values
        default = next((v["value"] for v in values if v["defaultValue"] and v["active"]), None)
        if default is not None:
            told["defaultValue"] = default
    return told


def field_from_describe(field: JSON, beside: Iterable[JSON] = ()) -> JSON:
    """Return one field of a describe reply.

    Args:
        field: One of `fields`.
        beside: The others; the controller of a dependent picklist is looked for among them.

    Raises:
        KeyError: It lacks a key that every field has, or a dependent picklist stands without its controller.
    """
    by_name = {one["name"]: one for one in beside}
    if field.get("controllerName") and field["controllerName"] not in by_name:
        raise KeyError(f"its controller {field['controllerName']}")
    return _field("", field, by_name, {})


def _value(item: JSON, controller: JSON) -> JSON:
    told: JSON = {key: item[key] for key in ("value", "label", "active", "defaultValue")}
    if item.get("validFor") is not None and controller is not None:
        if controller["type"] == "boolean":
            values = ["false", "true"]
        else:
            values = [value["value"] for value in controller["picklistValues"]]
        told["validFor"] = from_bitmap(item["validFor"], values)
    return told
