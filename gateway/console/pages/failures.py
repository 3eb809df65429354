"""What waits for somebody to act, by cause; one cause as a list, as a file to hand on, and checked again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote

from aiohttp import web

from gateway.bdtx.places import Within
from gateway.bdtx.units import Level
from gateway.bdtx.workbook import Cell, WrittenBook
from gateway.console.desk import Told, desk_of, sight_of, told
from gateway.console.files import file_answer
from gateway.console.page import HOME, Act, Go, Page, Shown, Visit
from gateway.model.clock import iso
from gateway.model.reasons import REASONS
from gateway.stages.cases import failures as cases
from gateway.stages.cases.rechecking import recheck_cause
from gateway.stages.cases.sight import Sight

PATH = HOME + "/failures"


@dataclass(frozen=True, slots=True)
class Choice:
    """A unit that the list may be narrowed to."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Group:
    """One cause with its one action."""

    code: str
    told: Told
    failures: int
    people: int
    units: int
    first_ms: int
    last_ms: int
    address: str


@dataclass(frozen=True, slots=True)
class Failures:
    """Everything that waits in the viewer's units, as causes."""

    failures: int
    groups: tuple[Group, ...]
    unit: str | None  # the list is narrowed to it
    unit_name: str | None
    choices: tuple[Choice, ...]
    as_of_ms: int | None

    @property
    def options(self) -> list[tuple[str, str]]:
        return [(one.code, one.name) for one in self.choices]


@dataclass(frozen=True, slots=True)
class FailureLine:
    """One failure of a cause."""

    id: int
    full_name: str | None
    birth_date: str | None
    identifier: str | None
    school: str | None
    course: str | None
    vendor: str
    received_at_ms: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class Failure:
    """One cause, page by page."""

    code: str
    told: Told
    lines: tuple[FailureLine, ...]
    shows_people: bool
    older: int | None
    unit: str | None
    unit_name: str | None
    choices: tuple[Choice, ...]
    vendor: str | None  # only what this LMS sent
    vendors: tuple[str, ...]
    as_of_ms: int | None
    may_recheck: bool
    may_export: bool

    @property
    def options(self) -> list[tuple[str, str]]:
        return [(one.code, one.name) for one in self.choices]

    @property
    def vendor_options(self) -> list[tuple[str, str]]:
        return [(name, name) for name in self.vendors]


async def failures(visit: Visit) -> Failures:
    sight, limit = await _limit(visit)
    found = await cases.causes(visit.parts.db, limit)
    unit = visit.asked("unit") or None
    groups = tuple(
        Group(
            one.code,
            told(visit, sight, one.code, school=one.one_unit, people=one.people),
            one.failures,
            one.people,
            one.units,
            one.first_ms,
            one.last_ms,
            f"{PATH}/{one.code}" + (f"?unit={quote(unit)}" if unit else ""),
        )
        for one in found
    )
    return Failures(
        sum(one.failures for one in found),
        groups,
        unit,
        sight.name(unit),
        _choices(sight),
        await cases.as_of(visit.parts.db),
    )


async def failure(visit: Visit) -> Shown:
    """One cause."""
    sight, limit = await _limit(visit)
    code, desk = _code(visit), desk_of(visit)
    vendor_id, vendors = await _vendor(visit)
    before, size = visit.number("after"), cases.PAGE + 1
    found = await cases.lines(desk, sight, limit, code, vendor_id=vendor_id, before=before, size=size)
    page = found[: cases.PAGE]
    unit = visit.asked("unit") or None
    schools = {line.school_code for line in page}
    one_school = schools.pop() if len(schools) == 1 else None
    view = Failure(
        code,
        told(visit, sight, code, school=one_school),
        tuple(_line(sight, line) for line in page),
        sight.may("case.values_sent"),
        page[-1].id if len(found) > cases.PAGE else None,
        unit,
        sight.name(unit),
        _choices(sight),
        visit.asked("vendor") or None,
        vendors,
        await cases.as_of(visit.parts.db),
        visit.may("case.recheck"),
        visit.may("list.export"),
    )
    return Shown(view, template="failure.html")


async def recheck(visit: Visit) -> Go:
    """Everything of this cause in the viewer's units is asked about live."""
    code = _code(visit)
    sight, limit = await _limit(visit, await visit.field("unit"))
    woken = await recheck_cause(desk_of(visit), sight, limit, code)
    return Go(await _back(visit, code)).saying("failures.rechecked", n=woken)


async def export(visit: Visit) -> web.Response:
    """The list for the level above. Text in it never runs as a formula; numbers stay masked."""
    code = _code(visit)
    sight, limit = await _limit(visit)
    vendor_id, _ = await _vendor(visit)
    found = await cases.lines(desk_of(visit), sight, limit, code, vendor_id=vendor_id, size=cases.EXPORTED)
    content = _workbook(visit, sight, code, found)
    await visit.audit("list.export", f"cause:{code}", unit=limit.code or "all", rows=len(found))
    name = f"{visit.t('failures.file')} {code} {iso(visit.now_ms)[:10]}.xlsx"
    return file_answer(content, "failures.xlsx", name)


def _workbook(visit: Visit, sight: Sight, code: str, found: tuple[cases.Line, ...]) -> bytes:
    t = visit.t
    words = told(visit, sight, code)
    above = [
        t("failures.sheet.title", what=words.what),
        t("failures.sheet.action", action=words.action),
        t("failures.sheet.made", at=iso(visit.now_ms)[:16].replace("T", " "), login=visit.viewer.login),
    ]
    if len(found) == cases.EXPORTED:
        above.append(t("failures.sheet.cut", n=cases.EXPORTED))
    heads = ("full_name", "birth_date", "identifier", "school", "school_code", "course", "vendor")

    def rows() -> Iterator[tuple[Cell, ...]]:
        owners: dict[str | None, str] = {}
        for line in found:
            if line.school_code not in owners:
                mine = told(visit, sight, code, school=line.school_code)
                owners[line.school_code] = f"{mine.owner} – {mine.contact}" if mine.contact else mine.owner
            shown = _line(sight, line)
            yield (
                shown.full_name,
                shown.birth_date,
                shown.identifier,
                sight.name(line.school_code),
                line.school_code,
                shown.course,
                shown.vendor,
                iso(line.received_at_ms)[:10],
                owners[line.school_code],
                str(line.id),
            )

    book = WrittenBook()
    with book:
        headings = [t(f"failures.sheet.{head}") for head in (*heads, "received", "owner", "receipt")]
        book.sheet(t("failures.sheet.name"), headings, rows(), above=above, wide=(0, 3, 5, 8))
    return book.content()


async def _limit(visit: Visit, unit: str | None = None) -> tuple[Sight, Within]:
    """What the list is limited to: a unit in the address or the form, within the viewer's own."""
    sight = await sight_of(visit)
    wanted = unit if unit is not None else visit.asked("unit")
    limit = sight.narrowed(wanted or None)
    if limit is None:
        visit.out_of_scope(f"unit {wanted[:32]}" if wanted else "cases")
    return sight, limit


async def _vendor(visit: Visit) -> tuple[int | None, tuple[str, ...]]:
    """The LMS that the list is narrowed to, and all there are; an unknown one is no filter to guess by."""
    everyone = {vendor.name: vendor.id for vendor in await visit.parts.vendors.all()}
    wanted = visit.asked("vendor")
    if wanted and wanted not in everyone:
        visit.out_of_scope("vendor")
    return everyone.get(wanted), tuple(everyone)


def _code(visit: Visit) -> str:
    code = visit.request.match_info["code"]
    if code not in REASONS and not code.replace(".", "").replace("_", "").isalnum():
        visit.out_of_scope("a code that is none")
    return code


async def _back(visit: Visit, code: str) -> str:
    unit = await visit.field("unit")
    return f"{PATH}/{code}" + (f"?unit={quote(unit)}" if unit else "")


def _choices(sight: Sight) -> tuple[Choice, ...]:
    """The units right below the viewer's; of an operator and the ministry, the departments."""
    limit = sight.limit
    if limit is None or limit.column == "school_code":
        return ()
    units, today = sight.units, sight.today
    if limit.code is None:
        wanted = [
            u for code in units.codes() if (u := units.unit_at(code, today)) and u.level is Level.DEPARTMENT
        ]
    else:
        below = (units.unit_at(code, today) for code in units.descendants_at(limit.code, today))
        wanted = [u for u in below if u and u.parent and _stands(sight, u.parent) == limit.code]
    return tuple(sorted((Choice(u.code, u.name) for u in wanted), key=lambda one: one.name))


def _stands(sight: Sight, code: str) -> str | None:
    unit = sight.unit(code)
    return unit.code if unit else None


def _line(sight: Sight, line: cases.Line) -> FailureLine:
    learner = line.learner
    shown = FailureLine(
        line.id,
        None,
        None,
        None,
        sight.name(line.school_code or line.claimed_unit),
        line.course,
        line.vendor,
        line.received_at_ms,
        line.changed_at_ms,
    )
    if learner is None:
        return shown
    born = learner.birth_date.isoformat() if learner.birth_date else None
    return replace(shown, full_name=learner.full_name, birth_date=born, identifier=learner.identifier)


PAGES = (
    # Not `case.see`: vendors and organisers see their results elsewhere, by other rules than units.
    Page(PATH, failures, name="failures", may="result.search", nav=20),
    Page(PATH + "/{code}", failure, name="failures", may="result.search"),
    Act(PATH + "/{code}/recheck", recheck, name="failures", may="case.recheck"),
    Page(PATH + "/{code}/export", export, name="failures", may="list.export"),
)
