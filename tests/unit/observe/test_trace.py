"""Trace context: a usable header is carried on, anything else starts a new trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observe.trace import Trace, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"00-{TRACE}-{SPAN}-01", Trace(TRACE, SPAN, True)),
        (f" 00-{TRACE}-{SPAN}-00 ", Trace(TRACE, SPAN, False)),
        (f"00-{TRACE}-{SPAN}-ff", Trace(TRACE, SPAN, True)),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-holds", Trace(TRACE, SPAN, True)),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE[1:]}-{SPAN}-01", None),
        ("", None),
        (None, None),
    ],
)
def test_the_table_of_headers(header, trace):
    """As W3C Trace Context 3.2 says, unknown later versions included."""
    assert parse(header) == trace


@given(st.booleans())
def test_a_new_trace_reads_as_itself(sampled):
    """What we send is what any receiver understands."""
    trace = Trace.new(sampled)
    assert parse(trace.header()) == trace


def test_a_child_stays_in_its_trace():
    """The call to TEMIS is another span of the vendor's trace."""
    parent = Trace.new()
    child = parent.child()
    assert child.trace_id == parent.trace_id
    assert child.span_id != parent.span_id


@given(st.text(max_size=60))
def test_any_text_is_a_trace_or_none(text):
    """A header from outside never crashes."""
    assert parse(text) is None or parse(text).header()
