"""What the describe says will fail is found before anything is sent, with the lines of the file."""

from __future__ import annotations

import io
import random
import tempfile
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orgbridge.loads.findings import Severity
from orgbridge.loads.inputs import open_input
from orgbridge.loads.keys import KeyIndex
from orgbridge.loads.mapping import compile_mapping
from orgbridge.loads.mapping_files import spec_from_json
from orgbridge.loads.preflight import Scan, Scanner
from orgbridge.wire.bulk import IngestOperation


def _field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "createable": True, "updateable": True, "nillable": True, **more}


_KINDS = [{"value": "Red"}, {"value": "Old", "active": False}]
_DESCRIBE: dict[str, Any] = {
    "name": "Thing__c",
    "fields": [
        _field("Id", "id", createable=False, updateable=False),
        _field("Name", "string", length=10, nillable=False),
        _field("Key__c", "string", length=20, unique=True, externalId=True),
        _field("Size__c", "int"),
        _field("Price__c", "currency", precision=6, scale=2),
        _field("Day__c", "date"),
        _field("At__c", "datetime"),
        _field("Mail__c", "email", length=80),
        _field("Kind__c", "picklist", restrictedPicklist=True, picklistValues=_KINDS),
        _field("Many__c", "multipicklist", restrictedPicklist=True, picklistValues=[{"value": "a"}, {"value": "b"}]),
        _field("Owner__c", "reference", relationshipName="Owner__r", referenceTo=["User"]),
        _field("Formula__c", "double", createable=False, updateable=False),
    ],
}  # fmt: skip


def _scan(text: str, operation: IngestOperation = IngestOperation.INSERT, key: str | None = None, **spec: Any) -> Scan:
    data = text.encode()
    source = open_input(lambda: iter([data]), open_file=lambda: io.BytesIO(data))
    mapping = compile_mapping(spec_from_json(spec), source.header, _DESCRIBE) if spec else None
    return Scanner(source, mapping, _DESCRIBE, operation, key, tempfile.TemporaryFile).run()


def _told(scan: Scan) -> list[tuple[str, str, list[int]]]:
    return sorted((found.code, found.field, found.lines) for found in scan.findings.all())


def test_pain_38_a_dry_run_finds_what_salesforce_would_refuse() -> None:
    """Every kind of finding has its line, also behind cells with newlines; what may fail is a warning."""
    scan = _scan(
        "Name,Size__c,Price__c,Day__c,At__c,Mail__c,Kind__c,Many__c,Owner__c\n"
        '"ok\nok",1,1.5,2024-01-01,2024-01-01T00:00:00Z,a@b.co,red,a;b,005000000000001\n'
        ",x,12345.67,1.1.2024,2024-01-01T00:00:00,a.b,Old,a;z,nope\n"
        "a name too long,99999999999,#N/A,,,,,,\n"
        "ok,,#N/A,,,,,,005000000000001AAA\n"
    )
    assert _told(scan) == [
        ("INVALID_EMAIL_ADDRESS", "Mail__c", [4]),
        ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Kind__c", [4]),
        ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Many__c", [4]),
        ("INVALID_TYPE_ON_FIELD_IN_RECORD", "At__c", [4]),
        ("INVALID_TYPE_ON_FIELD_IN_RECORD", "Day__c", [4]),
        ("INVALID_TYPE_ON_FIELD_IN_RECORD", "Size__c", [4, 5]),
        ("MALFORMED_ID", "Owner__c", [4]),
        ("NUMBER_OUTSIDE_VALID_RANGE", "Price__c", [4]),
        ("REQUIRED_FIELD_MISSING", "Name", [4]),
        ("STRING_TOO_LONG", "Name", [5]),
    ]
    assert (scan.rows, scan.cleared, scan.complete) == (4, {"Price__c": 2}, True)
    (parents,) = scan.parents
    assert (parents.objects, parents.key) == (("User",), "Id")
    assert parents.values == {"005000000000001AAA": [2, 2, 6]}


def test_the_header_is_part_of_the_findings() -> None:
    """Unknown and unwritable columns, and required ones that are missing, are told together."""
    assert _told(_scan("Nmae,Formula__c,Owner__r.Key__c\na,1,x\n")) == [
        ("REQUIRED_FIELD_MISSING", "Name", [1]),
        ("load.unknown_column", "Nmae", [1]),
        ("load.unwritable_column", "Formula__c", [1]),
    ]
    upsert = _scan("Key__c\nx\n", IngestOperation.UPSERT, "Key__c")
    assert [found.severity for found in upsert.findings.all()] == [Severity.WARNING]


def test_pain_23_duplicate_keys_in_the_file_are_found_with_their_lines() -> None:
    """An external id in any letter case, an id in 15 or 18 characters."""
    scan = _scan("Key__c,Name\na,x\nb,x\nA,x\nc,x\na,x\n", IngestOperation.UPSERT, "Key__c")
    (found,) = scan.findings.all()
    assert (found.code, found.count, found.message) == ("DUPLICATE_VALUE", 2, "Lines 2, 4, 6 have the same Key__c.")
    twice = _scan("Id\n001000000000001\n001000000000001AAA\n", IngestOperation.DELETE)
    assert _told(twice) == [("DUPLICATE_VALUE", "Id", [3])]


def test_faults_of_the_file_are_findings_too() -> None:
    """A ragged row is told and read past; a stray quote ends the reading, and the report says so."""
    scan = _scan("Name,Size__c\na\nb,1\nc,x\n")
    assert ("input.ragged_row", "", [2]) in _told(scan)
    broken = _scan('Name,Size__c\na,1\na"b,1\n')
    assert ("input.bad_quoting", "", [3]) in _told(broken)
    assert not broken.complete


def test_what_a_mapping_refuses_is_found_on_its_line() -> None:
    """Cells are looked at as they would be sent."""
    scan = _scan(
        "Firm,Day\nx,31.12.2024\ny,never\n",
        columns={"Firm": "Name", "Day": "Day__c"},
        date_format="dd.MM.yyyy",
    )
    assert _told(scan) == [("BAD_DATE", "Day__c", [3])]


@given(keys=st.lists(st.integers(0, 30).map(str), max_size=80), run=st.integers(1, 20))
def test_repeated_keys_are_the_same_however_they_were_spilled(keys: list[str], run: int) -> None:
    """Sorted runs in a file find what a counter finds."""
    index = KeyIndex(tempfile.TemporaryFile, run)
    shuffled = list(enumerate(keys, 1))
    random.Random(7).shuffle(shuffled)
    for line, key in shuffled:
        index.add(key, line)
    found = sorted((repeated.lines, repeated.count) for repeated in index.repeated(3))
    index.close()
    counts = Counter(keys)
    lines = {key: tuple(line for line, other in enumerate(keys, 1) if other == key) for key in counts}
    assert found == sorted((lines[key][:3], count) for key, count in counts.items() if count > 1)
