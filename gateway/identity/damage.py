"""Recognises names whose encoding was damaged on the way. What is lost is never guessed back.

Met: letters replaced by `?` (lossy code page), TCVN3 (`NguyÔn ThÞ Hßa`) and VNI (`Nguyeãn Thò Hoøa`) read as
Latin-1, and UTF-8 read as Latin-1 (`Nguyá»…n`). Old fonts share letters with real names, so these signs count
only where the name differs from the one on file (names.compare).
"""

import re
import unicodedata
from itertools import pairwise

# TCVN3 and misread UTF-8 leave Latin-1 letters that no language of Việt Nam writes; Ê Đê does write ñ.
_FOREIGN = frozenset("ªºµßäåæçëîïöøûüþðÄÅÆÇËÎÏÖ×ØÛÜÞŒœŸŠšŽžƒ")
_CAPITALS = frozenset("ÀÁÂÃÈÉÊÌÍÐÒÓÔÕÙÚÝĂĐƠƯ")  # NguyÔn: TCVN3 puts them inside words, after small letters

# VNI writes a vowel, then its marks as a second accented letter; no Vietnamese syllable has these pairs.
_VNI = re.compile(
    r"[aA][ùøûõïêâéèúüëáàåãäÙØÛÕÏÊÂÉÈÚÜËÁÀÅÃÄ]|[eE][ùøûõïâáàåãäÙØÛÕÏÂÁÀÅÃÄ]"
    r"|[oO][ùøûõïâåäÙØÛÕÏÂÅÄ]|[ôöÔÖ][ùøûõïÙØÛÕÏ]|[uyUY][ùøûõïÙØÛÕÏ]"
)


def is_lossy(name: str) -> bool:
    """Whether letters are gone for good: `?` or the replacement character, wherever they stand."""
    return "?" in name or "\ufffd" in name


def is_damaged(name: str) -> bool:
    """Whether the name looks like text in an old or wrong encoding. A guess: `quý` looks the same in both."""
    if name.isascii():
        return is_lossy(name)
    text = unicodedata.normalize("NFC", name)
    if is_lossy(text) or _has_capital_inside(text) or _VNI.search(text):
        return True
    return any(char in _FOREIGN or _is_symbol(char) for char in text if char > "\x7f")


def _has_capital_inside(text: str) -> bool:
    # Asked letter by letter: no range of code points holds just the small letters of Vietnamese.
    return any(two in _CAPITALS and one.islower() for one, two in pairwise(text))


def _is_symbol(char: str) -> bool:
    """A sign, number or control character above ASCII, none of which belongs in a name."""
    if char in "´‘’‛′＇":
        return False
    kind = unicodedata.category(char)
    return kind[0] in "NS" or kind in {"Cc", "Po", "Pi", "Pf"} or char == "\u00ad"
