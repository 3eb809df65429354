"""Numbers, days and times as readers of Vietnamese and English write them. All times are those of Việt Nam."""

from datetime import date, datetime, timedelta

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent

from gateway.model.clock import ICT
from gateway.model.texts import Lang

_DAY = {"vi": "dd/MM/yyyy", "en": "d MMM yyyy"}
_MOMENT = {"vi": "HH:mm dd/MM/yyyy", "en": "d MMM yyyy HH:mm"}
_LOCALE = {"vi": "vi_VN", "en": "en_GB"}


def number(value: int | float, lang: Lang) -> str:
    """4812 -> 4.812 in Vietnamese, 4,812 in English."""
    return format_decimal(value, locale=_LOCALE[lang])


def percent(part: float, whole: float, lang: Lang, digits: int = 1) -> str:
    """The share of a whole; a dash when there is no whole. 1 of 3 -> 33,3 % or 33.3 %."""
    if not whole:
        return "–"
    pattern = "#,##0." + "0" * digits + " %" if digits else "#,##0 %"
    return format_percent(part / whole, pattern, locale=_LOCALE[lang])


def day(value: date | int | str | None, lang: Lang) -> str:
    """A date, a day as yyyymmdd, or an ISO date; a dash for none."""
    if value is None or value == "":
        return "–"
    if isinstance(value, int):
        value = date(value // 10_000, value // 100 % 100, value % 100)
    elif isinstance(value, str):
        value = date.fromisoformat(value)
    return format_date(value, _DAY[lang], locale=_LOCALE[lang])


def moment(at_ms: int | None, lang: Lang) -> str:
    """Milliseconds UTC -> day and time in Việt Nam; a dash for none."""
    if at_ms is None:
        return "–"
    return format_datetime(datetime.fromtimestamp(at_ms / 1000, ICT), _MOMENT[lang], locale=_LOCALE[lang])


def span(ms: int, lang: Lang) -> str:
    """A length of time in its largest unit: 7 200 000 -> 2 giờ."""
    return format_timedelta(timedelta(milliseconds=ms), locale=_LOCALE[lang], threshold=1.0)
