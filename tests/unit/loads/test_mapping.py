"""Columns find their fields, cells their forms, and rows keep their identity."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.errors import BadMapping
from orgbridge.loads.mapped import MappedRecords, read_refusals, refusal_lines, restored
from orgbridge.loads.mapping import Mapping, MappingSpec, NullPolicy, Unmapped, compile_mapping
from orgbridge.loads.mapping_files import read_mapping, spec_from_json, spec_of_options
from orgbridge.loads.normalising import CellRefused, Formats, converter
from orgbridge.loads.splitter import LineCount
from orgbridge.wire.bulk import LineEnding
from orgbridge.wire.fieldtypes import FieldType

_DESCRIBE: dict[str, Any] = {
    "name": "Task",
    "fields": [
        {"name": "Subject", "label": "Betreff", "type": "string"},
        {"name": "ActivityDate", "label": "Fällig am", "type": "date"},
        {"name": "When__c", "label": "When", "type": "datetime"},
        {"name": "Done__c", "label": "Done", "type": "boolean"},
        {"name": "Amount__c", "label": "Amount", "type": "currency"},
        {"name": "Twin__c", "label": "Same", "type": "string"},
        {"name": "Twin2__c", "label": "Same", "type": "string"},
        {"name": "WhoId", "label": "Who", "type": "reference", "relationshipName": "Who",
         "referenceTo": ["Contact", "Lead"]},
        {"name": "AccountId", "label": "Account", "type": "reference", "relationshipName": "Account",
         "referenceTo": ["Account"]},
    ],
}  # fmt: skip


def _compiled(value: dict[str, Any], *header: str) -> Mapping:
    return compile_mapping(spec_from_json(value), header, _DESCRIBE)


def test_columns_find_fields_by_name_label_and_mapping_in_the_order_of_the_file() -> None:
    """A name or label in any letter case is a field; constants follow; null leaves out."""
    found = _compiled(
        {"columns": {"junk": None, "Code": ["Twin__c", "twin2__C"]}, "constants": {"done__c": True}},
        *("BETREFF", "Junk", "activitydate", "Code"),
    )
    assert found.header == ("Subject", "ActivityDate", "Twin__c", "Twin2__c", "Done__c")
    assert found.targets[-1].constant == "true"
    assert Mapping.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Lead:Who.Email", "Lead:Who.Email"),
        ("who:contact.Ext__c", "Contact:Who.Ext__c"),
        ("Account.Ext__c", "Account.Ext__c"),
        ("Account:Ext__c", "Account.Ext__c"),
        ("Account:Account.Ext__c", "Account.Ext__c"),
        ("Contact:Who-Email", "Contact:Who.Email"),
    ],
)
def test_pain_28_parents_are_named_by_their_keys_in_the_form_that_the_relation_needs(said: str, meant: str) -> None:
    """The type stands before a polymorphic relation, and before no other."""
    assert _compiled({"columns": {"x": said}}, "x").header == (meant,)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"columns": {"y": "Subject"}}, "column 'y', which the file does not have"),
        ({"columns": {"x": "Nmae"}}, "field 'Nmae'"),
        ({"columns": {"x": "Same"}}, "Twin__c and Twin2__c"),
        ({"columns": {"x": "Who.Email"}}, "say which, as in Contact:Who.Email"),
        ({"columns": {"x": "Account:Who.Email"}}, "never names a Account"),
        ({"columns": {"x": "Subject"}, "constants": {"Subject": "a"}}, "Two columns go to the field Subject"),
        ({"columns": {"x": None}}, "leaves every column out"),
        ({"columns": {"x": "Subject"}, "nulls": {"z": "clear"}}, "names 'z'"),
        ({"columns": {"x": 5}}, "must go to a field"),
        ({"columns": {}, "nullls": {}}, "has 'nullls'"),
        ({"columns": {}, "nulls": {"*": "drop"}}, "ignore, clear or error"),
        ({"columns": {}, "time_zone": "Mars/Base"}, "no time zone 'Mars/Base'"),
        ({"columns": {}, "date_format": "dd.QQ.yyyy"}, "'QQ', which means nothing"),
        ({"columns": {}, "decimal_mark": ";"}, "must be . or ,"),
        ([], "must be a JSON object"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(value: Any, says: str) -> None:
    """What is wrong is named."""
    with pytest.raises(BadMapping, match=says.replace("(", r"\(")):
        _compiled(value, "x")


def test_mapping_files_are_json_csv_and_sdl() -> None:
    """The three forms mean the same; an .sdl leaves out what it does not name, and has constants in quotes."""
    assert read_mapping('{"Firm": "Name"}').columns == {"Firm": ("Name",)}
    assert read_mapping("column,field\nFirm,Name\nJunk,\n", "m.csv").columns == {"Firm": ("Name",), "Junk": ()}
    sdl = '#Mapping\n!x\nFirm\\ name=Name\nK\\u00f6ln=City__c, Town__c\n"a\\=b"=Industry\nParent=Parent\\:Ext__c\nNo=\n'
    found = read_mapping(sdl, "m.sdl")
    assert found == read_mapping(sdl)
    assert found.columns == {
        "Firm name": ("Name",),
        "Köln": ("City__c", "Town__c"),
        "Parent": ("Parent:Ext__c",),
        "No": (),
    }
    assert (found.constants, found.unmapped) == ({"Industry": "a=b"}, Unmapped.LEAVE_OUT)
    for text, says in (("{", "not JSON"), ("a;b\n", "must be JSON"), ("x" * 1_000_001, "more than")):
        with pytest.raises(BadMapping, match=says):
            read_mapping(text, "m.csv")


def test_options_of_a_request_are_one_specification() -> None:
    """Formats and policies that stand beside the mapping belong to it; none at all is no mapping."""
    assert spec_of_options() is None
    spec = spec_of_options(
        mapping='{"Firm": "Name"}', null_policy="Phone:clear,error", formats={"time_zone": "UTC", "date_format": None}
    )
    assert spec is not None
    assert spec.nulls == {"Phone": NullPolicy.CLEAR, "*": NullPolicy.ERROR}
    assert (spec.formats.time_zone, spec.columns) == ("UTC", {"Firm": ("Name",)})
    assert spec_from_json(spec.to_json()) == spec
    assert MappingSpec().says_nothing


def test_a_mapping_that_renames_only_keeps_the_records() -> None:
    """Bytes are copied only where cells may change."""
    assert _compiled({"columns": {"a": "Subject", "b": "Done__c"}}, "a", "b").keeps_records
    assert not _compiled({"columns": {"b": "Subject"}, "nulls": {"*": "clear"}}, "b").keeps_records
    assert not _compiled({"columns": {"a": None, "b": "Subject"}}, "a", "b").keeps_records


_REFUSALS = ("BAD_DATE", "NO_TIME_ZONE", "BAD_TIME", "BAD_NUMBER", "BAD_BOOLEAN")
_GERMAN = Formats(
    time_zone="Europe/Berlin", date_format="dd.MM.yyyy", decimal_mark=",", datetime_format="dd.MM.yyyy HH:mm"
)


@pytest.mark.parametrize(
    ("kind", "formats", "text", "meant"),
    [
        (FieldType.DATE, Formats(), "2024-12-31", "2024-12-31"),
        (FieldType.DATE, _GERMAN, "31.12.2024", "2024-12-31"),
        (FieldType.DATE, _GERMAN, "2024-12-31T23:30:00Z", "2025-01-01"),
        (FieldType.DATE, Formats(date_format="%m/%d/%y"), "12/31/24", "2024-12-31"),
        (FieldType.DATE, Formats(), "31.12.2024", "BAD_DATE"),
        (FieldType.DATE, Formats(), "0999-01-01", "BAD_DATE"),
        (FieldType.DATETIME, Formats(), "2024-07-01T12:00:00+02:00", "2024-07-01T10:00:00.000Z"),
        (FieldType.DATETIME, Formats(), "2024-07-01 12:00:00.5Z", "2024-07-01T12:00:00.500Z"),
        (FieldType.DATETIME, Formats(), "2024-07-01T12:00:00", "NO_TIME_ZONE"),
        (FieldType.DATETIME, _GERMAN, "2024-07-01T12:00:00", "2024-07-01T10:00:00.000Z"),
        (FieldType.DATETIME, _GERMAN, "01.12.2024 12:00", "2024-12-01T11:00:00.000Z"),
        (FieldType.DATETIME, _GERMAN, "01.12.2024", "2024-11-30T23:00:00.000Z"),
        (FieldType.DATETIME, _GERMAN, "2024-03-31T02:30:00", "BAD_DATE"),
        (FieldType.TIME, Formats(), "9:05", "09:05:00.000Z"),
        (FieldType.TIME, Formats(), "25:00", "BAD_TIME"),
        (FieldType.INT, Formats(), "47.0", "47"),
        (FieldType.INT, Formats(), "4.5", "BAD_NUMBER"),
        (FieldType.DOUBLE, Formats(), "1e3", "1000"),
        (FieldType.DOUBLE, Formats(), "0.10", "0.10"),
        (FieldType.DOUBLE, Formats(), "NaN", "BAD_NUMBER"),
        (FieldType.DOUBLE, Formats(), "1_000", "BAD_NUMBER"),
        (FieldType.CURRENCY, _GERMAN, "1.234.567,89", "1234567.89"),
        (FieldType.CURRENCY, _GERMAN, "12.34", "BAD_NUMBER"),
        (FieldType.CURRENCY, Formats(decimal_mark="."), "-1,234.5", "-1234.5"),
        (FieldType.CURRENCY, Formats(), "1,234.5", "BAD_NUMBER"),
        (FieldType.PERCENT, Formats(), "12.5 %", "12.5"),
        (FieldType.BOOLEAN, Formats(), " Yes ", "true"),
        (FieldType.BOOLEAN, Formats(), "0", "false"),
        (FieldType.BOOLEAN, Formats(), "maybe", "BAD_BOOLEAN"),
    ],
)  # fmt: skip
def test_pain_35_values_are_written_as_salesforce_reads_them_or_refused(
    kind: FieldType, formats: Formats, text: str, meant: str
) -> None:
    """Dates with the stated zone, numbers with the stated mark; nothing is guessed."""
    convert = converter(kind, formats)
    assert convert is not None
    if meant in _REFUSALS:
        with pytest.raises(CellRefused) as refused:
            convert(text)
        assert refused.value.code == meant
    else:
        assert convert(text) == meant


_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)


@given(
    rows=st.lists(st.tuples(_CELL, st.sampled_from(["", "1", "2.5", "x", "#N/A"]), _CELL), min_size=1, max_size=30),
    size=st.integers(1, 40),
)
def test_a_mapping_keeps_the_identity_of_rows(rows: list[tuple[str, str, str]], size: int) -> None:
    """Each row is sent or refused, in order, and every outcome stands beside the record it came from."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    data = out.getvalue().encode()

    def records() -> Iterator[bytes]:
        return iter([data[at : at + size] for at in range(0, len(data), size)])

    mapping = _compiled(
        {"columns": {"a": None, "b": "Amount__c", "c": "Subject"}, "nulls": {"c": "clear"}}, "a", "b", "c"
    )
    dialect = Dialect(delimiter=",", line_ending=LineEnding.LF)
    mapped = MappedRecords(records(), dialect, mapping)
    sent = list(csv.reader(io.StringIO(b"".join(mapped).decode(), newline="")))
    good = [row for row in rows if row[1] != "x"]
    assert sent == [[row[1], row[2] or "#N/A"] for row in good]
    refusals = read_refusals(refusal_lines(mapped.sent.refusals))
    assert [refusal.place for refusal in refusals] == [place for place, row in enumerate(rows) if row[1] == "x"]
    assert mapped.sent.rows == len(good)
    back = restored(
        None if not sent else _all_written(sent),
        refusals,
        records=records,
        dialect=dialect,
        first_row=1,
        first_line=2,
        line_count=LineCount.PHYSICAL,
    )
    assert (back.rows, back.succeeded, back.failed) == (len(rows), len(good), len(refusals))
    results = list(csv.reader(io.StringIO(b"".join(back.result_blocks()).decode(), newline="")))
    assert [tuple(row[9:]) for row in results] == rows
    assert [row[1] for row in results] == ["failed" if row[1] == "x" else "succeeded" for row in rows]
    assert [row[2] for row in results if row[2]] == [f"001{place:015d}" for place in range(len(good))]


def _all_written(sent: list[list[str]]) -> Any:
    from dataclasses import replace

    from orgbridge.loads.matching import unprocessed_part
    from orgbridge.loads.outcomes import CREATED

    found = unprocessed_part(
        records=lambda: iter([b"x,y\n" * len(sent)]),
        dialect=Dialect(delimiter=",", line_ending=LineEnding.LF),
        first_row=1,
        first_line=2,
        error_code="",
        error_message="",
    )
    verdicts: list[bytes | None] = [CREATED + f"001{place:015d}".encode() for place in range(len(sent))]
    return replace(
        found, succeeded=len(sent), unprocessed=0, ledger=replace(found.ledger, verdicts=verdicts), errors=()
    )
