"""Units and who is under whom on a given day: rows -> an in-memory tree that answers in microseconds.

A unit keeps its code while its name or parent changes: each version is valid from a day to a day. A closed unit
gives way to its one successor (merge, renumber); split among several, it gives way to the level above.
Source: the organisation of two levels since 1 July 2025 (contracts/units/README.md).
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

from gateway.model.reasons import Owner

ALWAYS = date.min  # valid_from of a version whose beginning nobody stated
DISTRICTS_END = date(2025, 6, 30)
COMMUNES_BEGIN = date(2025, 7, 1)
BY_DEPARTMENT = frozenset({"THPT", "GDTX"})  # a school that teaches one of these is managed by the department
_EPOCHS_KEPT = 8
_DAY = timedelta(days=1)


class Level(StrEnum):
    """From the top to the bottom. An `organiser` (a university that runs courses) stands beside the tree."""

    MINISTRY = "ministry"
    DEPARTMENT = "department"
    DISTRICT = "district"
    COMMUNE = "commune"
    SCHOOL = "school"
    ORGANISER = "organiser"

    def is_above(self, other: "Level") -> bool:
        """Whether a unit of this level may have one of the other level under it."""
        return _RANK[self] < _RANK[other]


_RANK = {level: rank for rank, level in enumerate(Level)}
_RANK[Level.ORGANISER] = _RANK[Level.SCHOOL]


class Change(StrEnum):
    """How one unit became another. Only `renumber` leaves the institution, and its accounts, the same."""

    MERGE = "merge"
    SPLIT = "split"
    RENUMBER = "renumber"


@dataclass(frozen=True, slots=True)
class Unit:
    """One version of a unit. Both days are inclusive; `valid_to` is None while nobody stated an end."""

    code: str
    name: str
    level: Level
    parent: str | None = None
    valid_from: date = ALWAYS
    valid_to: date | None = None
    teaches: tuple[str, ...] = ()  # of a school: MN, TH, THCS, THPT, GDTX
    contact: str | None = None

    def is_valid_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` became `target` on this day."""

    source: str
    target: str
    change: Change
    on: date


class Units:
    """All units of all times. Immutable; build a new one after an import."""

    def __init__(self, units: Iterable[Unit] = (), edges: Iterable[Edge] = ()) -> None:
        found: dict[str, list[Unit]] = defaultdict(list)
        for unit in units:
            found[unit.code].append(unit)
        self._versions: Mapping[str, tuple[Unit, ...]] = {
            code: (_ended(several[0], None),) if len(several) == 1 else _in_order(several)
            for code, several in found.items()
        }
        self._after: dict[str, list[Edge]] = defaultdict(list)
        self._before: dict[str, list[Edge]] = defaultdict(list)
        for edge in edges:
            self._after[edge.source].append(edge)
            self._before[edge.target].append(edge)
        self._days = sorted(
            {v.valid_from for several in self._versions.values() for v in several}
            | {v.valid_to + _DAY for several in self._versions.values() for v in several if v.valid_to}
            | {edge.on for several in self._after.values() for edge in several}
        )
        self._under = lru_cache(_EPOCHS_KEPT)(self._index_of)

    def __len__(self) -> int:
        return len(self._versions)

    def codes(self) -> Iterable[str]:
        """Every code ever, in the order they were given."""
        return self._versions.keys()

    def versions(self, code: str) -> Sequence[Unit]:
        """All versions of a code, the oldest first; none for an unknown code."""
        return self._versions.get(code, ())

    def edges_of(self, code: str) -> tuple[Sequence[Edge], Sequence[Edge]]:
        """What it came from, and what it became."""
        return tuple(self._before.get(code, ())), tuple(self._after.get(code, ()))

    def unit_at(self, code: str, day: date) -> Unit | None:
        """The version valid on that day, under exactly this code."""
        several = self._versions.get(code)
        if several is None:
            return None
        at = bisect_right(several, day, key=_begins) - 1
        return several[at] if at >= 0 and several[at].is_valid_on(day) else None

    def standing_for(self, code: str, day: date) -> Unit | None:
        """The unit itself, or its one successor by then, or the unit above it; None for an unknown code."""
        seen: set[str] = set()
        at: str | None = code
        while at is not None and at not in seen:
            seen.add(at)
            if found := self.unit_at(at, day):
                return found
            at = self._successor(at, day) or self._last_parent(at, day)
        return None

    def path_at(self, code: str, day: date) -> tuple[Unit, ...]:
        """From the unit (or what stands for it) up to the top, all valid on that day; empty when unknown."""
        path: list[Unit] = []
        unit = self.standing_for(code, day)
        while unit is not None and unit not in path:
            path.append(unit)
            unit = self.standing_for(unit.parent, day) if unit.parent else None
        return tuple(path)

    def descendants_at(self, code: str, day: date) -> tuple[str, ...]:
        """Codes of every unit below this one on that day, level by level from each child; not itself."""
        epoch = bisect_right(self._days, day)
        order, spans = self._under(epoch)
        start, end = spans.get(code, (0, 0))
        return order[start:end]

    def same_as(self, code: str) -> frozenset[str]:
        """Codes that name the same school through merges and renumbering, at any time; with itself."""
        return frozenset(_closure(code, self._joined))

    def _joined(self, code: str) -> Iterator[str]:
        yield from (e.target for e in self._after.get(code, ()) if e.change is not Change.SPLIT)
        yield from (e.source for e in self._before.get(code, ()) if e.change is not Change.SPLIT)

    def same_school_on(self, code: str, day: date) -> frozenset[str]:
        """Codes that may stand for the school stated as `code` in something of that day; with itself.

        What it became at any time (files are kept up to date), what had become part of it, and what had by that
        day been merged into the same one. Schools merged only later were two schools.
        """
        if code not in self._after and code not in self._before:
            return frozenset((code,))
        by_then = self._reached(code, lambda edge: edge.on <= day)
        together = {one for at in by_then for one in self._came_from(at, lambda edge: edge.on <= day)}
        return frozenset(self._reached(code) | self._came_from(code) | together)

    def _reached(self, code: str, is_meant: Callable[[Edge], bool] = lambda _: True) -> set[str]:
        return _closure(code, lambda at: (e.target for e in self._after.get(at, ()) if _is_same(e, is_meant)))

    def _came_from(self, code: str, is_meant: Callable[[Edge], bool] = lambda _: True) -> set[str]:
        return _closure(code, lambda at: (e.source for e in self._before.get(at, ()) if _is_same(e, is_meant)))

    def renumbered(self, code: str, day: date) -> str:
        """The code this very institution has on that day; a merged or split one keeps the code it had."""
        seen = {code}
        while self.unit_at(code, day) is None:
            nexts = [e for e in self._after.get(code, ()) if e.change is Change.RENUMBER and e.on <= day]
            if len(nexts) != 1 or nexts[0].target in seen:
                break
            code = nexts[0].target
            seen.add(code)
        return code

    def _successor(self, code: str, day: date) -> str | None:
        nexts = {edge.target for edge in self._after.get(code, ()) if edge.on <= day}
        return nexts.pop() if len(nexts) == 1 else None

    def _last_parent(self, code: str, day: date) -> str | None:
        """The parent of the last version begun by that day; before the first, that of the first."""
        several = self._versions.get(code)
        if several is None:
            return None
        return several[max(0, bisect_right(several, day, key=_begins) - 1)].parent

    def _index_of(self, epoch: int) -> tuple[tuple[str, ...], dict[str, tuple[int, int]]]:
        """Between two days of change: codes in tree order, and where the units below each begin and end."""
        day = self._days[epoch - 1] if epoch else date.min
        below: dict[str, list[str]] = defaultdict(list)
        tops: list[str] = []
        for code in self._versions:
            unit = self.unit_at(code, day)
            if unit is None:
                continue
            above = self.standing_for(unit.parent, day) if unit.parent else None
            (below[above.code] if above and above.code != code else tops).append(code)
        order: list[str] = []
        spans: dict[str, tuple[int, int]] = {}
        ahead: list[tuple[str, bool]] = [(code, False) for code in reversed(tops)]
        while ahead:
            code, is_done = ahead.pop()
            if is_done:
                spans[code] = (spans[code][0], len(order))
                continue
            order.append(code)
            spans[code] = (len(order), len(order))
            ahead.append((code, True))
            ahead += [(child, False) for child in reversed(below.get(code, ()))]
        return tuple(order), spans


def named_owner(units: Units, owner: Owner, school_code: str | None, today: date) -> Unit | None:
    """The unit in charge today, by name; None when the owner is no unit or the school is unknown.

    school -> the school, or what it was merged into; upper_unit -> the commune of a school up to THCS, the
    department of one with THPT or GDTX. A district office is never in charge after 2025-06-30.
    """
    if school_code is None or owner not in (Owner.SCHOOL, Owner.UPPER_UNIT):
        return None
    path = units.path_at(school_code, today)
    if owner is Owner.SCHOOL or not path:
        return path[0] if path else None
    if path[0].level is not Level.SCHOOL:  # the school is closed and split: what stands above it answers
        return path[0]
    offices: tuple[Level, ...] = (Level.DEPARTMENT,)
    if not BY_DEPARTMENT & set(path[0].teaches):
        offices = (Level.COMMUNE, Level.DISTRICT, Level.DEPARTMENT)
    return next((unit for level in offices for unit in path if unit.level is level), None)


def _closure(code: str, near: Callable[[str], Iterable[str]]) -> set[str]:
    found, ahead = {code}, [code]
    while ahead:
        nexts = [one for one in near(ahead.pop()) if one not in found]
        found.update(nexts)
        ahead += nexts
    return found


def _is_same(edge: Edge, is_meant: Callable[[Edge], bool]) -> bool:
    return edge.change is not Change.SPLIT and is_meant(edge)


def _begins(unit: Unit) -> date:
    return unit.valid_from


def _in_order(several: list[Unit]) -> tuple[Unit, ...]:
    several.sort(key=_begins)
    nexts = [*several[1:], None]
    return tuple(_ended(unit, following) for unit, following in zip(several, nexts, strict=True))


def _ended(unit: Unit, following: Unit | None) -> Unit:
    """A version ends before the next one begins, and an office of a district when the districts ended."""
    ends = [unit.valid_to]
    if following is not None:
        ends.append(following.valid_from - _DAY)
    if unit.level is Level.DISTRICT:
        ends.append(DISTRICTS_END)
    last = min((end for end in ends if end is not None), default=None)
    return unit if last == unit.valid_to else replace(unit, valid_to=last)
