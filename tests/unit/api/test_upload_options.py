"""What a form or a query may say about a load."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import Request

from orgbridge.api.v1.upload_options import FORM_OPTIONS, check_query, form_request
from orgbridge.services.errors import InvalidRequest
from orgbridge.services.uploads import Upload


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


def _upload(**fields: str) -> Upload:
    upload = Upload(_nothing(), "multipart/form-data; boundary=x")
    upload.fields = fields
    upload.filename = "in.csv"
    return upload


def test_fields_are_options_and_the_query_goes_first() -> None:
    """A form alone says all; where both speak, the query does."""
    upload = _upload(object_name="Lead", operation_type="upsert", external_id_field="Key__c", part_rows="20")
    asked = form_request(upload, {"object_name": "Account", "operation_type": None, "part_rows": None})
    assert (asked.object_name, asked.operation, asked.external_id_field) == ("Account", "upsert", "Key__c")
    assert (asked.part_rows, asked.original_name) == (20, "in.csv")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"operation_type": "insert"}, "object_name is missing"),
        ({"object_name": "Account", "operation_type": ""}, "operation_type is missing"),
        ({"object_name": "Account", "operation_type": "insert", "part_rows": "0"}, "part_rows"),
        ({"object_name": "Account", "operation_type": "insert", "part_rows": "many"}, "part_rows"),
        ({"object_name": "Account", "operation_type": "insert", "part_rows": "٣"}, "part_rows"),
        ({"object_name": "Account", "operation_type": "insert", "dry": "true"}, "no option 'dry'"),
    ],
)
def test_a_form_that_cannot_be_heeded_in_full_is_refused(fields: dict[str, str], says: str) -> None:
    """Nothing that a caller says is overlooked."""
    with pytest.raises(InvalidRequest, match=says):
        form_request(_upload(**fields), {})


def test_an_unknown_query_parameter_is_refused() -> None:
    """Somebody who asks for a dry run must not get a real one."""
    scope = {"type": "http", "query_string": b"object_name=Account&dry=true", "headers": []}
    with pytest.raises(InvalidRequest, match="no option 'dry'") as refused:
        check_query(Request(scope), FORM_OPTIONS)
    assert [item["field"] for item in refused.value.details] == ["dry"]
