"""Shares as the departments' tables print them: percent, two decimals rounded half up, no trailing zeros.

Source: the table of Hải Phòng of 2023 (tests/unit/bdtx/samples/units_haiphong_2023.csv), every row of it.
"""

from gateway.model.texts import Lang


def hundredths(part: int, whole: int) -> int:
    """Percent in hundredths: 1823 of 1926 -> 9465. Nobody at all is 0, as those tables print it."""
    return (part * 20_000 + whole) // (2 * whole) if whole else 0


def percent(part: int, whole: int) -> float:
    """As a number for a spreadsheet's cell: 94.65."""
    return hundredths(part, whole) / 100


def percent_text(part: int, whole: int, lang: Lang) -> str:
    """As text: 94,65; 94,2; 100; 0. With a point in English."""
    units, rest = divmod(hundredths(part, whole), 100)
    decimals = f"{rest:02}".rstrip("0")
    return f"{units}{',' if lang == 'vi' else '.'}{decimals}" if decimals else str(units)
