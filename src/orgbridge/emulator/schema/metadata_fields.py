"""A field file of a source folder as a field in the form of the package's data files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from orgbridge.emulator.schema.metadata_files import Element, MetadataError
from orgbridge.kit.json import JSON

#: Metadata types of one plain value, and what describe calls them.
_PLAIN = {
    "Text": "string",
    "TextArea": "textarea",
    "LongTextArea": "textarea",
    "Html": "textarea",
    "EncryptedText": "encryptedstring",
    "Email": "email",
    "Phone": "phone",
    "Url": "url",
    "Number": "double",
    "Currency": "currency",
    "Percent": "percent",
    "Checkbox": "boolean",
    "Date": "date",
    "DateTime": "datetime",
    "Time": "time",
    "Picklist": "picklist",
    "MultiselectPicklist": "multipicklist",
    "Location": "location",
}
#: Lengths that the metadata does not say.
_LENGTHS = {"Email": 80, "Phone": 40, "Url": 255, "TextArea": 255, "Picklist": 255, "MultiselectPicklist": 4099}
_LOCKED = {"createable": False, "updateable": False}
_TEXT_LITERAL = re.compile(r"""(["'])(.*)\1\Z""", re.DOTALL)


def read_field(path: Path, element: Element, sets: Mapping[str, Element]) -> JSON:
    """Return one field.

    Args:
        path: The file, for errors.
        element: The field's element.
        sets: Global value sets by name.

    Raises:
        MetadataError: The field is of a kind that is not emulated, or the file contradicts itself.
    """
    name = element.text("fullName") or path.name.partition(".")[0]
    kind = element.text("type")
    told: JSON = {"name": name, "label": element.text("label"), "custom": name.endswith("__c")}
    if (text := element.text("inlineHelpText")) is not None:
        told["inlineHelpText"] = text
    if kind is None and not name.endswith("__c"):
        raise MetadataError(path, "a change of a standard field is not emulated")
    if element.text("formula") is not None:
        return told | _plain(path, element, kind, name) | _LOCKED | {"calculated": True, "nillable": True}
    match kind:
        case "AutoNumber":
            format_ = element.text("displayFormat") or "{0}"
            ids = {"externalId": element.flag("externalId"), "idLookup": element.flag("externalId")}
            automatic = {"autoNumber": True, "numberFormat": format_, "nillable": False, "defaultedOnCreate": True}
            return told | {"type": "string", "length": 30} | automatic | _LOCKED | ids
        case "Lookup" | "MasterDetail" | "Hierarchy":
            return told | _reference(path, element, kind, name)
        case "Summary":
            return told | _summary(path, element)
        case _:
            plain = told | _plain(path, element, kind, name)
            if kind in ("Picklist", "MultiselectPicklist"):
                plain |= _picklist(path, element, sets)
            return plain | _default(path, element, plain)


def _plain(path: Path, element: Element, kind: str | None, name: str) -> JSON:
    if kind not in _PLAIN:
        raise MetadataError(path, f"a field of type {kind} is not emulated")
    told: JSON = {"type": _PLAIN[kind]}
    if kind == "Location":
        return told | _LOCKED
    if kind in ("Number", "Currency", "Percent"):
        told |= {"precision": _number(path, element, "precision", 18), "scale": _number(path, element, "scale", 0)}
    elif told["type"] in (
        "string",
        "textarea",
        "encryptedstring",
        "email",
        "phone",
        "url",
        "picklist",
        "multipicklist",
    ):
        told["length"] = _number(path, element, "length", _LENGTHS.get(kind, 255))
    if kind == "Html":
        told["htmlFormatted"] = True
    if element.flag("required"):
        told["nillable"] = False
    unique, external = element.flag("unique"), element.flag("externalId")
    if unique or external:
        told |= {"unique": unique, "externalId": external, "idLookup": True}
        told["caseSensitive"] = element.flag("caseSensitive")
    return told


def _number(path: Path, element: Element, name: str, implied: int) -> int:
    text = element.text(name)
    if text is None:
        return implied
    if not text.isdecimal():
        raise MetadataError(path, f"{name} is {text!r}, which is no number")
    return int(text)


def _reference(path: Path, element: Element, kind: str, name: str) -> JSON:
    target = "User" if kind == "Hierarchy" else element.text("referenceTo")
    if not target:
        raise MetadataError(path, "the reference says no referenceTo")
    below = element.text("relationshipName")
    told: JSON = {"type": "reference", "referenceTo": [target], "relationshipName": name.removesuffix("__c") + "__r"}
    if below:
        told["childRelationshipName"] = f"{below}__r"
    if kind == "MasterDetail":
        order = _number(path, element, "relationshipOrder", 0)
        movable = element.flag("reparentableMasterDetail")
        return told | {"nillable": False, "updateable": movable, "cascadeDelete": True, "relationshipOrder": order}
    if element.flag("required"):
        told["nillable"] = False
    match element.text("deleteConstraint"):
        case "Cascade":
            told["cascadeDelete"] = True
        case "Restrict":
            told["restrictedDelete"] = True
        case None | "SetNull":
            pass
        case other:
            raise MetadataError(path, f"the delete constraint {other} is not known")
    return told


def _summary(path: Path, element: Element) -> JSON:
    child, _, reference = (element.text("summaryForeignKey") or "").partition(".")
    summed = (element.text("summarizedField") or "").partition(".")[2] or None
    operation = element.text("summaryOperation") or ""
    if element.first("summaryFilterItems") is not None:
        raise MetadataError(path, "a roll-up summary with a filter is not emulated")
    if not reference or operation not in ("count", "sum", "min", "max") or (operation != "count" and summed is None):
        raise MetadataError(path, "the roll-up summary does not say what it summarizes")
    summary = {"child": child, "reference": reference, "operation": operation, "field": summed}
    scale = 0 if operation == "count" else 2
    empty = 0 if operation in ("count", "sum") else None
    return {
        "type": "double", "precision": 18, "scale": scale, "calculated": True, "summary": summary,
        "defaultValue": empty, **_LOCKED,
    }  # fmt: skip


def _picklist(path: Path, element: Element, sets: Mapping[str, Element]) -> JSON:
    values = element.first("valueSet")
    if values is None:
        raise MetadataError(path, "the picklist has no valueSet")
    named, restricted = values.text("valueSetName"), values.flag("restricted")
    definition = values.first("valueSetDefinition")
    items = definition.all("value") if definition is not None else []
    if named is not None:
        if named not in sets:
            raise MetadataError(path, f"there is no global value set {named} in the folder")
        # Values of a global set are restricted always. Assumed: as the platform's own editor makes them.
        items, restricted = sets[named].all("customValue"), True
    allowed: dict[str, list[str]] = {}
    for setting in values.all("valueSettings"):
        under = [one.own_text for one in setting.all("controllingFieldValue")]
        allowed.setdefault(setting.text("valueName") or "", []).extend(under)
    controller = values.text("controllingField")
    told = []
    for item in items:
        value = item.text("fullName") or ""
        listed: JSON = {
            "value": value,
            "label": item.text("label") or value,
            "active": item.text("isActive") != "false",
        }
        if item.flag("default"):
            listed["defaultValue"] = True
        if controller is not None:
            listed["validFor"] = allowed.get(value, [])
        told.append(listed)
    default = next((item["value"] for item in told if item.get("defaultValue")), None)
    found: JSON = {"picklistValues": told, "restrictedPicklist": restricted}
    if controller is not None:
        found["controllerName"] = controller
    if default is not None:
        found |= {"defaultValue": default, "defaultedOnCreate": True}
    return found


def _default(path: Path, element: Element, told: JSON) -> JSON:
    """Return the value of new rows. Only literals: a formula would have to be computed."""
    text = element.text("defaultValue")
    if not text:
        return {}
    match told["type"]:
        case "boolean" if text.lower() in ("true", "false"):
            return {"defaultValue": text.lower() == "true"}
        case "double" | "currency" | "percent" if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return {"defaultValue": float(text), "defaultedOnCreate": True}
        case "string" | "textarea" | "email" | "phone" | "url" | "picklist" if found := _TEXT_LITERAL.match(text):
            return {"defaultValue": found[2], "defaultedOnCreate": True}
        case _:
            raise MetadataError(path, f"the default value {text!r} is a formula, which is not emulated")
