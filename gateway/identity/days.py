"""Days as people write them: ISO, or dd/mm/yyyy with `/`, `-` or `.`; moments become days in Việt Nam."""

import re
from datetime import date, datetime

from gateway.model.clock import ICT, local_date

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_WRITTEN = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})")


def read_day(text: str) -> date | None:
    """`1985-03-12`, `12/3/1985` or `12.03.1985` -> the day; None when it is none of these or no such day."""
    trimmed = text.strip()
    if found := _ISO.fullmatch(trimmed):
        year, month, day = found.groups()
    elif found := _WRITTEN.fullmatch(trimmed):
        day, month, year = found.groups()
    else:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def read_moment(value: str | int) -> date | None:
    """An ISO time (without offset: Việt Nam's), a day, or milliseconds since 1970 -> the day in Việt Nam."""
    try:
        if isinstance(value, int):
            return local_date(value)
        if day := read_day(value):
            return day
        moment = datetime.fromisoformat(value.strip())
        return moment.astimezone(ICT).date() if moment.tzinfo else moment.date()
    except (ValueError, OverflowError, OSError):
        return None
