"""Identifier as sent -> what it is and which questions to ask the sector database.

Of real identifiers 84 % arrive as "0" + 10 digits and 15 % as a 12-digit personal number (7,666 trainees of one
province). The value as sent is never rewritten and nothing is padded silently: a form other than the plain one
says so, and asks for more proof. Source: docs/identity.md.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from gateway.model.person import IdentifierType, LookupKey
from gateway.model.verdict import Finding


class Form(StrEnum):
    """What the cleaned text looks like. The first four can be looked up, the others cannot."""

    PLAIN10 = "plain10"  # the sector identifier as it should be
    ZERO11 = "zero11"  # 0 + sector identifier, as departments print it
    NINE = "nine"  # a sector identifier that lost its zero, or an old identity card: both are possible
    TWELVE = "twelve"  # a personal number (CCCD)
    MISSING = "missing"
    SCHOOL_CODE = "school_code"  # 8 digits
    SPREADSHEET = "spreadsheet"  # 3.3E+09
    CHARS = "chars"  # something that is not a digit
    LENGTH = "length"  # digits, but not a number of them that means anything


@dataclass(frozen=True, slots=True)
class Reading:
    """One identifier, read. `digits` is what is left after cleaning, kept out of the repr: it is personal.

    With keys there is no finding yet: only the answers can tell. Without keys `findings` says why.
    """

    form: Form
    digits: str = field(default="", repr=False)
    keys: tuple[LookupKey, ...] = field(default=(), repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def may_be_phone(self) -> bool:
        """Whether it has the shape of a mobile number. Said only when nothing is found: so have codes."""
        return self.form in (Form.PLAIN10, Form.ZERO11) and _PHONE.fullmatch(self.digits[-10:]) is not None


_CACHED = 32_768  # a person's courses come together

_INVISIBLE = (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2066\u2067\u2068\u2069\ufeff"
)
_APOSTROPHES = "'`´‘’‛ʹʻʼˈ′＇"
_HYPHENS = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
_DOTS = ".\uff0e\u00b7\u2024"
_FULL_WIDTH = {0xFF10 + digit: str(digit) for digit in range(10)}

_SEEN = _FULL_WIDTH | dict.fromkeys(map(ord, _INVISIBLE)) | dict.fromkeys(map(ord, _DOTS), ".")
_DROPPED = dict.fromkeys(map(ord, _APOSTROPHES + _HYPHENS + "."))

# What programs write into an empty cell.
_EMPTY = frozenset({"null", "none", "nan", "undefined", "n/a", "#n/a", "không có", "chưa có"})

_EXPONENT = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+")
_DIGITS = re.compile(r"[0-9]+")
_NOT_DIGIT = re.compile(r"[^0-9]")
_PHONE = re.compile(r"0[35789][0-9]{8}")


@lru_cache(_CACHED)
def read(raw: str | None) -> Reading:
    """What an identifier as sent looks like, and the keys to ask. Pure; any text is read, none raises."""
    if raw is None:
        return _MISSING
    if raw.isascii() and raw.isdigit():  # nothing to clean, as most are
        return _digits(raw)
    seen = raw.translate(_SEEN).strip()
    if _EXPONENT.fullmatch(seen):
        return _SPREADSHEET
    text = seen[:-2] if seen.endswith(".0") and seen.count(".") == 1 else seen
    digits = "".join(text.translate(_DROPPED).split())
    if not digits or seen.casefold() in _EMPTY:
        return _MISSING
    if _DIGITS.fullmatch(digits):
        return _digits(digits)
    return Reading(Form.CHARS, findings=(Finding.holds("format.chars", k=_first_wrong(seen)),))


def _digits(digits: str) -> Reading:
    size = len(digits)
    if size == 10:
        return Reading(Form.PLAIN10, digits, (LookupKey(IdentifierType.SECTOR, digits),))
    if size == 11 and digits[0] == "0":
        return Reading(Form.ZERO11, digits, (LookupKey(IdentifierType.SECTOR, digits[1:]),))
    if size == 12:
        return Reading(Form.TWELVE, digits, (LookupKey(IdentifierType.PERSONAL, digits),))
    if size == 9:
        padded = LookupKey(IdentifierType.SECTOR, "0" + digits)
        return Reading(Form.NINE, digits, (padded, LookupKey(IdentifierType.OLD_CARD, digits)))
    if size == 8:
        return Reading(Form.SCHOOL_CODE, digits, findings=_SCHOOL_CODE)
    return Reading(Form.LENGTH, digits, findings=(Finding.holds("format.length", n=size),))


def _first_wrong(seen: str) -> int:
    """Place of the first character that is no digit and not merely punctuation, counted from 1."""
    for place, char in enumerate(seen, start=1):
        if _NOT_DIGIT.match(char) and not char.isspace() and ord(char) not in _DROPPED:
            return place
    raise AssertionError("called only for text with such a character")


_MISSING = Reading(Form.MISSING, findings=(Finding.holds("format.missing"),))
_SPREADSHEET = Reading(Form.SPREADSHEET, findings=(Finding.holds("format.damaged_by_spreadsheet"),))
_SCHOOL_CODE = (Finding.holds("format.looks_like_school_code"),)
