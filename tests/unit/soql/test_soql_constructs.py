"""Every construct of SOQL and SOSL that the facts name has a text test."""

from __future__ import annotations

from tests.support.soql_constructs import constructs, untested


def test_every_construct_has_a_text_test() -> None:
    """No construct of the checked-in list, no date literal and no date function is without a test."""
    assert untested() == []


def test_the_list_is_well_formed() -> None:
    """Each construct is listed once and carries one of the three marks."""
    names = [(construct.section, construct.name) for construct in constructs()]
    assert len(names) == len(set(names)) > 200
    assert {construct.mark for construct in constructs()} == {"recorded", "documented", "assumed"}
