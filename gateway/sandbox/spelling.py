"""The ways one name is really written: other composition, capitals, the other place of the tone, no marks."""

import re
import unicodedata

# Open syllables in oa, oe, uy have two places for the tone (hòa, hoà); closed ones and qu- have one.
_OLD = "òóỏõọ"
_NEW = {"a": "àáảãạ", "e": "èéẻẽẹ"}
_OLD_UY = "ùúủũụ"
_NEW_UY = "ỳýỷỹỵ"
_OPEN = re.compile(rf"([{_OLD}])([ae])(?!\w)|(?<![qQ])([{_OLD_UY}])(y)(?!\w)")


def decomposed(name: str) -> str:
    """NFD: base letters and combining marks apart, as macOS file names and some exports have them."""
    return unicodedata.normalize("NFD", name)


def capitals(name: str) -> str:
    return name.upper()


def has_other_tone_place(name: str) -> bool:
    return _OPEN.search(name) is not None


def other_tone_place(name: str) -> str:
    """`Hòa` -> `Hoà`, `Thủy` -> `Thuỷ`; a name without such a syllable stays as it is."""
    return _OPEN.sub(_moved, name)


def _moved(found: re.Match[str]) -> str:
    marked, vowel, marked_u, _ = found.groups()
    if marked:
        return "o" + _NEW[vowel][_OLD.index(marked)]
    return "u" + _NEW_UY[_OLD_UY.index(marked_u)]


def without_marks(name: str) -> str:
    """`Nguyễn Thị Hòa` -> `Nguyen Thi Hoa`; đ becomes d, which no decomposition does."""
    bare = "".join(char for char in unicodedata.normalize("NFD", name) if not unicodedata.combining(char))
    return bare.replace("đ", "d").replace("Đ", "D")


def damaged(name: str) -> str:
    """`Nguyễn` -> `Nguy?n`: saved once in a code page that has no Vietnamese. Nobody can repair it."""
    return name.encode("latin-1", "replace").decode("latin-1")
