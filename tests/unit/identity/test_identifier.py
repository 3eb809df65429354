"""Reading identifiers as they arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.identifier import Form, read
from gateway.model.person import IdentifierType, LookupKey


@pytest.mark.parametrize(
    ("raw", "form", "keys"),
    [
        ("7407137235", Form.PLAIN10, [("sector_id", "7407137235")]),
        ("07407137235", Form.ZERO11, [("sector_id", "7407137235")]),
        ("107137235", Form.NINE, [("sector_id", "0107137235"), ("old_identity_card", "107137235")]),
        ("031185012345", Form.TWELVE, [("personal_number", "031185012345")]),
        ("64628509", Form.SCHOOL_CODE, []),
        ("3.3E+09", Form.SPREADSHEET, []),
        ("74O7137235", Form.CHARS, []),
        ("74071", Form.LENGTH, []),
        (None, Form.MISSING, []),
    ],
)
def test_each_form_asks_its_own_questions(raw, form, keys):
    """Ten, eleven, nine and twelve digits are asked for, each as its kind; the others are told apart."""
    reading = read(raw)
    assert reading.form is form
    assert reading.keys == tuple(LookupKey(IdentifierType(kind), value) for kind, value in keys)
    assert bool(reading.findings) is not bool(keys)


@pytest.mark.parametrize(
    ("raw", "code", "detail"),
    [
        ("31012", "format.length", {"n": 5}),
        ("0003101234567", "format.length", {"n": 13}),
        ("31O1234567", "format.chars", {"k": 3}),
        ("  31O1234567", "format.chars", {"k": 3}),
        ("310 123 4S67", "format.chars", {"k": 10}),
        ("\u200b310123456I", "format.chars", {"k": 10}),
        ("+84912345678", "format.chars", {"k": 1}),
        ("３１０１２３４５６Ｏ", "format.chars", {"k": 10}),
    ],
)
def test_a_finding_says_how_many_digits_or_which_character(raw, code, detail):
    """The number of digits sent, or the place of the first wrong character as a person counts it."""
    [finding] = read(raw).findings
    assert (finding.code, finding.detail) == (code, detail)


@pytest.mark.parametrize(
    ("raw", "digits"),
    [
        ("123456789.0", "123456789"),  # one dot: a number cell's suffix
        ("3.101.234.560", "3101234560"),  # several dots: separators, and the zero belongs to the code
        ("1234567.890", "1234567890"),
    ],
)
def test_only_a_lone_trailing_point_zero_is_a_suffix(raw, digits):
    """`.0` is what a number cell adds; a zero after separating dots is a digit of the code."""
    assert read(raw).digits == digits


@pytest.mark.parametrize(
    ("raw", "is_phone"),
    [
        ("0912345678", True),
        ("0356789123", True),
        ("00912345678", True),
        ("0112345678", False),
        ("0212345678", False),
        ("09112345678", False),
        ("912345678", False),
        ("091234567890", False),
    ],
)
def test_a_phone_number_is_ten_digits_of_a_mobile_network(raw, is_phone):
    """Eleven digits beginning 09 are a code of province 9x after its zero, not a phone number."""
    assert read(raw).may_be_phone is is_phone


@given(st.text(max_size=40))
def test_any_text_is_read(raw):
    """Whatever is sent gets either questions to ask or one finding that holds; nothing raises."""
    reading = read(raw)
    assert bool(reading.keys) is not bool(reading.findings)
    assert all(key.value.isascii() and key.value.isdigit() for key in reading.keys)


NOISE = st.sampled_from([" ", "-", "'", "’", "\u00a0", "\u200b", "\ufeff", "–", "\t"])


@given(
    st.from_regex(r"[0-9]{8,13}", fullmatch=True), st.lists(st.tuples(st.integers(0, 13), NOISE), max_size=6)
)
def test_separators_never_change_what_is_read(digits, noise):
    """Spaces, hyphens, apostrophes and invisible characters, anywhere, leave the same reading."""
    dirty = digits
    for place, mark in noise:
        dirty = dirty[:place] + mark + dirty[place:]
    assert read(dirty) == read(digits)


@given(st.from_regex(r"[0-9]{9,12}", fullmatch=True))
def test_full_width_digits_are_the_same_digits(digits):
    """Full-width digits come from East Asian keyboards and are digits all the same."""
    assert read(digits.translate({ord("0") + n: 0xFF10 + n for n in range(10)})) == read(digits)


def test_a_reading_never_shows_the_number():
    """A reading may end in a log or a traceback: its repr has no digits of the person."""
    assert "3101234567" not in repr(read("03101234567"))
