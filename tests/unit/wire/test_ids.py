"""Record ids: the checksum, both lengths, repair of folded ids."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.wire.ids import checksum, is_id, make_id, to_18

ID15 = st.text(alphabet=string.ascii_letters + string.digits, min_size=15, max_size=15)


@pytest.mark.recorded
@pytest.mark.parametrize(
    "id18",
    ["001D000000IRFmaIAH", "7506g00000DhRA2AAN", "00D1a000000H3O9EAK", "0051a000000UGT8AAO", "012000000000000AAA"],
)
def test_checksum_of_known_ids(id18: str) -> None:
    """The suffix that real ids carry is the one we compute."""
    assert checksum(id18[:15]) == id18[15:]
    assert to_18(id18[:15]) == id18


@given(ID15)
def test_15_and_18_characters_name_one_record(id15: str) -> None:
    """Both lengths of an id become the same 18 characters."""
    id18 = to_18(id15)
    assert id18 is not None
    assert to_18(id18) == id18


@given(ID15)
def test_case_is_repaired_from_the_suffix(id15: str) -> None:
    """An 18-character id that lost its case is restored, never turned into another record's id."""
    id18 = id15 + checksum(id15)
    assert to_18(id18.lower()) == id18
    assert to_18(id18.upper()) == id18


@pytest.mark.parametrize("text", ["", "001", "001D000000IRFm!", "001D000000IRFmaIA", "001D000000IRFma!!!", "0" * 19])
def test_other_texts_are_no_ids(text: str) -> None:
    """A text of the wrong length or alphabet is refused."""
    assert not is_id(text)


@pytest.mark.parametrize("text", ["001D000000IRFma666", "111111111111111BAA"])
def test_impossible_suffix_is_refused(text: str) -> None:
    """A suffix that cannot belong to the letters is refused, not guessed at."""
    assert to_18(text) is None


@given(st.integers(min_value=0, max_value=62**9 - 1), st.integers(min_value=0, max_value=62**9 - 1))
def test_made_ids_are_well_formed_and_distinct(one: int, other: int) -> None:
    """Numbers under one key prefix give well-formed ids, one each."""
    assert to_18(make_id("001", one)) == make_id("001", one)
    assert (make_id("001", one) == make_id("001", other)) == (one == other)
