"""Every code has a cause, a remedy and an answer to "may I try again?"."""

from __future__ import annotations

import pytest

from orgbridge.loads.catalogue import CATALOGUE, Entry, Origin, entry_of
from orgbridge.loads.remedies import ROW_RETRIES
from orgbridge.wire.errorcodes import ERROR_CODES, Retry
from tests.support import catalogue_page


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: str(entry.code))
def test_an_entry_tells_cause_and_remedy_in_sentences(entry: Entry) -> None:
    """Both are sentences, and only rows of which nothing was written are sent again by themselves."""
    assert entry.cause.endswith(".")
    assert entry.remedy.endswith((".", ")"))
    assert not entry.sent_again or entry.retry is Retry.SAFE


def test_the_catalogue_has_all_codes_that_the_house_knows() -> None:
    """All of Salesforce's in our table, at least the sixty that are asked for, and ours."""
    assert set(ERROR_CODES) <= set(CATALOGUE)
    assert sum(entry.origin is not Origin.ORGBRIDGE for entry in CATALOGUE.values()) >= 60
    assert set(ROW_RETRIES) <= set(CATALOGUE)


def test_the_reference_is_as_the_catalogue() -> None:
    """Whoever changes the catalogue runs `python -m tests.support.catalogue_page`."""
    assert catalogue_page.PAGE.read_text(encoding="utf-8") == catalogue_page.page()


def test_codes_are_found_in_any_letter_case() -> None:
    """People type them as they come."""
    assert entry_of("unable_to_lock_row") == CATALOGUE["UNABLE_TO_LOCK_ROW"]
    assert entry_of("TOOMANYLOCKFAILURE") == CATALOGUE["TooManyLockFailure"]
    assert entry_of("MY_OWN_RULE") is None
