"""Which module each course is, as people decide it: what waits, what it may be, the decision and its trace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.bdtx.courses import MappedCourse, read_courses
from gateway.bdtx.mapping import WHY, suggest
from gateway.bdtx.modules import catalogue, find
from gateway.bdtx.unit_store import UnitRegister
from gateway.bdtx.units import Level, Unit
from gateway.model.clock import Clock, local_date
from gateway.model.errors import NotFound
from gateway.model.texts import Lang
from gateway.queue.vendors import Vendors
from gateway.stages.wake import Wake, count_waiting
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx


@dataclass(frozen=True, slots=True)
class Seen:
    """A course and how many results wait for it to be mapped."""

    vendor: str
    course: MappedCourse
    waiting: int


@dataclass(frozen=True, slots=True)
class Likely:
    """A module that a course may be, and why."""

    code: str
    title: str
    why: str


class CourseActs:
    """One instance per process."""

    def __init__(
        self, db: Database, clock: Clock, vendors: Vendors, register: UnitRegister, wake: Wake
    ) -> None:
        self._db = db
        self._clock = clock
        self._vendors = vendors
        self._register = register
        self._wake = wake

    async def seen(self) -> list[Seen]:
        """Every course: unmapped ones first, those that most waits for at the top; then the mapped ones."""
        waiting = await count_waiting(self._db, "course")
        names = await self._names()
        found = [
            Seen(names[course.vendor_id], course, waiting.get(course.wait_key, 0))
            for course in await read_courses(self._db)
        ]
        found.sort(key=lambda one: (one.course.module is not None, -one.waiting, one.vendor))
        return found

    async def one(self, vendor: str, course_key: str) -> Seen:
        """Raises: NotFound."""
        for one in await self.seen():
            if (one.vendor, one.course.course_key) == (vendor, course_key):
                return one
        raise NotFound("this vendor has sent no course with this id")

    async def map(
        self,
        actor: str,
        vendor: str,
        course_key: str,
        module_code: str,
        *,
        pass_mark_hundredths: int | None = None,
        periods: int | None = None,
        organiser: str | None = None,
    ) -> tuple[MappedCourse, int]:
        """The course is this module from now on, and everything that waits for it goes on.

        `organiser`: the code of the unit that runs it; None leaves it, empty takes it away.
        Returns: the course and how many results were woken. Raises: NotFound for an unknown vendor, module,
        course or organiser.
        """
        found = await self._vendors.find(vendor)
        if found is None:
            raise NotFound(f"{vendor}: no such vendor")
        if organiser and organiser not in {unit.code for unit in await self.organisers()}:
            raise NotFound(f"{organiser}: no unit of this code organises courses today")

        async def note(tx: Tx) -> None:
            await append(
                tx,
                self._clock.now_ms(),
                actor,
                "course.map",
                f"{vendor}/{course_key}",
                module=module_code,
                pass_mark_hundredths=pass_mark_hundredths,
                periods=periods,
                organiser=organiser,
            )

        return await self._wake.map_course(
            found.id,
            course_key,
            module_code,
            pass_mark_hundredths=pass_mark_hundredths,
            periods=periods,
            organiser=organiser,
            also=note,
        )

    async def organisers(self) -> list[Unit]:
        """Units that may run courses today, by name."""
        units, today = await self._register.current(), local_date(self._clock.now_ms())
        found = (units.unit_at(code, today) for code in units.codes())
        return sorted((u for u in found if u and u.level is Level.ORGANISER), key=lambda unit: unit.name)

    async def _names(self) -> Mapping[int, str]:
        return {vendor.id: vendor.name for vendor in await self._vendors.all()}


def likely(course: MappedCourse, others: Sequence[Seen], lang: Lang) -> list[Likely]:
    """Modules that an unmapped course may be: by its code and title, or by a mapped course of the same code."""
    found = {
        one.module_code: Likely(one.module_code, _title(one.module_code), WHY[one.why][lang == "en"])
        for one in suggest(course.course_code, course.title, catalogue().all())
    }
    for other in others:
        module = other.course.module
        is_same = course.course_code is not None and other.course.course_code == course.course_code
        if module is not None and is_same:
            why = WHY["same_code"][lang == "en"]
            found.setdefault(module.code, Likely(module.code, module.title, why))
    return list(found.values())


def _title(module_code: str) -> str:
    module = find(module_code)
    return module.title if module else ""
