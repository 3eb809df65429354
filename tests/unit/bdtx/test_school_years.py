"""School years: stated before guessed, and summer never guessed."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bdtx.school_years import is_school_year, resolve, school_year_of


@pytest.mark.parametrize(
    ("day", "year"),
    [
        (date(2025, 9, 1), "2025-2026"),
        (date(2025, 12, 31), "2025-2026"),
        (date(2026, 1, 1), "2025-2026"),
        (date(2026, 5, 31), "2025-2026"),
        (date(2026, 6, 1), None),
        (date(2026, 7, 15), None),
        (date(2026, 8, 31), None),
        (date(2026, 9, 1), "2026-2027"),
    ],
)
def test_the_school_year_of_a_day(day, year):
    """September to May is clear; June to August may be either year and is left open."""
    assert school_year_of(day) == year


@given(st.dates(date(2001, 1, 1), date(2098, 12, 31)))
def test_a_derived_year_is_canonical_and_holds_the_day(day):
    """Every day of nine months has exactly one school year, which begins at most nine months before it."""
    year = school_year_of(day)
    assert (year is None) is (day.month in (6, 7, 8))
    if year is not None:
        assert is_school_year(year)
        assert timedelta(0) <= day - date(int(year[:4]), 9, 1) < timedelta(days=274)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("2025-2026", True),
        ("2025-2027", False),
        ("2026-2025", False),
        ("2025-26", False),
        ("2025", False),
        ("", False),
        (" 2025-2026", False),
        ("2025-2026\n", False),
        ("٢٠٢٥-٢٠٢٦", False),
        ("1999-2000", False),
    ],
)
def test_only_two_consecutive_years_are_a_school_year(text, is_one):
    """The text is part of a record's key in TEMIS: one spelling only."""
    assert is_school_year(text) is is_one


@pytest.mark.parametrize(
    ("stated", "completed_on", "year"),
    [
        ("2024-2025", date(2025, 10, 3), "2024-2025"),
        ("2025-2026", date(2025, 7, 3), "2025-2026"),
        (None, date(2025, 10, 3), "2025-2026"),
        ("", date(2025, 10, 3), "2025-2026"),
        (None, date(2025, 7, 3), None),
        ("năm nay", date(2025, 10, 3), None),
        ("2025-2027", date(2025, 10, 3), None),
    ],
)
def test_what_is_stated_goes_before_the_date(stated, completed_on, year):
    """A late result counts for the year of its course; what is stated and unreadable is held, not overruled."""
    assert resolve(stated, completed_on) == year
