"""Field types of an SObject and the SOAP types that describe gives with them.

Source: facts/salesforce/rest.md section 2 (recorded describes, v48 to v62).
"""

from __future__ import annotations

from enum import StrEnum


class FieldType(StrEnum):
    """The `type` of a field in describe."""

    ID = "id"
    REFERENCE = "reference"
    STRING = "string"
    TEXTAREA = "textarea"
    PICKLIST = "picklist"
    MULTIPICKLIST = "multipicklist"
    COMBOBOX = "combobox"
    PHONE = "phone"
    URL = "url"
    EMAIL = "email"
    ENCRYPTEDSTRING = "encryptedstring"
    BOOLEAN = "boolean"
    INT = "int"
    DOUBLE = "double"
    CURRENCY = "currency"
    PERCENT = "percent"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    BASE64 = "base64"
    ADDRESS = "address"
    LOCATION = "location"
    ANYTYPE = "anyType"
    COMPLEXVALUE = "complexvalue"


SOAP_TYPES: dict[FieldType, str] = {
    FieldType.ID: "tns:ID",
    FieldType.REFERENCE: "tns:ID",
    FieldType.BOOLEAN: "xsd:boolean",
    FieldType.INT: "xsd:int",
    FieldType.DOUBLE: "xsd:double",
    FieldType.CURRENCY: "xsd:double",
    FieldType.PERCENT: "xsd:double",
    FieldType.DATE: "xsd:date",
    FieldType.DATETIME: "xsd:dateTime",
    FieldType.TIME: "xsd:time",
    FieldType.BASE64: "xsd:base64Binary",
    FieldType.ADDRESS: "urn:address",
    FieldType.LOCATION: "urn:location",
}

#: Types whose values are text and are compared without regard to case in SOQL.
TEXT_TYPES = frozenset(
    {
        FieldType.STRING,
        FieldType.TEXTAREA,
        FieldType.PICKLIST,
        FieldType.MULTIPICKLIST,
        FieldType.COMBOBOX,
        FieldType.PHONE,
        FieldType.URL,
        FieldType.EMAIL,
        FieldType.ENCRYPTEDSTRING,
    }
)
#: Types whose values are record ids.
ID_TYPES = frozenset({FieldType.ID, FieldType.REFERENCE})
#: Types whose values are numbers with a fraction.
DECIMAL_TYPES = frozenset({FieldType.DOUBLE, FieldType.CURRENCY, FieldType.PERCENT})


def soap_type(field_type: FieldType) -> str:
    """Return the `soapType` that describe gives for a field type."""
    return SOAP_TYPES.get(field_type, "xsd:string")
