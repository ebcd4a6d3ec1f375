"""Objects and fields from a Salesforce DX source folder, in the form of the package's data files.

Read are `objects/**` (objects, fields, record types) and `globalValueSets`. What cannot be emulated is refused with
the file's name, never left out. Source: facts/salesforce/ids-and-types.md sections 2 and 3 for what the types mean;
the element names are those of the Metadata API. How a field file becomes a field is in `metadata_fields`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orgbridge.emulator.schema.metadata_fields import read_field
from orgbridge.emulator.schema.metadata_files import Element, MetadataError, read_xml
from orgbridge.kit.json import JSON

#: Endings of objects that are no tables of records, and why they are refused.
_OTHER_KINDS = {
    "__mdt": "custom metadata types",
    "__e": "platform events",
    "__b": "big objects",
    "__x": "external objects",
    "__kav": "knowledge articles",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One file below `objects`."""

    path: Path
    sobject: str
    root: Element


def read_metadata(folder: Path) -> tuple[JSON, ...]:
    """Return what a source folder says of objects: new ones whole, known ones with their new fields only.

    Args:
        folder: A DX project, a package directory of one, or an `objects` folder.

    Raises:
        MetadataError: The folder is not there, or a file cannot be read or asks for what is not emulated.
    """
    if not folder.is_dir():
        raise MetadataError(folder, "there is no such folder")
    sets = {path.name.partition(".")[0]: read_xml(path) for path in _files(folder, "globalValueSet")}
    objects: dict[str, JSON] = {}
    for part in _parts(folder, "object"):
        objects[part.sobject] = _object(part)
        for element in part.root.all("fields"):
            objects[part.sobject]["fields"].append(read_field(part.path, element, sets))
    for part in _parts(folder, "field"):
        told = objects.setdefault(part.sobject, {"name": part.sobject, "fields": []})
        told["fields"].append(read_field(part.path, part.root, sets))
    for part in _parts(folder, "recordType"):
        told = objects.setdefault(part.sobject, {"name": part.sobject, "fields": []})
        told.setdefault("recordTypes", []).append(_record_type(part))
    for told in objects.values():
        _finish(folder, told)
    return tuple(objects.values())


def _files(folder: Path, kind: str) -> list[Path]:
    return sorted(path for path in folder.rglob(f"*.{kind}-meta.xml") if path.is_file())


def _parts(folder: Path, kind: str) -> Iterator[_Part]:
    for path in _files(folder, kind):
        sobject = path.parent.name if kind == "object" else path.parent.parent.name
        for ending, name in _OTHER_KINDS.items():
            if sobject.endswith(ending):
                raise MetadataError(path, f"{name} are not emulated")
        yield _Part(path=path, sobject=sobject, root=read_xml(path))


def _object(part: _Part) -> JSON:
    if part.root.text("customSettingsType"):
        raise MetadataError(part.path, "custom settings are not emulated")
    told: JSON = {"name": part.sobject, "fields": []}
    if not part.sobject.endswith("__c"):
        return told
    label = part.root.text("label")
    if label is None:
        raise MetadataError(part.path, "the object has no label")
    told |= {"label": label, "labelPlural": part.root.text("pluralLabel") or f"{label}s", "custom": True}
    told["fields"].append(_name_field(part))
    return told


def _name_field(part: _Part) -> JSON:
    element = part.root.first("nameField")
    kind = element.text("type") if element is not None else "Text"
    told: JSON = {"name": "Name", "type": "string", "length": 80, "idLookup": True, "nameField": True}
    told["label"] = (element.text("label") if element is not None else None) or "Name"
    match kind:
        case "Text":
            return told | {"nillable": True, "defaultedOnCreate": True}
        case "AutoNumber":
            display = element.text("displayFormat") if element is not None else None
            locked = {"createable": False, "updateable": False, "nillable": False, "defaultedOnCreate": True}
            return told | locked | {"autoNumber": True, "numberFormat": display or "{0}"}
        case _:
            raise MetadataError(part.path, f"a name field of type {kind} is not emulated")


def _record_type(part: _Part) -> JSON:
    name = part.path.name.partition(".")[0]
    return {
        "developer_name": part.root.text("fullName") or name,
        "name": part.root.text("label") or name,
        "active": part.root.text("active") != "false",
    }


def _finish(folder: Path, told: JSON) -> None:
    """Add what an object has by its kind: an owner unless it is a detail, and a record type where there are some."""
    custom = told.get("custom", False)
    if told["name"].endswith("__c") and "label" not in told:
        raise MetadataError(folder / told["name"], f"there is no file {told['name']}.object-meta.xml")
    has_master = any(field.get("relationshipOrder") is not None for field in told["fields"])
    if custom and not has_master:
        told["fields"].insert(1, _owner())


def _owner() -> JSON:
    return {
        "name": "OwnerId", "label": "Owner ID", "type": "reference", "nillable": False, "defaultedOnCreate": True,
        "referenceTo": ["Group", "User"], "relationshipName": "Owner",
    }  # fmt: skip
