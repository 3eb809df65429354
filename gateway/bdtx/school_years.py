"""School years: "2025-2026" runs from September 2025 to May 2026; June to August belong to none by themselves.

Days are calendar days in Asia/Ho_Chi_Minh (gateway.model.clock.local_date). Reading the many spellings of
vendors is the work of connectors; here a school year is its canonical text.
"""

import re
from datetime import date

FIRST_MONTH = 9
LAST_MONTH = 5

_CANONICAL = re.compile(r"(20[0-9]{2})-(20[0-9]{2})")


def is_school_year(text: str) -> bool:
    """Whether `text` is a canonical school year: two consecutive years of this century, "2025-2026"."""
    match = _CANONICAL.fullmatch(text)
    return match is not None and int(match[2]) == int(match[1]) + 1


def school_year_of(day: date) -> str | None:
    """The school year a day falls in; None from June to August, which nobody may guess."""
    if day.month >= FIRST_MONTH:
        return f"{day.year}-{day.year + 1}"
    return f"{day.year - 1}-{day.year}" if day.month <= LAST_MONTH else None


def resolve(stated: str | None, completed_on: date) -> str | None:
    """The school year a completion counts for, or None to hold it (`course.school_year_unclear`).

    What the vendor or the course run states goes before the date: a course of last year may be finished late.
    When nothing is stated the date decides. None: stated but no school year, or nothing stated and completed
    from June to August.
    """
    if stated:
        return stated if is_school_year(stated) else None
    return school_year_of(completed_on)
