"""A class list before its course ends -> for each learner whether the result will be credited, or why not.

Asks what verification will ask (the person, live; the course's module; the school year), and stores nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from gateway.bdtx.courses import read_courses
from gateway.bdtx.modules import Module, find
from gateway.bdtx.school_years import resolve
from gateway.model.clock import Clock, local_date
from gateway.model.completion import Claim, Course
from gateway.queue.vendors import Vendor
from gateway.stages.checking import Checked, Checking
from gateway.storage.engine import Database


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What holds every result of the course (`reasons`), and what is known of each learner.

    A learner is None where the sector database has not answered.
    """

    module: Module | None
    school_year: str | None
    reasons: tuple[str, ...]
    learners: Sequence[Checked | None]


class Preflight:
    """Foresees what verification will say. `checking` is None where the sector database is not set."""

    def __init__(self, db: Database, clock: Clock, checking: Checking | None) -> None:
        self._db = db
        self._clock = clock
        self._checking = checking

    async def ask(
        self, vendor: Vendor, course: Course, claims: Sequence[Claim], completed_on: date | None = None
    ) -> Foreseen:
        """Judges as of `completed_on`, or today. Nothing is noted, not even a course never seen before."""
        day = completed_on or local_date(self._clock.now_ms())
        module = await self._module(vendor.id, course)
        year = resolve(course.school_year, day)
        found = (("course.unmapped", module), ("course.school_year_unclear", year))
        reasons = tuple(code for code, value in found if value is None)
        if self._checking is None:
            return Foreseen(module, year, reasons, [None] * len(claims))
        # The status and school of today: what the day of completion will bring nobody knows.
        learners = await self._checking.check(vendor.id, vendor.name, claims)
        return Foreseen(module, year, reasons, learners)

    async def _module(self, vendor_id: int, course: Course) -> Module | None:
        """The module it is mapped to, or the one that its code will map it to by itself."""
        for known in await read_courses(self._db):
            if (known.vendor_id, known.course_key) == (vendor_id, course.course_id):
                return known.module
        return find(course.module_hint) if course.module_hint else None
