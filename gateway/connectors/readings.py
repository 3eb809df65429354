"""Texts as vendors really write them -> canonical values, or None where they cannot be read. Never a guess.

Texts over 200 characters are not read: what is stated is short, and answers are remembered by text.
Source: contracts/vendors/README.md, "How values are read".
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

MAX_CHARS = 200
_DAY_FIRST = re.compile(r" *([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4}) *")
_YEAR_FIRST = re.compile(r" *([0-9]{4})-([0-9]{1,2})-([0-9]{1,2}) *")
_FIRST_BIRTH_YEAR = 1900  # 0001-01-01 is how some systems write "no date"

_DASHES = "-\u2010-\u2015\u2212/"
_SCHOOL_YEAR = re.compile(rf"(?:nam hoc|nh)?[ .:]*(20[0-9]{{2}}) ?[{_DASHES}] ?(20[0-9]{{2}}|[0-9]{{2}})")
# After the number only the end or a title: "gvpt 3-4" and "gvpt 03.2" name no single module.
_MODULE = re.compile(r"(gvpt|qlpt|gvmn|qlmn)[ ._-]?0*([1-9][0-9]?)(?: ?[:(\u2013-] ?[^\W\d_].*)?")
_SCORE = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{1,20})?")
_SCALE = 1000  # hundredths of a point on the 10-point scale
_PERIODS = re.compile(r" *[0-9]{1,4} *")
_D = str.maketrans("đð", "dd")  # neither decomposes; legacy fonts left the Icelandic ð in place of đ


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Lower case, marks and đ dropped, one space between words: what spelling variants share."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(bare.casefold().translate(_D).split())


def stated(text: str | None, table: Mapping[str, T]) -> T | None:
    """What `table`, keyed by folded wording, says of a text; None for a wording it does not hold."""
    return None if text is None or len(text) > MAX_CHARS else table.get(fold(text))


def birth_date(text: str | None) -> date | None:
    """dd/mm/yyyy (also with . or -) or yyyy-mm-dd; None for the impossible, two-digit years and date-times."""
    if text is None or len(text) > MAX_CHARS:
        return None
    if found := _DAY_FIRST.fullmatch(text):
        day, month, year = found.groups()
    elif found := _YEAR_FIRST.fullmatch(text):
        year, month, day = found.groups()
    else:
        return None
    try:
        return date(int(year), int(month), int(day)) if int(year) >= _FIRST_BIRTH_YEAR else None
    except ValueError:
        return None


def school_year(text: str | None) -> str | None:
    """`2025 – 2026`, `2025/2026`, `2025-26`, `NH 2025-2026` -> "2025-2026"; None unless the years follow."""
    return None if text is None or len(text) > MAX_CHARS else _school_year(text)


@lru_cache(maxsize=256)
def _school_year(text: str) -> str | None:
    found = _SCHOOL_YEAR.fullmatch(fold(text))
    if found is None:
        return None
    first = found[1]
    second = str(int(first) + 1)
    return f"{first}-{second}" if found[2] in (second, second[2:]) else None


def module_hint(*texts: str | None) -> str | None:
    """`GVPT 03`, `gvpt-3`, `GVPT03: title` -> "GVPT03"; also QLPT, GVMN, QLMN. Whether it exists is not asked.

    The first text that names exactly one module counts: a code, then the title it may be written in.
    """
    for text in texts:
        if text and len(text) <= MAX_CHARS and (hint := _module_hint(text)):
            return hint
    return None


@lru_cache(maxsize=4096)
def _module_hint(text: str) -> str | None:
    found = _MODULE.fullmatch(fold(text))
    return f"{found[1].upper()}{int(found[2]):02d}" if found else None


def score_hundredths(score: str | None, maximum: str | None) -> int | None:
    """A score on its own scale -> hundredths of the 10-point scale, half up: ("8.5", "10") -> 850.

    None when either is missing or no plain number ("8,5" is one), the maximum is 0, or the score exceeds it.
    """
    if score is None or maximum is None or len(score) + len(maximum) > MAX_CHARS:
        return None
    return _score_hundredths(score, maximum)


@lru_cache(maxsize=4096)
def _score_hundredths(score: str, maximum: str) -> int | None:
    if not (_SCORE.fullmatch(score) and _SCORE.fullmatch(maximum)):
        return None
    top, whole = Decimal(score.replace(",", ".")), Decimal(maximum.replace(",", "."))
    if whole == 0 or top > whole:
        return None
    (n, d), (m, e) = top.as_integer_ratio(), whole.as_integer_ratio()
    return (2 * _SCALE * n * e + d * m) // (2 * d * m)  # exact: rounded once, at the end


def periods(value: object) -> int | None:
    """Tiết as a whole number from 1 to 9999, also as text or 40.0; None for anything else."""
    if isinstance(value, str) and _PERIODS.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 1 <= value <= 9999 else None
