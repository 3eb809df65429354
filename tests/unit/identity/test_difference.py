"""Differences: an admin sees at a glance which letters are not the same."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.difference import Part, differences


def marked(parts) -> str:
    return "".join(f"[{part.text}]" if part.differs else part.text for part in parts)


def test_only_the_letter_that_differs_is_marked():
    """One mark on one letter is found among twelve."""
    sent, on_file = differences("Nguyễn Thị Hoà", "Nguyễn Thị Hòa")
    assert (marked(sent), marked(on_file)) == ("Nguyễn Thị H[oà]", "Nguyễn Thị H[òa]")
    sent, on_file = differences("Trần Văn An", "Trần An")
    assert (marked(sent), marked(on_file)) == ("Trần [Văn ]An", "Trần An")


def test_case_spaces_and_normal_forms_are_no_difference():
    """What verifying passes over is not marked either."""
    sent, on_file = differences("NGUYỄN  THỊ Hòa", "Nguyễn Thị Hòa")
    assert marked(sent) == "NGUYỄN THỊ Hòa" and marked(on_file) == "Nguyễn Thị Hòa"


def test_silence_is_no_difference():
    """A missing side is told as missing, not as wrong."""
    assert differences(None, "1985-03-05") == ((), (Part("1985-03-05", False),))
    assert differences("", "") == ((), ())


@given(st.text(max_size=40), st.text(max_size=40))
def test_nothing_is_lost_or_added(one, other):
    """The parts put together are the text, spaces apart, and equal runs are equal on both sides."""
    sent, on_file = differences(one, other)
    assert "".join(part.text for part in sent) == " ".join(_nfc(one).split())
    assert "".join(part.text for part in on_file) == " ".join(_nfc(other).split())


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
