"""Properties of cleaning an identifier and of the ladder of names, for any text whatever."""

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.identity.identifier import Form, read
from gateway.identity.names import compare
from gateway.model.person import IdentifierType

MARKS = st.text(alphabet=" .-'\u00a0\u200b\u2011\u2019\ufeff\t", max_size=3)
DIGITS = st.from_regex(r"[0-9]{1,14}", fullmatch=True)
WORDS = st.sampled_from(
    ["Nguyễn", "nguyen", "Hòa", "Hoà", "Hoa", "Thủy", "Thuỷ", "Quý", "Quí", "H'Hen", "H’Hen", "Niê", "Đăng"]
)
NAMES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
ANY_NAME = st.one_of(NAMES, st.text(max_size=30))


@given(st.one_of(st.text(), DIGITS))
@example("３１０００００００１")
@example("0x3100000001")
def test_nothing_is_made_up(raw):
    """Only the digits that were sent are asked for; a leading zero added or taken is the form's, and told."""
    reading = read(raw)
    sent = "".join(str(int(char)) for char in raw if unicodedata.category(char) == "Nd")
    assert bool(reading.keys) is not bool(reading.findings)
    for key in reading.keys:
        assert key.value.isascii()
        if key.value != sent:
            assert sent in (f"0{key.value}", f"{key.value}.0", f"{key.value}0") or f"0{sent}" == key.value
        if reading.form is Form.PLAIN10:
            assert key.type is IdentifierType.SECTOR
            assert key.value == reading.digits


@given(DIGITS, st.lists(MARKS, min_size=15, max_size=15), st.booleans())
def test_marks_between_digits_never_change_what_is_asked(digits, marks, is_full_width):
    """Spaces, hyphens, apostrophes, full-width digits, zero-width characters: the reading stays the same."""
    written = digits.translate({48 + n: 0xFF10 + n for n in range(10)}) if is_full_width else digits
    dressed = "".join(mark + digit for mark, digit in zip(marks, written, strict=False)) + marks[-1]
    told = read(dressed)
    if "." not in dressed:  # 31.0 is a number that a spreadsheet wrote
        assert (told.form, told.keys) == (read(digits).form, read(digits).keys)
    assert told.digits in (digits, digits[:-1], "")


@given(ANY_NAME, ANY_NAME)
def test_the_ladder_is_the_same_from_both_sides(one, other):
    """Whether two names are one does not depend on which of them is on file."""
    there, back = compare(one, other).rung, compare(other, one).rung
    if there is not None and back is not None:  # None: nothing to compare, or damaged
        assert (there == 1, there < 5) == (back == 1, back < 5)


@given(NAMES, st.sampled_from(["NFC", "NFD"]), st.booleans(), st.integers(1, 3))
def test_the_first_rung_is_how_it_is_written_and_no_more(name, form, is_capitals, spaces):
    """NFC or NFD, capitals and spaces are the first rung, for every name; a lost mark never is."""
    written = unicodedata.normalize(form, name.upper() if is_capitals else name).replace(" ", " " * spaces)
    assert compare(written, name).rung == 1
    stripped = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
    if stripped != name:
        assert compare(stripped, name).rung != 1


@given(NAMES, NAMES)
def test_a_rung_never_joins_different_words(one, other):
    """Up to the fourth rung the bare letters are the same, but for i and y and apostrophes."""
    if compare(one, other).rung < 5:
        folded = [
            "".join(c for c in unicodedata.normalize("NFD", name.casefold()) if c.isalpha())
            .replace("đ", "d")
            .replace("y", "i")
            for name in (one, other)
        ]
        assert folded[0] == folded[1]
