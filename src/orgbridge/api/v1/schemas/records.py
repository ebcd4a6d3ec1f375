"""Shapes of the record and batch calls."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from orgbridge.services.names import API_NAME

ObjectName = Annotated[str, Field(pattern=API_NAME, description="API name of the object.", examples=["Account"])]
FieldName = Annotated[str, Field(pattern=API_NAME, description="API name of a field.", examples=["External_Id__c"])]
RecordId = Annotated[
    str,
    Field(
        min_length=15,
        max_length=18,
        pattern=r"^[A-Za-z0-9]+$",
        description="Salesforce id, 15 or 18 characters.",
        examples=["001Ob0000000001AAA"],
    ),
]

#: The words of bulk calls, as documented; letter case is not looked at.
LoadOperation = Annotated[
    str,
    Field(
        max_length=20,
        description="insert, update, upsert, delete or hardDelete; create means insert.",
        examples=["insert"],
        json_schema_extra={"enum": ["insert", "update", "upsert", "delete", "hardDelete", "create"]},
    ),
]


#: A SOQL text in the API documents.
SOQL_SCHEMA: dict[str, Any] = {"pattern": r"^\s*[Ss][Ee][Ll][Ee][Cc][Tt]\s"}


class RecordCreate(BaseModel):
    """Create one record."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"object_name": "Account", "data": {"Name": "New Account"}}]},
    )

    object_name: ObjectName
    data: dict[str, Any] = Field(description="Field values by API name.")


class RecordUpdate(BaseModel):
    """Set fields of one record."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"object_name": "Account", "record_id": "001Ob0000000001AAA", "data": {"Industry": "Technology"}}
            ]
        },
    )

    object_name: ObjectName
    record_id: RecordId
    data: dict[str, Any] = Field(description="Field values by API name; null clears a field.")


class RecordUpsert(BaseModel):
    """Create or update one record by its external id."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "object_name": "Contact",
                    "external_id_field": "External_Id__c",
                    "record_id": "legacy-contact-123",
                    "data": {"LastName": "Smith", "Email": "smith@example.com"},
                }
            ]
        },
    )

    object_name: ObjectName
    external_id_field: FieldName
    record_id: str = Field(min_length=1, max_length=255, description="The external id's value.")
    data: dict[str, Any] = Field(description="Field values by API name.")


class RecordReply(BaseModel):
    """What a record call did."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "success": True,
                    "message": "Account created.",
                    "record_id": "001Ob0000000001AAA",
                    "data": None,
                    "errors": [],
                }
            ]
        }
    )

    success: bool = Field(description="True; a failure is a problem.")
    message: str = Field(description="One sentence.")
    record_id: str | None = Field(description="Id of the record.")
    data: dict[str, Any] | None = Field(description="Field values of a read.")
    errors: list[dict[str, Any]] = Field(description="Empty on success.")
    created: bool | None = Field(None, description="Of an upsert: true when the record is new.")


class BatchRequest(BaseModel):
    """Process a list of records."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "object_name": "Lead",
                    "operation_type": "create",
                    "records": [
                        {"Company": "Lead1", "LastName": "Ada"},
                        {"Company": "Lead2", "LastName": "Grace"},
                    ],
                    "use_bulk_api": False,
                }
            ]
        },
    )

    object_name: ObjectName
    operation_type: LoadOperation = Field(
        description="create, insert, update, upsert or delete; hardDelete as a load only.", examples=["create"]
    )
    records: list[dict[str, Any]] = Field(min_length=1, description="One mapping per record.")
    use_bulk_api: StrictBool | Literal["auto"] = Field(
        False, description="true: a load; false: collections of 200; auto: a load above 2,000 records."
    )
    external_id_field: str | None = Field(None, description="The key of an upsert.", examples=["External_Id__c"])
    all_or_none: StrictBool = Field(False, description="Save all or nothing; at most 200 records, and not as a load.")


class RecordResult(BaseModel):
    """What became of one record of a batch."""

    success: bool = Field(description="True when it was saved.")
    id: str | None = Field(description="Id of the record; null when it was not saved.")
    created: bool | None = Field(description="Of an upsert: true when the record is new.")
    errors: list[dict[str, Any]] = Field(description="Salesforce's errors: errorCode, message, fields.")
    help: str | None = Field(None, description="What a refused field takes and what it got, when the describe tells.")


class BatchReply(BaseModel):
    """What a batch did."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "success": True,
                    "message": "2 of 2 records succeeded.",
                    "job_id": None,
                    "results": [
                        {"success": True, "id": "00QOb0000000001AAA", "created": None, "errors": []},
                        {"success": True, "id": "00QOb0000000002AAA", "created": None, "errors": []},
                    ],
                    "records_succeeded": 2,
                    "records_failed": 0,
                    "via": "collections",
                    "reason": "2 records: up to 2000 go at once, here in 1 calls.",
                }
            ]
        }
    )

    success: bool = Field(description="True when every record succeeded, or the load was accepted.")
    message: str = Field(description="One sentence.")
    job_id: str | None = Field(description="Id of the load, when one was made.")
    results: list[RecordResult] | None = Field(description="One per record, in the order of the input.")
    records_succeeded: int | None = Field(None, description="Records saved.")
    records_failed: int | None = Field(None, description="Records not saved.")
    via: Literal["collections", "bulk"] | None = Field(None, description="How the records went to Salesforce.")
    reason: str | None = Field(None, description="Why they went this way.")
