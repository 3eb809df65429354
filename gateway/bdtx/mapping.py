"""Suggests which module an unmapped course is: its code and title as the vendor wrote them -> likely modules.

A suggestion is shown to the person who maps the course; nothing is ever mapped by it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple
from unicodedata import combining, normalize

from rapidfuzz import fuzz

from gateway.bdtx.modules import Module, find, normalise

LIMIT = 5
MAX_CHARS = 300
SIMILAR = 85  # of 100; below it, titles of BDTX are alike only because all of them say "bồi dưỡng giáo viên"
SHORTEST = 0.6  # a course title shorter than this share of the module's says too little to compare

# why -> (Vietnamese, English), as shown beside the suggestion
WHY = {
    "same_code": ("Cùng mã mô đun, khác cách viết", "Same module code, spelt differently"),
    "code_inside_code": ("Mã khóa học có chứa mã mô đun", "The course code contains the module code"),
    "code_inside_title": ("Tên khóa học có chứa mã mô đun", "The course title contains the module code"),
    "etep_number": ("Tên khóa học nêu số mô đun ETEP", "The course title names the number of an ETEP module"),
    "similar_title": ("Tên gần giống nhau", "The titles are alike"),
}

_CODE_INSIDE = re.compile(r"(?<![A-Z])([A-Z]{2,5})[\s._/-]*0*([1-9][0-9]?)(?![0-9])")
_ETEP_NUMBER = re.compile(r"\b(?:mo dun|modun|modul|module|md)(?: cot loi)? 0*([1-9])\b")
_SHORT_FORMS = {"cntt": "cong nghe thong tin", "gv": "giao vien", "cbql": "can bo quan ly"}
_ETEP_NAME = re.compile(r"\betep\b|\bcot loi\b")


class Suggestion(NamedTuple):
    """One module and the key of WHY."""

    module_code: str
    why: str


def suggest(course_code: str | None, title: str | None, modules: Sequence[Module]) -> list[Suggestion]:
    """The 0..5 modules that a course may be, likeliest first, each once, with its strongest reason."""
    known = frozenset(module.code for module in modules)
    found: dict[str, str] = {}
    for code, why in _by_code((course_code or "")[:MAX_CHARS], (title or "")[:MAX_CHARS], known):
        found.setdefault(code, why)
    for code in _by_title((title or "")[:MAX_CHARS], modules):
        found.setdefault(code, "similar_title")
    return [Suggestion(code, why) for code, why in found.items()][:LIMIT]


def _by_code(course_code: str, title: str, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    whole = normalise(course_code)
    if whole is not None and _exists(whole, known):
        yield whole, "same_code"
    for text, why in ((course_code, "code_inside_code"), (title, "code_inside_title")):
        for prefix, number in _CODE_INSIDE.findall(normalize("NFKC", text).upper()):
            code = f"{prefix}{int(number):02d}"
            if _exists(code, known):
                yield code, why
    folded = _fold(title)
    if _ETEP_NAME.search(folded):
        for number in _ETEP_NUMBER.findall(folded):
            if f"ETEP0{number}" in known:
                yield f"ETEP0{number}", "etep_number"


def _exists(code: str, known: frozenset[str]) -> bool:
    """Also the numbers of open families, which no list of modules holds."""
    return code in known or find(code) is not None


def _by_title(title: str, modules: Sequence[Module]) -> list[str]:
    """Codes of modules with a title of their own that is alike, the most alike first."""
    folded = _fold(title)
    scored = [
        (_likeness(folded, _fold(module.title)), module.code) for module in modules if module.named and folded
    ]
    return [code for score, code in sorted(scored, key=lambda pair: (-pair[0], pair[1])) if score >= SIMILAR]


def _likeness(course: str, module: str) -> float:
    """0..100. Either title may carry more (year, class, place) or lack a word; a short one says too little."""
    if len(course) < SHORTEST * len(module):
        return 0.0
    return max(fuzz.partial_ratio(module, course), fuzz.token_set_ratio(module, course))


@lru_cache(maxsize=1024)
def _fold(text: str) -> str:
    """Lower case without marks, đ or punctuation: spellings of one title compare equal."""
    bare = "".join(sign for sign in normalize("NFKD", text.casefold()) if not combining(sign)).replace("đ", "d")
    return " ".join(_SHORT_FORMS.get(word, word) for word in re.findall(r"[^\W_]+", bare))
