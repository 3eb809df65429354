"""Progress by unit, from one's own down to a school; a table, a text for a group, a list upwards."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from gateway.bdtx.percent import percent_text
from gateway.console.desk import desk_of, sight_of
from gateway.console.files import file_answer
from gateway.console.page import HOME, Act, Go, Page, Visit
from gateway.model.clock import iso
from gateway.model.errors import ConfigError
from gateway.model.reasons import REASONS, owner_of
from gateway.stages.cases.failures import EXPORTED, Line, lines
from gateway.stages.cases.sight import Sight
from gateway.stages.progress.counting import Count
from gateway.stages.progress.headcounts import MAX_BYTES, read_headcounts
from gateway.stages.progress.tree import Progress, Step, base_of
from gateway.stages.progress.written import UPWARDS, digest, list_upwards, name_of, table

PATH = HOME + "/progress"
DRAWN = 20  # units in the chart; the table has all of them


@dataclass(frozen=True, slots=True)
class Cause:
    """Why people are held, and how many."""

    code: str
    text: str
    people: int


@dataclass(frozen=True, slots=True)
class Figures:
    """One unit's people."""

    code: str | None
    name: str
    is_open: bool
    people: int
    expected: int | None  # by an uploaded list
    verified: int
    percent: str
    credited: int
    waiting: int
    to_do: int
    no_code: int


@dataclass(frozen=True, slots=True)
class Told:
    """Progress as a page and its twin tell it."""

    unit: str | None
    name: str
    path: tuple[Step, ...]
    total: Figures
    causes: tuple[Cause, ...]
    lines: tuple[Figures, ...]
    drawn: tuple[Figures, ...]  # those with most to do
    twice: int
    counted_at_ms: int
    digest: str


async def progress(visit: Visit) -> Told:
    found, _ = await asked_for(visit)
    return told(visit, found)


async def asked_for(visit: Visit) -> tuple[Progress, Sight]:
    """The unit of the address, or one's own. Raises: OutOfScope."""
    sight = await sight_of(visit)
    unit = visit.asked("unit")
    found = await visit.parts.progresses.of(sight, unit or None)
    if found is None:
        visit.out_of_scope(f"progress {unit[:40]}")
    return found, sight


def told(visit: Visit, found: Progress) -> Told:
    """The view model of one unit."""
    rows = tuple(
        _figures(
            visit,
            line.count,
            line.code,
            line.name or visit.t("progress.unknown"),
            expected=line.expected,
            is_open=line.is_open,
        )
        for line in found.lines
    )
    with_work = sorted((row for row in rows if row.people), key=lambda row: -row.to_do)
    causes = tuple(Cause(code, visit.reason(code) or code, n) for code, n in found.total.held.items())
    name = name_of(found, visit.lang)
    return Told(
        unit=found.unit.code if found.unit else None,
        name=name,
        path=found.path,
        total=_figures(
            visit, found.total, found.unit.code if found.unit else None, name, expected=found.expected
        ),
        causes=causes,
        lines=rows,
        drawn=tuple(with_work[:DRAWN]),
        twice=found.twice,
        counted_at_ms=found.counted_at_ms,
        digest=digest(found, visit.lang),
    )


def _figures(
    visit: Visit,
    count: Count,
    code: str | None,
    name: str,
    *,
    expected: int | None = None,
    is_open: bool = False,
) -> Figures:
    return Figures(
        code,
        name,
        is_open,
        count.people,
        expected,
        count.verified,
        percent_text(count.verified, base_of(count, expected), visit.lang),
        count.credited,
        count.waiting,
        count.to_do,
        count.no_code,
    )


async def excel(visit: Visit) -> web.Response:
    found, _ = await asked_for(visit)
    return _file(visit, table(found, visit.lang), visit.t("progress.file.table"), found)


async def upwards(visit: Visit) -> web.Response:
    """People for whom the level above has to act: as sent, for roles that may export, and audited."""
    found, sight = await asked_for(visit)
    limit = sight.narrowed(visit.asked("unit") or None)
    assert limit is not None  # asked_for has looked
    desk = desk_of(visit)
    rows: list[Line] = []
    for code in found.total.held:
        if code in REASONS and owner_of(code, many=True) in UPWARDS:
            rows += await lines(desk, sight, limit, code, size=EXPORTED - len(rows))
    about = found.unit.code if found.unit else "*"
    await visit.audit("export", "progress.upwards", unit=about, rows=len(rows))
    content = list_upwards(rows, sight, visit.lang, visit.now_ms)
    return _file(visit, content, visit.t("progress.file.upwards"), found)


async def take_headcounts(visit: Visit) -> object:
    """The other denominator: how many people each unit has by its own list."""
    sent = (await visit.form()).get("file")
    if not isinstance(sent, web.FileField) or not sent.filename:
        return Go(PATH).saying("progress.headcounts_missing", kind="error")
    try:
        counts, left_out = await asyncio.to_thread(read_headcounts, sent.file.read(), "file")
    except ConfigError:
        return Go(PATH).saying("progress.headcounts_wrong", kind="error")
    sight = await sight_of(visit)
    taken = await visit.parts.headcounts.take(sight, counts, left_out)
    kind = "warning" if taken.left_out else "done"
    return Go(PATH).saying(
        "progress.headcounts_done", kind, units=taken.units, people=taken.people, left_out=taken.left_out
    )


def _file(visit: Visit, content: bytes, name: str, found: Progress) -> web.Response:
    code = found.unit.code if found.unit else "all"
    return file_answer(content, "progress.xlsx", f"{name} {code} {iso(visit.now_ms)[:10]}.xlsx")


PAGES = (
    Page(PATH, progress, name="progress", may="progress.see", nav=30),
    Page(PATH + "/table", excel, name="progress", may="progress.see"),
    Page(PATH + "/upwards", upwards, name="progress", may="list.export"),
    Act(
        PATH + "/headcounts",
        take_headcounts,
        name="progress",
        may="progress.headcounts",
        max_body_bytes=MAX_BYTES + 64 * 1024,
    ),
)
