"""Courses a unit runs and their learners: what was sent and where it stands, never a value on file.

An organiser is outside the tree of units: the course decides, not where somebody works. Reasons are folded as
for vendors, for the same cause: a list of learners must not find out what the sector database has of them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from gateway.bdtx.courses import MappedCourse, read_courses
from gateway.bdtx.scope import CaseUnits, Viewer, may_see_case
from gateway.bdtx.units import Units
from gateway.identity.masking import mask
from gateway.identity.vendor_view import fold
from gateway.model.completion import Completion
from gateway.model.errors import NotFound
from gateway.model.roles import RoleName, may
from gateway.queue.vendors import names_in
from gateway.stages.cases.opened import open_all
from gateway.stages.cases.sight import Desk

PAGE = 50
_NEWEST = 2**62
STATES_OF = """
SELECT c.vendor_id, c.course_key, c.state, COUNT(*) AS n FROM {x}
JOIN cases c ON c.course_key = x.course_key AND c.vendor_id = x.vendor_id
WHERE c.state <> 'voided' GROUP BY c.vendor_id, c.course_key, c.state"""
LEARNERS = """
SELECT c.delivery_id, c.vendor_id, c.received_at_ms, c.state, c.reason, d.event_id, d.revision, d.changed_at_ms
FROM cases c JOIN deliveries d ON d.id = c.delivery_id
WHERE c.course_key = :course AND c.vendor_id = :vendor AND c.state <> 'voided' AND c.delivery_id < :before
ORDER BY c.delivery_id DESC LIMIT :limit"""


@dataclass(frozen=True, slots=True)
class Organised:
    """One course of the unit. `states`: results by state, those that were voided left out."""

    vendor: str
    course: MappedCourse
    states: Mapping[str, int]

    @property
    def results(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Learner:
    """One result of a course, as sent; the number is masked. `reason` is folded."""

    id: int
    full_name: str | None = field(repr=False)
    birth_date: date | None = field(repr=False)
    identifier: str | None
    unit_code: str | None
    state: str
    reason: str | None
    received_at_ms: int
    changed_at_ms: int


async def organised(desk: Desk, units: Units, viewer: Viewer, today: date) -> list[Organised]:
    """The courses that the viewer's unit runs, by title; none for any other role."""
    own = [one for one in await read_courses(desk.db) if _is_own(units, viewer, one, today)]
    async with desk.db.read() as tx:
        names = await names_in(tx)
        x = tx.json_rows(("vendor_id", "int"), ("course_key", "text"))
        keys = [(one.vendor_id, one.course_key) for one in own]
        rows = await tx.rows(STATES_OF.format(x=x), rows=tx.pack(keys)) if keys else []
    states: dict[tuple[int, str], Counter[str]] = {key: Counter() for key in keys}
    for row in rows:
        states[row.vendor_id, row.course_key][row.state] = int(row.n)
    found = [Organised(names[one.vendor_id], one, states[one.vendor_id, one.course_key]) for one in own]
    return sorted(found, key=lambda one: (one.course.title or one.course.course_key, one.vendor))


async def learners(
    desk: Desk,
    units: Units,
    viewer: Viewer,
    today: date,
    vendor: str,
    course_key: str,
    *,
    before: int | None = None,
    size: int = PAGE,
) -> tuple[Organised, list[Learner]]:
    """0..size results of one course with an id below `before`, the newest first.

    Raises: NotFound for a course that is not there or not run by the viewer's unit: both look the same.
    """
    courses = await organised(desk, units, viewer, today)
    one = next((c for c in courses if (c.vendor, c.course.course_key) == (vendor, course_key)), None)
    if one is None:
        raise NotFound("this unit runs no such course")
    async with desk.db.read() as tx:
        rows = await tx.rows(
            LEARNERS,
            course=course_key,
            vendor=one.course.vendor_id,
            before=before or _NEWEST,
            limit=size,
        )
    sent = await open_all(desk, rows)
    return one, [_learner(row, sent.get(row.delivery_id)) for row in rows]


def _is_own(units: Units, viewer: Viewer, course: MappedCourse, today: date) -> bool:
    if viewer.role is not RoleName.ORGANISER or not may(viewer.role, "case.values_sent"):
        return False
    case = CaseUnits(claimed=None, department=None, vendor_id=course.vendor_id, organiser=course.organiser)
    return may_see_case(units, viewer, case, today)


def _learner(row: Any, sent: Completion | None) -> Learner:
    number = sent.claim.identifier if sent else None
    return Learner(
        id=row.delivery_id,
        full_name=sent.claim.full_name if sent else None,
        birth_date=sent.claim.birth_date if sent else None,
        identifier=mask(number) if number else None,
        unit_code=sent.claim.unit_code if sent else None,
        state=row.state,
        reason=fold(row.reason) if row.reason else None,
        received_at_ms=row.received_at_ms,
        changed_at_ms=row.changed_at_ms,
    )
