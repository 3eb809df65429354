"""Whom a story can happen to: questions about one person of the roster and the first day of the window.

A roster from outside may leave dates empty (all comparisons with an empty text are then false).
"""

from datetime import date, timedelta

from gateway.sandbox import spelling
from gateway.sandbox.population import RETIRED
from gateway.sandbox.roster import StaffRow


def anyone(_: StaffRow, __: date) -> bool:
    return True


def dated(person: StaffRow, _: date) -> bool:
    return person.birth_date != ""


def lost_zero(person: StaffRow, _: date) -> bool:
    """Nine digits need an equal birth date."""
    return person.sector_id.startswith("0") and person.birth_date != ""


def tone(person: StaffRow, _: date) -> bool:
    return spelling.has_other_tone_place(person.full_name)


def marked(person: StaffRow, _: date) -> bool:
    """A name without its marks needs an equal birth date."""
    return spelling.without_marks(person.full_name) != person.full_name and person.birth_date != ""


def breakable(person: StaffRow, _: date) -> bool:
    """Some names (`Hà`) survive a western code page."""
    return spelling.damaged(person.full_name) != person.full_name


def unlike_phone(person: StaffRow, _: date) -> bool:
    """Nothing found under a code that looks like a phone number is told as just that."""
    return not person.sector_id.startswith(("03", "05", "07", "08", "09"))


def swappable(person: StaffRow, _: date) -> bool:
    day, month = person.birth_date[8:], person.birth_date[5:7]
    return "" < day <= "12" and day != month


def retired_before(person: StaffRow, start: date) -> bool:
    return person.status == RETIRED and "" < person.status_since <= start.isoformat()


def retired_since(person: StaffRow, start: date) -> bool:
    return person.status == RETIRED and person.status_since > (start + timedelta(days=60)).isoformat()


def seconded(person: StaffRow, start: date) -> bool:
    return person.status == "Đã biệt phái" and "" < person.status_since <= start.isoformat()
