"""What is taken for a trace, and what is passed on of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgbridge.kit import traces

_GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        _GOOD.upper(),
        _GOOD + "-what",
        _GOOD + "\n",
        _GOOD[:-1],
    ],
)
def test_what_w3c_calls_invalid_is_no_trace(text: str) -> None:
    """Zeros, version ff, capitals, wrong lengths and anything behind version 00 are ignored."""
    assert traces.parse_traceparent(text) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    """W3C asks to read the first four fields of a version that is not known."""
    assert traces.parse_traceparent("cc" + _GOOD[2:] + "-more") == "cc" + _GOOD[2:]


@given(st.text(max_size=80))
def test_nothing_else_goes_out_as_a_header(text: str) -> None:
    """Whatever a caller sends, what is passed on has 55 characters of hexadecimal and dashes."""
    told = traces.parse_traceparent(text)
    assert told is None or (len(told) == 55 and set(told) <= set("0123456789abcdef-"))


def test_a_trace_goes_on_inside_and_ends_outside() -> None:
    """Without a tracer a span makes the trace of its parent the present one, for as long as it is open."""
    traces.carry(None)
    with traces.span("step", {}, _GOOD):
        assert traces.present() == _GOOD
        assert traces.trace_id() == _GOOD[3:35]
        assert traces.remembered() == {"traceparent": _GOOD}
    assert traces.present() is None
    assert traces.remembered() == {}
