"""Two names -> the first rung of the ladder on which they are equal, and a hint where they are not.

1 equal after NFC, spaces and case · 2 after tone placement · 3 without marks and đ · 4 i/y, apostrophes and
brackets · 5 different. Names are never split into family and given name: `H'Hen Niê` and one word are legal.
Source: docs/identity.md. Folded names are cached, bounded: a person completes many courses.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from rapidfuzz.distance import OSA

from gateway.identity.damage import is_damaged, is_lossy

_CACHED = 32_768


class Hint(StrEnum):
    """Why two different names may still be one person's. Shown to people, never a match."""

    WORD_ORDER = "word_order"
    MIDDLE_MISSING = "middle_missing"
    ONE_LETTER = "one_letter"


class Fault(StrEnum):
    """Why two names cannot be compared at all."""

    MISSING_SENT = "missing_sent"
    MISSING_ON_FILE = "missing_on_file"
    DAMAGED_SENT = "damaged_sent"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`rung` 1-5, or None with the fault that prevented comparing. A hint only on rung 5."""

    rung: int | None
    hint: Hint | None = None
    fault: Fault | None = None


_RUNGS = {rung: Comparison(rung) for rung in range(1, 6)}
_FAULTS = {fault: Comparison(None, fault=fault) for fault in Fault}

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))

# Two placements of the tone exist only for oa, oe and uy that end a syllable; qu- is a consonant (quý).
_TONED = "".join(
    unicodedata.normalize("NFC", vowel + tone) for vowel in "ou" for tone in "\u0300\u0301\u0309\u0303\u0323"
)
_OLD_PLACEMENT = re.compile(rf"(?<!q)(?:([{_TONED[:5]}])([ae])|([{_TONED[5:]}])(y))(?![^\W\d_])")

# Letters with a bar have no decomposition; Ð (U+00D0) and Ɖ (U+0189) are typed for Đ by their looks.
_BARRED = str.maketrans("đðɖƀ", "dddb")

_BRACKETS = re.compile(r"\([^()]*\)")
_APOSTROPHE = re.compile(r"\s*['`´‘’‛ʹʻʼˈ′＇]\s*")
_LONE_LETTER = re.compile(r"\b([a-z]) (?=[a-z])")
_FINAL_Y = re.compile(r"\b(h|k|l|m|qu|s|t|v)y\b")


@lru_cache(_CACHED)
def plain(name: str) -> str:
    """Rung 1: NFC, invisible characters gone, any spaces one space, case folded last."""
    text = unicodedata.normalize("NFC", name).translate(_INVISIBLE)
    return unicodedata.normalize("NFC", " ".join(text.split()).casefold())


@lru_cache(_CACHED)
def tone_placed(name: str) -> str:
    """Rung 2: `hòa` becomes `hoà`; `hoàn`, `quý` and `già` stay as they are."""
    return _OLD_PLACEMENT.sub(_move_tone, plain(name))


@lru_cache(_CACHED)
def bare(name: str) -> str:
    """Rung 3: without tone and vowel marks, đ as d. Also the form to search names by."""
    parts = unicodedata.normalize("NFD", plain(name))
    return "".join(char for char in parts if not unicodedata.combining(char)).translate(_BARRED)


@lru_cache(_CACHED)
def variants(name: str) -> tuple[str, str]:
    """Rung 4, equal when either is: apostrophes gone and lone letters joined, or apostrophes as spaces."""
    text = _FINAL_Y.sub(r"\1i", " ".join(_BRACKETS.sub(" ", bare(name)).split()))
    joined = _LONE_LETTER.sub(r"\1", _APOSTROPHE.sub("", text))
    return joined, " ".join(_APOSTROPHE.sub(" ", text).split())


def compare(sent: str | None, on_file: str) -> Comparison:
    """The first rung on which the names agree. A damaged name is recognised and never repaired."""
    if sent is None or not (ours := plain(sent)):
        return _FAULTS[Fault.MISSING_SENT]
    if not (theirs := plain(on_file)):
        return _FAULTS[Fault.MISSING_ON_FILE]
    if is_lossy(sent):
        return _FAULTS[Fault.DAMAGED_SENT]
    if ours == theirs:
        return _RUNGS[1]
    if tone_placed(sent) == tone_placed(on_file):
        return _RUNGS[2]
    if bare(sent) == bare(on_file) and bare(sent):
        return _RUNGS[3]
    if any(a == b and a for a, b in zip(variants(sent), variants(on_file), strict=True)):
        return _RUNGS[4]
    if is_damaged(sent) and not is_damaged(on_file):
        return _FAULTS[Fault.DAMAGED_SENT]
    hint = _hint(bare(sent), bare(on_file))
    return Comparison(5, hint) if hint else _RUNGS[5]


def _move_tone(match: re.Match[str]) -> str:
    first, second = (match[1], match[2]) if match[1] else (match[3], match[4])
    parts = unicodedata.normalize("NFD", first)  # a vowel and its tone
    return parts[0] + unicodedata.normalize("NFC", second + parts[1])


def _hint(sent: str, on_file: str) -> Hint | None:
    ours, theirs = sent.split(), on_file.split()
    if sorted(ours) == sorted(theirs):
        return Hint.WORD_ORDER
    short, long = sorted((ours, theirs), key=len)
    if len(long) > len(short) >= 2 and (short[0], short[-1]) == (long[0], long[-1]):
        rest = iter(long)
        if all(word in rest for word in short):  # in this order, with words of the longer one between
            return Hint.MIDDLE_MISSING
    if OSA.distance(sent, on_file, score_cutoff=1) == 1:
        return Hint.ONE_LETTER
    return None
