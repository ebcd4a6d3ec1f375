"""Matching against a simulated org that shuffles, re-quotes, duplicates and loses rows."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from orgbridge.loads.dialect import Dialect
from orgbridge.loads.matching import PartMatch, match_part
from orgbridge.loads.outcomes import Match, RowStatus
from orgbridge.loads.results import ResultKind, failed_rows, results_header, select
from orgbridge.wire.bulk import DELIMITER_CHARS, IngestOperation, LineEnding

HEADER = ("Id", "Ext__c", "Name")
CELLS = st.text(st.sampled_from(list('ab",;\n\r\x1fé漢|')), max_size=3)
ROW = st.tuples(st.text(st.sampled_from("01"), max_size=2), st.text(st.sampled_from("xy"), max_size=2), CELLS)
FATES = st.sampled_from(["created", "updated", "failed", "other", "given_back", "lost"])
ERRORS = {
    "failed": "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
    "other": 'STRING_TOO_LONG:Name: "data", value; too|large: a^b`\tc\nd (max length=255):Name Title --',
}


def _csv(rows: list[list[str]], delimiter: str, newline: str = "\n") -> bytes:
    """All cells quoted, as Salesforce does."""
    lines = (delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    return "".join(line + newline for line in lines).encode()


class SimulatedOrg:
    """Gives each row its fate and answers with three files in any order."""

    def __init__(self, rows: list[tuple[str, ...]], fates: list[str], seed: int, delimiter: str) -> None:
        chance = random.Random(seed)
        self.delimiter = delimiter
        self.said: dict[str, list[list[str]]] = {"s": [], "f": [], "u": []}
        for number, (row, fate) in enumerate(zip(rows, fates, strict=True)):
            if fate in ("created", "updated"):
                self.said["s"].append([f"001{number:015d}", str(fate == "created").lower(), *row])
            elif fate in ERRORS:
                self.said["f"].append(["", ERRORS[fate], *row])
            elif fate == "given_back":
                self.said["u"].append(list(row))
        for said in self.said.values():
            chance.shuffle(said)
        self.columns = [name.upper() for name in HEADER]
        if chance.random() < 0.5:
            # Columns in another order than they were uploaded in.
            for rows_said, extra in ((self.said["s"], 2), (self.said["f"], 2), (self.said["u"], 0)):
                for cells in rows_said:
                    cells[extra:] = reversed(cells[extra:])
            self.columns.reverse()

    def file(self, kind: str) -> bytes:
        """Return the results file of one kind: `s`, `f` or `u`."""
        extra = {"s": ["sf__Id", "sf__Created"], "f": ["sf__Id", "sf__Error"], "u": []}[kind]
        return _csv([extra + self.columns, *self.said[kind]], self.delimiter)


def _match(
    rows: list[tuple[str, ...]], org: SimulatedOrg, operation: IngestOperation, dialect: Dialect, size: int = 50
) -> PartMatch:
    data = _csv([list(row) for row in rows], dialect.delimiter, dialect.line_ending.chars)

    def blocks(content: bytes):  # type: ignore[no-untyped-def]
        return lambda: iter([content[i : i + size] for i in range(0, len(content), size)])

    return match_part(
        records=blocks(data),
        dialect=dialect,
        header=HEADER,
        operation=operation,
        external_id_field="ext__c" if operation is IngestOperation.UPSERT else None,
        successful=blocks(org.file("s")),
        failed=blocks(org.file("f")),
        unprocessed=blocks(org.file("u")),
        first_row=11,
        first_line=12,
    )


@given(
    pairs=st.lists(st.tuples(ROW, FATES), min_size=1, max_size=12),
    seed=st.integers(0, 1 << 30),
    operation=st.sampled_from(list(IngestOperation)),
    delimiter=st.sampled_from(sorted(DELIMITER_CHARS.values())),
    ending=st.sampled_from(list(LineEnding)),
    size=st.sampled_from([1, 7, 10_000]),
)
@settings(max_examples=400, deadline=None)
def test_pain_14_every_row_gets_its_own_outcome(
    pairs: list[tuple[tuple[str, ...], str]],
    seed: int,
    operation: IngestOperation,
    delimiter: str,
    ending: LineEnding,
    size: int,
) -> None:
    """Exact rows carry what the org decided for that very row; rows that are alike share theirs; none is lost."""
    rows, fates = [row for row, _ in pairs], [fate for _, fate in pairs]
    org = SimulatedOrg(rows, fates, seed, delimiter)
    dialect = Dialect(delimiter=delimiter, line_ending=ending)
    match = _match(rows, org, operation, dialect, size)
    outcomes = list(match.outcomes())
    assert [outcome.row for outcome in outcomes] == list(range(11, 11 + len(rows)))
    assert match.rows == len(rows) == match.succeeded + match.failed + match.unprocessed
    kinds = Counter(fates)
    assert match.succeeded == kinds["created"] + kinds["updated"]
    assert match.failed == kinds["failed"] + kinds["other"]
    assert match.unprocessed == kinds["given_back"] + kinds["lost"]
    assert match.missing_results == kinds["lost"]
    assert match.stray_results == 0
    folded = [tuple(cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row) for row in rows]
    alike: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(folded):
        alike.setdefault(row, []).append(place)
    for places in alike.values():
        decided = {_kind(fates[place]) for place in places}
        for place in places:
            outcome = outcomes[place]
            if outcome.match is Match.EXACT:
                assert _told(outcome) == _kind(fates[place])
                if len(places) == 1 and outcome.status is RowStatus.SUCCEEDED:
                    assert outcome.id == f"001{place:015d}"
            else:
                assert len(decided) > 1
        assert Counter(_told(outcomes[place]) for place in places) == Counter(_kind(fates[place]) for place in places)
        if len(decided - {"lost"}) >= 1 and len(decided) > 1:
            assert {outcomes[place].match for place in places} == {Match.AMBIGUOUS}
    assert match.ambiguous == sum(outcome.match is Match.AMBIGUOUS for outcome in outcomes)
    assert sum(group.count for group in match.errors) == match.failed + match.unprocessed
    ids = [outcome.id for outcome in outcomes if outcome.id]
    assert len(set(ids)) == match.succeeded


def _kind(fate: str) -> str:
    return ERRORS[fate].partition(":")[0] if fate in ERRORS else fate


def _told(outcome) -> str:  # type: ignore[no-untyped-def]
    if outcome.status is RowStatus.SUCCEEDED:
        return "created" if outcome.created else "updated"
    return {"NO_RESULT": "lost", "UNPROCESSED": "given_back"}.get(outcome.error_code, outcome.error_code)


@given(
    pairs=st.lists(st.tuples(ROW, FATES), min_size=1, max_size=10),
    delimiter=st.sampled_from(sorted(DELIMITER_CHARS.values())),
    ending=st.sampled_from(list(LineEnding)),
)
@settings(max_examples=200, deadline=None)
def test_the_results_file_holds_the_input_and_its_outcomes(
    pairs: list[tuple[tuple[str, ...], str]], delimiter: str, ending: LineEnding
) -> None:
    """Read back by the csv module, each record is our nine columns and the row; its failed rows are loadable again."""
    rows, fates = [row for row, _ in pairs], [fate for _, fate in pairs]
    dialect = Dialect(delimiter=delimiter, line_ending=ending)
    match = _match(rows, SimulatedOrg(rows, fates, 1, delimiter), IngestOperation.INSERT, dialect)
    header_record = (delimiter.join(HEADER) + ending.chars).encode()
    whole = results_header(header_record, dialect) + b"".join(match.result_blocks())
    read = list(csv.reader(io.StringIO(whole.decode(), newline=""), delimiter=delimiter, strict=True))
    assert tuple(read[0][9:]) == HEADER
    outcomes = list(match.outcomes())
    assert [tuple(cells[9:]) for cells in read[1:]] == rows
    for cells, outcome in zip(read[1:], outcomes, strict=True):
        made = "" if outcome.created is None else str(outcome.created).lower()
        assert cells[:9] == [
            str(outcome.line),
            outcome.status.value,
            outcome.id,
            made,
            outcome.error_code,
            outcome.error_message,
            outcome.error_fields,
            "1",
            outcome.match.value,
        ]
    for kind, status in (
        (ResultKind.SUCCESSFUL, "succeeded"),
        (ResultKind.FAILED, "failed"),
        (ResultKind.UNPROCESSED, "unprocessed"),
    ):
        chosen = b"".join(select(iter([whole[:10], whole[10:]]), kind, dialect))
        cells_chosen = list(csv.reader(io.StringIO(chosen.decode(), newline=""), delimiter=delimiter, strict=True))
        assert cells_chosen == [read[0], *(cells for cells in read[1:] if cells[1] == status)]
    assert b"".join(select(iter([whole]), ResultKind.ALL, dialect)) == whole
    again = b"".join(failed_rows(iter([whole]), dialect, unprocessed=True))
    assert again.startswith(header_record)
    left = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome.status is not RowStatus.SUCCEEDED]
    assert again == header_record + _csv([list(row) for row in left], delimiter, ending.chars)
    only_failed = b"".join(failed_rows(iter([whole]), dialect))
    left = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome.status is RowStatus.FAILED]
    assert only_failed == header_record + _csv([list(row) for row in left], delimiter, ending.chars)


@given(
    pairs=st.lists(st.tuples(ROW, FATES), min_size=1, max_size=10),
    extra=st.lists(ROW, min_size=1, max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_a_result_without_a_row_is_counted(
    pairs: list[tuple[tuple[str, ...], str]], extra: list[tuple[str, ...]]
) -> None:
    """Results that the org gives beyond the rows are strays, and the rows are still all accounted for."""
    rows, fates = [row for row, _ in pairs], [fate for _, fate in pairs]
    org = SimulatedOrg(rows, fates, 1, ",")
    width = len(org.said["s"])
    reverse = org.columns[0] == "NAME"
    org.said["s"] += [["001", "true", *(reversed(row) if reverse else row)] for row in extra]
    match = _match(rows, org, IngestOperation.INSERT, Dialect(delimiter=",", line_ending=LineEnding.LF))
    assert match.rows == match.succeeded + match.failed + match.unprocessed
    given_rows = width + len(extra) + len(org.said["f"]) + len(org.said["u"])
    assert match.stray_results == given_rows - (match.rows - match.missing_results)
