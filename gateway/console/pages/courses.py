"""Courses: which module each one is; unmapped ones first, with what waits for them and what they may be."""

from dataclasses import dataclass
from urllib.parse import quote

from gateway.bdtx.modules import catalogue, find
from gateway.console.page import HOME, Act, Go, Page, Shown, Visit, whole_number
from gateway.stages.course_acts import Likely, Seen, likely

PATH = HOME + "/courses"
ONE = PATH + "/{vendor}/{course}"
_SHOWN = 200  # of each kind; the rest is counted
_MAX_PERIODS = 10_000


@dataclass(frozen=True, slots=True)
class CourseLine:
    """One course in the list."""

    address: str
    vendor: str
    course_id: str
    code: str | None
    title: str | None
    waiting: int
    module: str | None
    module_title: str | None
    organiser: str | None
    likely: tuple[Likely, ...]


@dataclass(frozen=True, slots=True)
class Courses:
    """Both lists. `more_*`: how many are not shown."""

    unmapped: tuple[CourseLine, ...]
    mapped: tuple[CourseLine, ...]
    more_unmapped: int
    more_mapped: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A value and what it is called."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class OneCourse:
    """The form. `wrong`: field -> key of a sentence."""

    course: CourseLine
    module: str
    pass_mark: str
    periods: str
    organiser: str
    modules: tuple[Choice, ...]
    organisers: tuple[Choice, ...]
    wrong: dict[str, str]


async def courses(visit: Visit) -> Courses:
    seen = await visit.parts.course_acts.seen()
    names = {unit.code: unit.name for unit in await visit.parts.course_acts.organisers()}
    lines = [_line(visit, one, seen, names) for one in seen]
    unmapped = [one for one in lines if one.module is None]
    mapped = [one for one in lines if one.module is not None]
    return Courses(
        tuple(unmapped[:_SHOWN]),
        tuple(mapped[:_SHOWN]),
        max(0, len(unmapped) - _SHOWN),
        max(0, len(mapped) - _SHOWN),
        sum(one.waiting for one in unmapped),
    )


async def one(visit: Visit) -> Shown:
    found = await _found(visit)
    course = found.course
    mark = course.pass_mark_hundredths
    return await _form(
        visit,
        found,
        module=course.module.code if course.module else "",
        pass_mark="" if mark is None else _written(mark / 100, visit.lang),
        periods="" if course.periods is None else str(course.periods),
        organiser=course.organiser or "",
    )


async def map_it(visit: Visit) -> object:
    found = await _found(visit)
    fields = {
        name: await visit.field(name) for name in ("module", "other", "pass_mark", "periods", "organiser")
    }
    chosen = fields.pop("other") or fields["module"]
    fields["module"] = chosen
    wrong: dict[str, str] = {}
    module = find(chosen) if chosen else None
    mark, periods = _mark(fields["pass_mark"]), whole_number(fields["periods"])
    if module is None:
        wrong["module"] = "module" if chosen else "no_module"
    if fields["pass_mark"] and mark is None:
        wrong |= {"pass_mark": "pass_mark"}
    if fields["periods"] and not (periods and periods <= _MAX_PERIODS):
        wrong["periods"] = "periods"
    if wrong or module is None:
        shown = await _form(visit, found, **fields, wrong=wrong)
        return Shown(shown.view, status=422, template=shown.template)
    _, woken = await visit.parts.course_acts.map(
        visit.viewer.login,
        found.vendor,
        found.course.course_key,
        module.code,
        pass_mark_hundredths=mark,
        periods=periods,
        organiser=fields["organiser"],
    )
    return Go(PATH).saying("courses.done", module=module.code, n=woken)


async def _found(visit: Visit) -> Seen:
    info = visit.request.match_info
    return await visit.parts.course_acts.one(info["vendor"], info["course"])


async def _form(visit: Visit, found: Seen, *, wrong: dict[str, str] | None = None, **fields: str) -> Shown:
    organisers = await visit.parts.course_acts.organisers()
    line = _line(visit, found, await visit.parts.course_acts.seen(), {u.code: u.name for u in organisers})
    view = OneCourse(
        course=line,
        **fields,
        modules=tuple(Choice(one.code, f"{one.code} · {one.title}") for one in catalogue().all()),
        organisers=tuple(Choice(unit.code, unit.name) for unit in organisers),
        wrong=wrong or {},
    )
    return Shown(view, template="course.html")


def _line(visit: Visit, one: Seen, seen: list[Seen], organisers: dict[str, str]) -> CourseLine:
    course = one.course
    module = course.module
    return CourseLine(
        address=f"{PATH}/{quote(one.vendor, safe='')}/{quote(course.course_key, safe='')}",
        vendor=one.vendor,
        course_id=course.course_key,
        code=course.course_code,
        title=course.title,
        waiting=one.waiting,
        module=module.code if module else None,
        module_title=module.title if module else None,
        organiser=organisers.get(course.organiser, course.organiser) if course.organiser else None,
        likely=() if module else tuple(likely(course, seen, visit.lang)),
    )


def _mark(text: str) -> int | None:
    """A mark of ten as people write it, `5`, `5,5` or `5.25` -> hundredths; None when it is none."""
    try:
        hundredths = float(text.replace(",", ".")) * 100
    except ValueError:
        return None
    is_exact = 0 <= hundredths <= 1000 and abs(hundredths - round(hundredths)) < 1e-6
    return round(hundredths) if is_exact else None


def _written(mark: float, lang: str) -> str:
    return f"{mark:g}".replace(".", "," if lang == "vi" else ".")


PAGES = (
    Page(PATH, courses, name="courses", may="course.map", nav=60),
    Page(ONE, one, name="courses", may="course.map"),
    Act(ONE, map_it, name="courses", may="course.map"),
)
