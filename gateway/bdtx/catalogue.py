"""Modules of BDTX and the catalogue that holds them, with their versions by day and their open families."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from unicodedata import normalize

from gateway.bdtx.recognition import Boundary


@dataclass(frozen=True, slots=True)
class Module:
    """One deliverable item of BDTX."""

    code: str  # canonical: GVPT03, ETEP03, HL04
    title: str
    programme: str | None  # "01" ministry, "02" local, "03" elective; None: not stated
    audience: tuple[str, ...]  # of GV, CBQL, GVCC, CBQLCC
    levels: tuple[str, ...]  # of MN, TH, THCS, THPT
    periods: int | None  # tiết when the vendor states none; None: unknown
    pass_mark_hundredths: int  # on the 10-point scale
    boundary: Boundary
    effective_from: date
    confirmed: bool = True  # False: a number of an open family that no source lists
    named: bool = True  # False: the title is only the family's, no source gives one
    annex_row: int | None = None  # row of materials_annex01.csv


@dataclass(frozen=True, slots=True)
class Family:
    """An open family: numbers first..last exist, as copies of `pattern`, whether or not a source lists them."""

    first: int
    last: int
    pattern: Module


class Catalogue:
    """All modules, each with its versions by day. `version` is part of every verdict that used it."""

    def __init__(self, version: str, modules: Iterable[Module], open_families: dict[str, Family]) -> None:
        self.version = version
        self._open = open_families
        self._versions: dict[str, list[Module]] = {}
        for module in sorted(modules, key=lambda module: (module.code, module.effective_from)):
            self._versions.setdefault(module.code, []).append(module)

    def find(self, code: str, on: date | None = None) -> Module | None:
        """The module written as `code` in any spelling, as it stood on the day `on` (None: latest).

        Returns: None for a code that is not known, or was not yet in force.
        """
        canonical = normalise(code)
        if canonical is None:
            return None
        versions = self._versions.get(canonical) or self._unlisted(canonical)
        in_force = [module for module in versions if on is None or module.effective_from <= on]
        return in_force[-1] if in_force else None

    def all(self, on: date | None = None) -> tuple[Module, ...]:
        """Every listed module in force on the day, by code; unlisted numbers of open families are not."""
        found = (self.find(code, on) for code in self._versions)
        return tuple(module for module in found if module is not None)

    def _unlisted(self, code: str) -> list[Module]:
        family = self._open.get(code[:-2])
        if family is None or not family.first <= int(code[-2:]) <= family.last:
            return []
        return [replace(family.pattern, code=code, title=family.pattern.title.format(code=code))]


MAX_CHARS = 64  # a code is short; whatever is longer is not read

_WRITTEN = re.compile(r"([A-Z]{2,5})[\s._/-]*0*(\d{1,2})")
_INVISIBLE = re.compile("[\u200b-\u200d\u2060\ufeff]")


def normalise(code: str) -> str | None:
    """`GVPT 03`, `gvpt-3`, full-width `GVPT3` -> `GVPT03`; None for other forms. Whether it exists: `find`."""
    if len(code) > MAX_CHARS:
        return None
    text = _INVISIBLE.sub("", normalize("NFKC", code)).strip().upper()
    match = _WRITTEN.fullmatch(text)
    if match is None or not text.isascii() or int(match[2]) == 0:
        return None
    return f"{match[1]}{int(match[2]):02d}"
