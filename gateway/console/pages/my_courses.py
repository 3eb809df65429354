"""For organisers: the courses that the unit runs, and what became of each learner's result."""

from dataclasses import dataclass
from urllib.parse import quote

from gateway.console.desk import desk_of
from gateway.console.page import HOME, Page, Shown, Visit
from gateway.model.reasons import REASONS, explain
from gateway.stages.organised import PAGE, Learner, Organised, learners, organised

PATH = HOME + "/my-courses"
ONE = PATH + "/{vendor}/{course}"


@dataclass(frozen=True, slots=True)
class OwnCourse:
    """One course in the list."""

    address: str
    vendor: str
    title: str
    code: str | None
    module: str | None
    results: int
    delivered: int
    held: int
    on_the_way: int


@dataclass(frozen=True, slots=True)
class OwnCourses:
    """All courses of the unit."""

    courses: tuple[OwnCourse, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One learner's result; values as the LMS sent them."""

    learner: Learner
    reason: str | None
    remedy: str | None


@dataclass(frozen=True, slots=True)
class OneOwnCourse:
    """One course and a page of its results."""

    course: OwnCourse
    results: tuple[Result, ...]
    older: int | None


async def my_courses(visit: Visit) -> OwnCourses:
    found = await organised(desk_of(visit), await visit.units(), visit.viewer, visit.today())
    return OwnCourses(tuple(_course(one) for one in found))


async def one(visit: Visit) -> Shown:
    info = visit.request.match_info
    course, rows = await learners(
        desk_of(visit),
        await visit.units(),
        visit.viewer,
        visit.today(),
        info["vendor"],
        info["course"],
        before=visit.number("after"),
    )
    older = rows[-1].id if len(rows) == PAGE else None
    view = OneOwnCourse(_course(course), tuple(_result(visit, row) for row in rows), older)
    return Shown(view, template="my_course.html")


def _course(one: Organised) -> OwnCourse:
    course = one.course
    delivered, held = one.states.get("delivered", 0), one.states.get("held", 0)
    return OwnCourse(
        address=f"{PATH}/{quote(one.vendor, safe='')}/{quote(course.course_key, safe='')}",
        vendor=one.vendor,
        title=course.title or course.course_code or course.course_key,
        code=course.course_code,
        module=course.module.code if course.module else None,
        results=one.results,
        delivered=delivered,
        held=held,
        on_the_way=one.results - delivered - held,
    )


def _result(visit: Visit, learner: Learner) -> Result:
    if learner.reason not in REASONS:
        return Result(learner, None, None)
    reason, remedy = explain(str(learner.reason), visit.lang)
    return Result(learner, reason, remedy)


PAGES = (
    Page(PATH, my_courses, name="my_courses", may="organised.see", nav=15),
    Page(ONE, one, name="my_courses", may="organised.see"),
)
