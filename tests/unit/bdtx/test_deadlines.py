"""gateway/bdtx/deadlines.py: what "trước ngày" and "chậm nhất ngày" mean, and whose date holds."""

import pytest

from gateway.bdtx.deadlines import Deadline, DeadlineKind, Wording, in_force, too_late_from
from gateway.bdtx.units import Level, Unit, Units
from gateway.model.clock import iso
from gateway.model.errors import ConfigError
from tests.builders import NOON

UNITS = Units(
    [
        Unit("31", "Sở Hải Phòng", Level.DEPARTMENT),
        Unit("31-1", "Phường A", Level.COMMUNE, parent="31"),
        Unit("31000717", "THPT A", Level.SCHOOL, parent="31-1"),
        Unit("33", "Sở Hưng Yên", Level.DEPARTMENT),
    ]
)


@pytest.mark.parametrize(
    ("stated", "wording", "first_too_late"),
    [
        ("2022-04-23", "before", "2022-04-23T00:00"),  # trước ngày 23/4: ends 22/4 24:00
        ("2022-04-23", "by", "2022-04-24T00:00"),  # chậm nhất ngày 23/4: includes the day
        ("2026-12-31", "by", "2027-01-01T00:00"),
        ("2023-08-03T23:00", "before", "2023-08-03T23:00"),
        ("2025-02-15T17:00", "by", "2025-02-15T17:01"),
        (" 2025-02-15 17:00 ", "by", "2025-02-15T17:01"),
    ],
)
def test_the_wordings_of_letters(stated, wording, first_too_late):
    """One day more or less is whether a teacher's year counts."""
    at = iso(too_late_from(stated, Wording(wording)))
    assert at.startswith(first_too_late)
    assert at.endswith("+07:00")


@pytest.mark.parametrize("stated", ["23/4/2022", "2022-02-30", "2022-4-3", "tomorrow", "", "2022-04-23T25:00"])
def test_what_is_no_date_is_refused(stated):
    """Nothing is guessed about a date."""
    with pytest.raises(ConfigError):
        too_late_from(stated, Wording.BY)


def a_deadline(id_, unit, stated, kind="bdtx_report", year="2025-2026"):
    at_ms = too_late_from(stated, Wording.BY)
    return Deadline(id_, DeadlineKind(kind), unit, year, at_ms, stated, Wording.BY, "ops")


@pytest.mark.parametrize(("unit", "holds"), [("31000717", 2), ("31-1", 2), ("31", 2), ("33", 1), ("99", 1)])
def test_an_office_may_set_an_earlier_date(unit, holds):
    """The earliest of everybody's and of the offices above is the one in force."""
    everybody = a_deadline(1, None, "2026-06-30")
    deadlines = [
        everybody,
        a_deadline(2, "31", "2026-05-31"),
        a_deadline(3, "33", "2026-07-31"),  # a later one has no effect
        a_deadline(4, "31", "2026-01-01", kind="identifier"),
        a_deadline(5, "31", "2026-01-01", year="2024-2025"),
    ]
    found = in_force(deadlines, UNITS, unit, DeadlineKind.BDTX_REPORT, "2025-2026", NOON)
    assert found.id == holds


def test_without_a_deadline_none_is_in_force():
    """No date is made up."""
    assert in_force([], UNITS, "31", DeadlineKind.IDENTIFIER, "2025-2026", NOON) is None
