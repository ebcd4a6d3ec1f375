"""Results find their rows, and what does not fit is reported and never dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.errors import UnreadableResults
from orgbridge.loads.matching import PartMatch, match_part, unprocessed_part
from orgbridge.loads.outcomes import Match, Outcome, RowStatus
from orgbridge.loads.receipt import ErrorGroup
from orgbridge.loads.results import ResultKind, failed_rows, results_header, select
from orgbridge.loads.splitter import LineCount
from orgbridge.wire.bulk import IngestOperation, LineEnding

LF = Dialect(delimiter=",", line_ending=LineEnding.LF)


def _blocks(data: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([data] if data else [])


def _match(records: bytes, **changes: Any) -> PartMatch:
    files: dict[str, Any] = {name: _blocks(changes.pop(name, b"")) for name in ("successful", "failed", "unprocessed")}
    given: dict[str, Any] = {
        "dialect": LF,
        "header": ("Id", "Name"),
        "operation": IngestOperation.INSERT,
        "external_id_field": None,
        "first_row": 1,
        "first_line": 2,
    }
    return match_part(records=_blocks(records), **files, **(given | changes))


def _ids(match: PartMatch) -> list[str]:
    return [outcome.id for outcome in match.outcomes()]


def test_an_update_is_matched_by_id_even_if_cells_come_back_changed() -> None:
    """The id is enough where it is unique, in its 15- or 18-character form."""
    match = _match(
        b"001000000000001,a\n001000000000002AAA,b\n",
        operation=IngestOperation.UPDATE,
        successful=b'"sf__Id","sf__Created","Id","Name"\n"2","false","001000000000002","B"\n',
        failed=b'"sf__Id","sf__Error","Id","Name"\n"1","STRING_TOO_LONG:x:Name --","001000000000001AAA"," a"\n',
    )
    assert _ids(match) == ["1", "2"]
    assert (match.succeeded, match.failed, match.stray_results, match.missing_results) == (1, 1, 0, 0)


def test_an_upsert_is_matched_by_its_external_id_in_any_case_of_its_name() -> None:
    """Field names have no case."""
    match = _match(
        b"x,a\ny,b\n",
        header=("ext__c", "Name"),
        operation=IngestOperation.UPSERT,
        external_id_field="Ext__c",
        successful=b'"sf__Id","sf__Created","EXT__C"\n"2","true","y"\n"1","false","x"\n',
    )
    assert list(match.outcomes()) == [
        Outcome(line=2, row=1, status=RowStatus.SUCCEEDED, id="1", created=False),
        Outcome(line=3, row=2, status=RowStatus.SUCCEEDED, id="2", created=True),
    ]


@pytest.mark.parametrize("kept_bytes", [0, 100_000, 1 << 30])
def test_rows_of_a_large_part_are_matched_as_those_of_a_small_one(kept_bytes: int) -> None:
    """Rows and digests find the same outcomes, also for rows met before the change and for identical ones."""
    rows = [f"{number},{number % 3}" for number in range(20_000)] + ["7,1", "7,1"]
    header = b'"sf__Id","sf__Created","Id","Name"\n'
    said = [(f"x{place}", *row.split(",")) for place, row in enumerate(rows)]
    match = _match(
        "".join(f"{row}\n" for row in rows).encode(),
        successful=header + "".join(f'"{made}","true","{id_}","{name}"\n' for made, id_, name in said[::-1]).encode(),
        kept_bytes=kept_bytes,
    )
    ids = _ids(match)
    assert ids[:7] + ids[8:20_000] == [f"x{place}" for place in range(20_000) if place != 7]
    assert sorted((ids[7], *ids[20_000:])) == ["x20000", "x20001", "x7"]
    assert (match.succeeded, match.stray_results, match.missing_results, match.ambiguous) == (20_002, 0, 0, 0)


def test_keys_that_repeat_are_told_apart_by_all_cells() -> None:
    """Two rows of one id but other content keep their own outcomes."""
    match = _match(
        b"1,a\n1,b\n2,c\n",
        operation=IngestOperation.DELETE,
        successful=b'"sf__Id","sf__Created","Id","Name"\n"1","false","1","b"\n"2","false","2","c"\n',
        failed=b'"sf__Id","sf__Error","Id","Name"\n"1","ENTITY_IS_DELETED:entity is deleted:--","1","a"\n',
    )
    assert [outcome.status for outcome in match.outcomes()] == ["failed", "succeeded", "succeeded"]
    assert match.ambiguous == 0


def test_identical_inserts_that_all_succeed_are_exact() -> None:
    """Which of two equal rows got which new id does not matter."""
    match = _match(
        b"1,a\n1,a\n",
        successful=b'"sf__Id","sf__Created","Id","Name"\n"x","true","1","a"\n"y","true","1","a"\n',
    )
    assert _ids(match) == ["x", "y"]
    assert match.ambiguous == 0


def test_identical_rows_of_which_columns_are_hidden_are_ambiguous() -> None:
    """If not all columns are echoed, rows that look alike need not be."""
    match = _match(
        b"1,a\n2,a\n3,b\n",
        successful=b'"sf__Id","sf__Created","Name"\n"x","true","a"\n"y","true","a"\n"z","true","b"\n',
    )
    assert _ids(match) == ["x", "y", "z"]
    assert [outcome.match for outcome in match.outcomes()] == [Match.AMBIGUOUS, Match.AMBIGUOUS, Match.EXACT]
    assert b"2,succeeded,x,true,,,,1,ambiguous,1,a\n" in b"".join(match.result_blocks())


def test_identical_rows_with_other_outcomes_are_ambiguous_in_order() -> None:
    """One of two equal rows failed: which cannot be known, and both say so."""
    match = _match(
        b"1,a\n1,a\n",
        successful=b'"sf__Id","sf__Created","Id","Name"\n"x","true","1","a"\n',
        failed=b'"sf__Id","sf__Error","Id","Name"\n"","UNABLE_TO_LOCK_ROW:busy:--","1","a"\n',
    )
    assert [(o.status, o.match) for o in match.outcomes()] == [
        (RowStatus.SUCCEEDED, Match.AMBIGUOUS),
        (RowStatus.FAILED, Match.AMBIGUOUS),
    ]


def test_more_results_than_identical_rows_are_strays() -> None:
    """Three answers for two rows leave one over, and doubt on the others."""
    said = b'"x","true","1","a"\n"y","true","1","a"\n"z","true","1","a"\n'
    match = _match(b"1,a\n1,a\n", successful=b'"sf__Id","sf__Created","Id","Name"\n' + said)
    assert (match.stray_results, match.ambiguous, match.succeeded) == (1, 2, 2)


def test_a_second_result_for_a_row_is_a_stray() -> None:
    """The first result stands, the second is reported."""
    head = b'"sf__Id","sf__Created","Id","Name"\n'
    match = _match(b"1,a\n", successful=head + b'"x","true","1","a"\n"y","true","1","a"\n')
    assert (_ids(match), match.stray_results) == (["x"], 1)


def test_a_row_that_no_result_names_is_unprocessed_and_counted() -> None:
    """A finished job owes a result for each row."""
    match = _match(b"1,a\n2,b\n", successful=b'"sf__Id","sf__Created","Id","Name"\n"x","true","2","b"\n')
    first = next(match.outcomes())
    assert (first.status, first.error_code) == (RowStatus.UNPROCESSED, "NO_RESULT")
    assert (match.missing_results, match.unprocessed) == (1, 1)


def test_rows_of_a_failed_job_are_unprocessed_with_its_reason() -> None:
    """After Failed or Aborted a row in neither file was not processed, which is no mismatch."""
    match = _match(
        b"1,a\n2,b\n3,c\n",
        successful=b'"sf__Id","sf__Created","Id","Name"\n"x","true","2","b"\n',
        unprocessed=b'"Id","Name"\n"3","c"\n',
        job_complete=False,
        job_error="InvalidBatch : Field name not found : Foo__c",
    )
    assert match.missing_results == 0
    assert match.errors == (
        ErrorGroup(code="UNPROCESSED", count=2, lines=(2, 4), message="InvalidBatch : Field name not found : Foo__c"),
    )


def test_a_job_without_any_results_leaves_all_rows_unprocessed() -> None:
    """Empty results files are no error."""
    match = _match(b"1,a\n2,b\n", job_complete=False, operation=IngestOperation.UPDATE)
    assert (match.rows, match.unprocessed) == (2, 2)
    assert next(match.outcomes()).error_message == "Salesforce did not process the row."


def test_header_only_results_are_understood() -> None:
    """Salesforce sends the header even when there are no rows."""
    match = _match(
        b"1,a\n",
        successful=b'"sf__Id","sf__Created","Id","Name"\n"x","true","1","a"\n\n',
        failed=b'"sf__Id","sf__Error","Id","Name"\n',
        unprocessed=b'"Id","Name"\n',
    )
    assert match.succeeded == 1


def test_results_may_have_commas_whatever_the_upload_had() -> None:
    """The delimiter of results is read from their own header."""
    match = _match(
        b"1;a\n",
        dialect=Dialect(delimiter=";", line_ending=LineEnding.LF),
        successful=b'"sf__Id","sf__Created","Id","Name"\n"x","true","1","a"\n',
    )
    assert match.succeeded == 1


def test_newlines_in_cells_may_come_back_changed() -> None:
    """CRLF, CR and LF inside a cell compare as equal."""
    match = _match(
        b'1,"a\r\nb"\n2,"a\rb"\n',
        successful=b'"sf__Id","sf__Created","Id","Name"\n"x","true","1","a\nb"\n"y","true","2","a\nb"\n',
    )
    assert _ids(match) == ["x", "y"]
    assert [outcome.line for outcome in match.outcomes()] == [2, 4]


def test_cells_that_hold_the_separator_are_not_confused() -> None:
    """Moving the inner separator from one cell to the next makes another row."""
    match = _match(
        b"a\x1fb,c\na,b\x1fc\n",
        successful=b'"sf__Id","sf__Created","Id","Name"\n"y","true","a","b\x1fc"\n"x","true","a\x1fb","c"\n',
    )
    assert _ids(match) == ["x", "y"]


def test_a_cell_beyond_the_csv_module_is_matched() -> None:
    """The module's limit of 131,072 characters is not ours."""
    long = b"x" * 200_000
    match = _match(
        b'1,"' + long + b'"\n2,\n',
        successful=b'"sf__Id","sf__Created","Id","Name"\n"x","true","1","' + long + b'"\n"y","true","2",""\n',
    )
    assert _ids(match) == ["x", "y"]
    assert b"".join(match.result_blocks()).endswith(b"exact,2,\n")


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"successful": b'"Id","Name"\n'}, "has no column sf__Id and sf__Created"),
        ({"failed": b'"sf__Id","sf__Error"\n'}, "failedResults echoes no column"),
        ({"successful": b'"sf__Id","sf__Created","Name"\n"x","true"\n'}, "Row 1 of successfulResults has 2 cells"),
        ({"successful": b'"sf__Id","sf__Created","Name"\n"x","true","a'}, "not well quoted"),
        ({"successful": b'"sf__Id","sf__Created","Name"\n"x","true","\xff"\n'}, "not UTF-8"),
        ({"successful": b'"sf__Id","sf__Created","Name\n'}, "not well quoted"),
        ({"unprocessed": b'"Id"\n', "failed": b'"sf__Id","sf__Error","Name"\n'}, "no column of the input in common"),
    ],
)
def test_results_that_make_no_sense_are_refused(files: dict[str, bytes], text: str) -> None:
    """A damaged or foreign results file stops the match instead of losing rows."""
    with pytest.raises(UnreadableResults, match=text):
        _match(b"1,a\n", **files)


def test_an_upsert_without_its_key_column_is_matched_by_content() -> None:
    """The column may be missing from the file or from the echo."""
    match = _match(
        b"1,a\n2,b\n",
        operation=IngestOperation.UPSERT,
        external_id_field="Ext__c",
        successful=b'"sf__Id","sf__Created","Name"\n"y","true","b"\n"x","true","a"\n',
    )
    assert _ids(match) == ["x", "y"]


def test_lines_of_json_count_records() -> None:
    """An element's number does not depend on newlines in its cells."""
    match = _match(b'1,"a\nb"\n2,c\n', first_line=7, line_count=LineCount.RECORD, job_complete=False)
    assert [outcome.line for outcome in match.outcomes()] == [7, 8]


def test_many_distinct_failures_are_kept_apart() -> None:
    """Shared verdicts and ready-made prefixes are bounded; beyond them rows still get their own message."""
    count = 2_500
    failed = b"".join(b'"","STRING_TOO_LONG:Name %d:Name --","%d","a"\n' % (n, n) for n in range(count))
    match = _match(b"".join(b"%d,a\n" % n for n in range(count)), failed=b'"sf__Id","sf__Error","Id","Name"\n' + failed)
    assert [outcome.error_message for outcome in match.outcomes()] == [f"Name {n}" for n in range(count)]
    lines = b"".join(match.result_blocks()).splitlines()
    assert lines[-1] == b"2501,failed,,,STRING_TOO_LONG,Name 2499,Name,1,exact,2499,a"


def test_rows_of_a_part_that_was_never_sent_are_accounted_for() -> None:
    """An aborted part has one outcome per row, all unprocessed."""
    match = unprocessed_part(
        records=_blocks(b'1,"a\nb"\n2,c\n'),
        dialect=LF,
        first_row=5,
        first_line=9,
        error_code="ABORTED",
        error_message="The load was cancelled.",
        attempt=2,
    )
    assert (match.rows, match.unprocessed, match.missing_results) == (2, 2, 0)
    assert list(match.outcomes())[1] == Outcome(
        line=11,
        row=6,
        status=RowStatus.UNPROCESSED,
        error_code="ABORTED",
        error_message="The load was cancelled.",
        attempt=2,
    )
    whole = results_header(b"Id,Name\n", LF) + b"".join(match.result_blocks())
    assert whole.splitlines()[1] == b'9,unprocessed,,,ABORTED,The load was cancelled.,,2,exact,1,"a'
    assert b"".join(failed_rows([whole], LF, unprocessed=True)) == b'Id,Name\n1,"a\nb"\n2,c\n'


def test_filtering_a_large_results_file_skips_chunks_without_wanted_rows() -> None:
    """Only the first chunk holds the header, and a chunk of unwanted rows yields nothing."""
    rows = b"".join(b"%d,succeeded,x,true,,,,1,exact,%d,a\n" % (n, n) for n in range(5_000))
    whole = results_header(b"Id,Name\n", LF) + rows + b"9,failed,,,X,y,,1,exact,9,z\n"
    assert b"".join(failed_rows([whole], LF)) == b"Id,Name\n9,z\n"
    chosen = list(select([whole], ResultKind.SUCCESSFUL, LF))
    assert b"".join(chosen) == whole.removesuffix(b"9,failed,,,X,y,,1,exact,9,z\n")
