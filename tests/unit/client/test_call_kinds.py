"""The few words by which figures and spans tell calls to Salesforce apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.client.transport.kinds import Outcome, kind_of, outcome_of

_ROOT = "/services/data/v67.0"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"{_ROOT}/sobjects/Account/001000000000001AAA", "sobjects"),
        (f"{_ROOT}/sobjects/Account/Email__c/someone@example.com", "sobjects"),
        (f"{_ROOT}/sobjects/Account/describe", "describe"),
        (f"{_ROOT}/sobjects", "describe"),
        (f"{_ROOT}/query", "query"),
        (f"{_ROOT}/query/01g000000000001-2000", "query"),
        (f"{_ROOT}/jobs/ingest/750000000000001AAA/batches", "jobs/ingest"),
        (f"{_ROOT}/composite", "composite"),
        (f"{_ROOT}/composite/sobjects", "composite/sobjects"),
        (f"{_ROOT}/commerce/webstores/0ZE000000000001AAA/carts/current", "commerce/webstores"),
        (f"{_ROOT}/limits", "limits"),
        (f"{_ROOT}/", "versions"),
        ("/services/apexrest/orders/7", "apexrest"),
        ("/elsewhere/secret", "other"),
    ],
)
def test_a_call_has_the_kind_of_its_resource(path: str, kind: str) -> None:
    """Resources are told apart, and nothing behind them."""
    assert kind_of(path) == kind


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_no_text_of_a_path_becomes_a_label(first: str, second: str, third: str) -> None:
    """Whatever is asked for, the kinds are a small closed set."""
    kinds = {kind_of(f"{_ROOT}/{first}/{second}/{third}"), kind_of(f"/{first}/{second}/{third}")}
    assert all(len(kind) <= 20 and kind.replace("/", "").replace("-", "").isalpha() for kind in kinds)


@given(st.integers(100, 599))
def test_every_status_has_an_outcome(status: int) -> None:
    """Only a 2xx is ok."""
    assert (outcome_of(status) is Outcome.OK) == (status < 300)
