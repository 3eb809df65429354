"""One unit as its viewer sees it: the units directly below, each with its people, and all of them together."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.bdtx.places import Within
from gateway.bdtx.units import Level, Unit, Units
from gateway.model.clock import Clock
from gateway.stages.cases.failures import as_of
from gateway.stages.cases.sight import Sight
from gateway.stages.progress.counting import Count, count_in
from gateway.stages.progress.headcounts import Headcounts, expected_of
from gateway.storage.engine import Database

FRESH_MS = 30_000  # figures are counted again no more often than this
_TIMES = 20  # nor more often than so many times as long as the count took
_REMEMBERED = 500

Counted = tuple[dict[str | None, Count], Count]


@dataclass(frozen=True, slots=True)
class Line:
    """One unit below. `code` None: the school is not known. `is_open`: there are units below it."""

    code: str | None
    name: str | None
    level: str | None
    count: Count
    is_open: bool = False
    expected: int | None = None  # people by an uploaded list; None: there is none


@dataclass(frozen=True, slots=True)
class Step:
    """One unit on the way from the viewer's own down to the one shown."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`twice`: people counted in more than one of the lines, and once in the total."""

    unit: Step | None  # None: every unit there is
    level: str
    path: tuple[Step, ...]
    lines: tuple[Line, ...]
    total: Count
    twice: int
    counted_at_ms: int
    follows_to_ms: int | None  # how far the lists have followed the queue
    expected: int | None = None

    @property
    def base(self) -> int:
        """The denominator: people by the uploaded list, else people with results."""
        return base_of(self.total, self.expected)


def base_of(count: Count, expected: int | None) -> int:
    return count.people if expected is None else expected


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was counted, and until when it is good enough."""

    counted_at_ms: int
    until_ms: int
    follows_to_ms: int | None
    counted: Counted


class Progresses:
    """Counts, and remembers for half a minute or more. One instance per process."""

    def __init__(self, db: Database, clock: Clock, headcounts: Headcounts) -> None:
        self._db = db
        self._clock = clock
        self._headcounts = headcounts
        self._kept: OrderedDict[tuple[Within, Level], _Kept] = OrderedDict()

    async def of(self, sight: Sight, unit_code: str | None = None) -> Progress | None:
        """The viewer's own unit, or one below it. Returns: None when that is not the viewer's to see."""
        limit = sight.narrowed(unit_code)
        if limit is None:
            return None
        unit = sight.unit(limit.code)
        level = unit.level if unit else Level.MINISTRY
        counted_at, follows_to, (below, total) = await self._counted(limit, level)
        counts = await self._headcounts.all()
        lines = _lines(sight, unit, level, below, counts)
        return Progress(
            unit=Step(unit.code, unit.name) if unit else None,
            level=level.value,
            path=_path(sight, unit),
            lines=lines,
            total=total,
            twice=sum(line.count.people for line in lines) - total.people,
            counted_at_ms=counted_at,
            follows_to_ms=follows_to,
            expected=_expected(sight, unit, lines, counts),
        )

    async def _counted(self, limit: Within, level: Level) -> tuple[int, int | None, Counted]:
        now, key = self._clock.now_ms(), (limit, level)
        kept = self._kept.get(key)
        if kept is not None and now < kept.until_ms:
            return kept.counted_at_ms, kept.follows_to_ms, kept.counted
        began = time.monotonic()
        follows_to = await as_of(self._db)
        async with self._db.read() as tx:
            below = await count_in(tx, limit, level)
            total = (await count_in(tx, limit, None)).get("", Count())
        fresh_ms = max(FRESH_MS, int((time.monotonic() - began) * 1000) * _TIMES)
        self._kept[key] = _Kept(now, now + fresh_ms, follows_to, (below, total))
        if len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)
        return now, follows_to, (below, total)


def _expected(sight: Sight, unit: Unit | None, lines: Sequence[Line], counts: Mapping[str, int]) -> int | None:
    """Of the whole: its own number; or the sum of the lines, when everybody who has results is on a list."""
    if unit is not None and unit.code in counts:
        return counts[unit.code]
    if any(line.count.people and line.expected is None for line in lines):
        return None
    stated = [line.expected for line in lines if line.expected is not None]
    return sum(stated) if stated else None


def _lines(
    sight: Sight,
    unit: Unit | None,
    level: Level,
    counted: dict[str | None, Count],
    counts: Mapping[str, int],
) -> tuple[Line, ...]:
    """Every unit directly below, also one without anybody, by name; what is not known comes last."""
    if level is Level.SCHOOL:
        assert unit is not None
        count = counted.get(unit.code, Count())
        return (Line(unit.code, unit.name, level.value, count, expected=counts.get(unit.code)),)
    codes = {below.code for below in children(sight.units, unit, sight)} | {c for c in counted if c}
    found = [sight.unit(code) or Unit(code, code, Level.SCHOOL) for code in codes]
    found.sort(key=lambda one: (one.level is Level.SCHOOL, one.name, one.code))
    lines = [
        Line(
            one.code,
            one.name,
            one.level.value,
            counted.get(one.code, Count()),
            bool(sight.units.descendants_at(one.code, sight.today)),
            expected_of(sight.units, counts, one.code, sight.today),
        )
        for one in found
    ]
    unknown = counted.get(None)
    return (*lines, Line(None, None, None, unknown)) if unknown else tuple(lines)


def children(units: Units, unit: Unit | None, sight: Sight) -> list[Unit]:
    """The units directly below one today; of no unit, every department."""
    day = sight.today
    if unit is None or unit.level is Level.MINISTRY:
        found = (units.unit_at(code, day) for code in units.codes())
        return [one for one in found if one is not None and one.level is Level.DEPARTMENT]
    below = (units.unit_at(code, day) for code in units.descendants_at(unit.code, day))
    return [one for one in below if one is not None and _parent(units, one, sight) == unit.code]


def _parent(units: Units, unit: Unit, sight: Sight) -> str | None:
    above = units.standing_for(unit.parent, sight.today) if unit.parent else None
    return above.code if above else None


def _path(sight: Sight, unit: Unit | None) -> tuple[Step, ...]:
    if unit is None:
        return ()
    above = [one for one in sight.units.path_at(unit.code, sight.today) if sight.covers(one.code)]
    return tuple(Step(one.code, one.name) for one in reversed(above))
