"""Texts as vendors write them: what is read, and what is left unread rather than guessed."""

import unicodedata
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.connectors import readings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("05/03/1985", date(1985, 3, 5)),
        ("5/3/1985", date(1985, 3, 5)),
        ("05-03-1985", date(1985, 3, 5)),
        ("05.03.1985", date(1985, 3, 5)),
        (" 05/03/1985 ", date(1985, 3, 5)),
        ("1985-03-05", date(1985, 3, 5)),
        ("29/02/1988", date(1988, 2, 29)),
        ("31/02/1985", None),
        ("29/02/1985", None),
        ("03/25/1985", None),
        ("0001-01-01", None),
        ("01/01/1899", None),
        ("05/03/85", None),
        ("1985", None),
        ("31111", None),
        ("1985-03-05T00:00:00", None),
        ("1985/03/05", None),
        ("٠٥/٠٣/١٩٨٥", None),
        ("", None),
        (None, None),
    ],
)
def test_birth_dates(text, expected):
    """Day first or year first; whatever is impossible or ambiguous is unreadable, not corrected."""
    assert readings.birth_date(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2025-2026", "2025 - 2026", "2025–2026", "2025 — 2026", "2025/2026", "NH 2025-2026", "nh2025-2026",
        "Năm học 2025 – 2026", "NĂM HỌC: 2025-2026", "2025-26", "  2025-2026\n", "2025\u00a0-\u00a02026",
    ],
)  # fmt: skip
def test_school_years_as_written(text):
    """Dashes, slashes, prefixes and decomposed letters all state the same year."""
    assert readings.school_year(text) == "2025-2026"
    assert readings.school_year(unicodedata.normalize("NFD", text)) == "2025-2026"


@pytest.mark.parametrize(
    "text", ["2025", "2025-2027", "2026-2025", "25-26", "2025 2026", "2025-2026-2027", "HK1 2025-2026"]
)  # fmt: skip
def test_an_unclear_school_year_is_not_guessed(text):
    """Only two years that follow each other state a school year."""
    assert readings.school_year(text) is None


def test_a_school_year_may_cross_a_century_in_short_form():
    """2099-00 is the one short form whose second part wraps."""
    assert readings.school_year("2099-00") == "2099-2100"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GVPT 03", "GVPT03"),
        ("GVPT03", "GVPT03"),
        ("gvpt-3", "GVPT03"),
        ("GVPT_3", "GVPT03"),
        ("GVPT.03", "GVPT03"),
        ("GVPT003", "GVPT03"),
        ("GVPT 3", "GVPT03"),
        ("GVPT03: Phát triển chuyên môn", "GVPT03"),
        ("GVPT 03 - Phát triển", "GVPT03"),
        ("GVPT 03 – Đạo đức", "GVPT03"),
        ("QLPT18: Ứng dụng CNTT", "QLPT18"),
        ("GVMN 1", "GVMN01"),
        ("gvmn17", "GVMN17"),
        ("QLMN 5", "QLMN05"),
        ("ＧＶＰＴ０３", "GVPT03"),
        ("GVPT 0", None),
        ("GVPT", None),
        ("GVPT 100", None),
        ("GVPT 3-4", None),
        ("GVPT 03, 04", None),
        ("GVPT03.2", None),
        ("GVPT 03 04", None),
        ("GVTH 03", None),
        ("XGVPT03", None),
        ("Mô đun 3", None),
        ("", None),
        (None, None),
    ],
)
def test_course_codes_as_written(text, expected):
    """A code names exactly one module of the four families, or none."""
    assert readings.module_hint(text) == expected


def test_the_code_goes_before_the_title():
    """A title is asked only when the code names no module."""
    assert readings.module_hint("GVPT03", "GVPT04: khác") == "GVPT03"
    assert readings.module_hint("KH-118", "GVPT04: khác") == "GVPT04"


@pytest.mark.parametrize(
    ("score", "maximum", "expected"),
    [
        ("8.5", "10", 850),
        ("8,5", "10", 850),
        ("85", "100", 850),
        ("10", "10", 1000),
        ("0", "10", 0),
        ("66.65", "100", 667),
        ("66.64", "100", 666),
        ("6.665", "10", 667),
        ("2", "3", 667),
        ("1", "3", 333),
        ("16.75", "20", 838),
        ("4.995", "10", 500),
        ("8.333333333333334", "10", 833),
        ("10.01", "10", None),
        ("-1", "10", None),
        ("5", "0", None),
        ("0", "0", None),
        ("5", "-10", None),
        ("8.5e0", "10", None),
        ("nan", "10", None),
        ("tám", "10", None),
        ("8.", "10", None),
        ("1" * 10, "1" * 10, None),
        ("5", None, None),
        (None, "10", None),
    ],
)
def test_scores_on_the_ten_point_scale(score, maximum, expected):
    """Half up in whole hundredths; what makes no sense states no score."""
    assert readings.score_hundredths(score, maximum) == expected


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_scores_are_exact(score, maximum, places):
    """Never off by a hundredth: compared with exact fractions."""
    top = Fraction(score, 10**places)
    expected = int(top / maximum * 1000 + Fraction(1, 2)) if top <= maximum else None
    assert readings.score_hundredths(f"{score / 10**places:.{places}f}", str(maximum)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(40, 40), ("40", 40), (" 40 ", 40), (40.0, 40), (40.5, None), (0, None), (-1, None), (True, None),
     ("40 tiết", None), (10_000, None), ("", None), (None, None), ([40], None), (float("nan"), None)],
)  # fmt: skip
def test_periods(value, expected):
    """Whole tiết only; an odd value states nothing."""
    assert readings.periods(value) == expected


@pytest.mark.parametrize(
    "text", ["Đạt", "ĐẠT", "dat", " đạt ", "\u00d0ạt", unicodedata.normalize("NFD", "Đạt")]
)
def test_wordings_are_compared_folded(text):
    """Case, marks, spaces and the form of đ make no other word."""
    assert readings.stated(text, {"dat": True}) is True


@pytest.mark.parametrize("text", ["Đạt không", "Đạt" + " " * 300 + "không", "Đạt" + " " * 300, "", None])
def test_a_longer_wording_is_another_wording(text):
    """Nothing is cut to fit a table."""
    assert readings.stated(text, {"dat": True}) is None
