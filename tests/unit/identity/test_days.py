"""Days and moments as they are written in files."""

from datetime import date

import pytest

from gateway.identity.days import read_day, read_moment


@pytest.mark.parametrize(
    "text", ["1985-03-12", "12/03/1985", "12/3/1985", "12-3-1985", "12.03.1985", " 12/03/1985 "]
)
def test_a_day_is_read_as_people_write_it(text):
    """ISO, or day before month with slash, hyphen or dot."""
    assert read_day(text) == date(1985, 3, 12)


@pytest.mark.parametrize(
    "text", ["", "1985", "30/02/1985", "12/03/85", "19850312", "1985-W10-2", "không rõ", "0000-01-01"]
)
def test_what_is_no_such_day_is_none(text):
    """Nothing is guessed from half a date, a week or an impossible day."""
    assert read_day(text) is None


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2025-12-31T17:00:00Z", date(2026, 1, 1)),
        ("2025-12-31T16:59:59Z", date(2025, 12, 31)),
        ("2025-12-31T23:59:59", date(2025, 12, 31)),
        ("2026-01-01T00:30:00+07:00", date(2026, 1, 1)),
        ("2026-01-01", date(2026, 1, 1)),
        (1767200400000, date(2026, 1, 1)),
        (1767200399999, date(2025, 12, 31)),
        ("soon", None),
        (10**30, None),
    ],
)
def test_a_moment_falls_on_its_day_in_viet_nam(value, day):
    """Days count in Asia/Ho_Chi_Minh, whatever offset a time was written with."""
    assert read_moment(value) == day
