"""Which module a vendor's course is. A row per course seen; an unmapped one holds its results.

A course whose code is written like a known module (`GVPT 03`, `gvpt-3`) maps to it by itself; every other
one waits for a person to map it once.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.bdtx.modules import Module, find
from gateway.model.clock import Clock
from gateway.model.completion import Course
from gateway.model.errors import NotFound
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

READ = """
SELECT c.id, c.vendor_id, c.course_key, c.course_code, c.title, c.module_code, c.pass_mark_hundredths,
       c.periods, c.organiser_code
FROM courses c ORDER BY c.id"""
NOTE = """
INSERT INTO courses (vendor_id, course_key, course_code, title, module_code, mapped_at_ms)
SELECT x.vendor_id, x.course_key, x.course_code, x.title, x.module_code,
       CASE WHEN x.module_code IS NOT NULL THEN CAST(:now AS bigint) END
FROM {x} WHERE true ON CONFLICT DO NOTHING"""
MAP = """
UPDATE courses SET module_code = :module_code, pass_mark_hundredths = CAST(:pass_mark AS integer),
       periods = CAST(:periods AS integer),
       mapped_at_ms = :now, organiser_code = COALESCE(CAST(:organiser AS text), organiser_code)
WHERE vendor_id = :vendor_id AND course_key = :course_key"""
_REREAD_MS = 1_000

Also = Callable[[Tx], Awaitable[None]]


CourseKey = tuple[int, str]  # vendor id, the vendor's course id


@dataclass(frozen=True, slots=True)
class MappedCourse:
    """One course of one vendor; `module` is None until somebody maps it."""

    vendor_id: int
    course_key: str
    course_code: str | None
    title: str | None
    module: Module | None
    pass_mark_hundredths: int | None
    periods: int | None
    organiser: str | None = None  # the unit that runs it

    @property
    def wait_key(self) -> str:
        """The key under which holds wait for this course to be mapped."""
        return f"{self.vendor_id}:{self.course_key}"


class Courses:
    """The mapping as this process knows it; read again every second while asked for."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._read_at_ms = 0
        self._read_as_of_wake: int | None = None
        self._known: dict[CourseKey, MappedCourse] = {}

    async def resolve(
        self, seen: Iterable[tuple[int, Course]], *, as_of_wake: int | None = None
    ) -> Mapping[CourseKey, MappedCourse]:
        """The mapping of every course in `seen`; a course never seen before is noted.

        `as_of_wake`: the newest wake that the caller knows. A mapping is followed by a wake, so what was read
        before a newer one is read again: else a hold could be written for a course that is mapped already.
        """
        is_old = self._clock.now_ms() - self._read_at_ms >= _REREAD_MS
        if is_old or (as_of_wake is not None and as_of_wake != self._read_as_of_wake):
            await self._read()
            self._read_as_of_wake = as_of_wake
        new = {(vendor_id, course.course_id): course for vendor_id, course in seen}
        new = {key: course for key, course in new.items() if key not in self._known}
        if new:
            await self._note(new)
            await self._read()
        return self._known

    async def _read(self) -> None:
        self._known = {(c.vendor_id, c.course_key): c for c in await read_courses(self._db)}
        self._read_at_ms = self._clock.now_ms()

    async def _note(self, new: Mapping[CourseKey, Course]) -> None:
        rows: list[Sequence[Cell]] = []
        for (vendor_id, key), course in sorted(new.items(), key=lambda item: item[0]):
            module = find(course.module_hint) if course.module_hint else None
            code = module.code if module else None
            rows.append((vendor_id, key, course.course_code, course.title, code))

        async def in_tx(tx: Tx) -> None:
            x = tx.json_rows(
                ("vendor_id", "int"),
                ("course_key", "text"),
                ("course_code", "text"),
                ("title", "text"),
                ("module_code", "text"),
            )
            await tx.run(NOTE.format(x=x), rows=tx.pack(rows), now=self._clock.now_ms())

        await self._db.write(in_tx)


async def read_courses(db: Database) -> list[MappedCourse]:
    """Every course seen, oldest first."""
    async with db.read() as tx:
        rows = await tx.rows(READ)
    return [
        MappedCourse(
            row.vendor_id,
            row.course_key,
            row.course_code,
            row.title,
            find(row.module_code) if row.module_code else None,
            row.pass_mark_hundredths,
            row.periods,
            row.organiser_code or None,
        )
        for row in rows
    ]


async def map_course(
    db: Database,
    clock: Clock,
    vendor_id: int,
    course_key: str,
    module_code: str,
    *,
    pass_mark_hundredths: int | None = None,
    periods: int | None = None,
    organiser: str | None = None,
    also: Also | None = None,
) -> MappedCourse:
    """Says which module a course is. The caller wakes what waits for it (stages/wake.py).

    `organiser` None leaves the one there is, an empty text takes it away. `also` runs in the same transaction.

    Raises: NotFound when the module is not in the catalogue or the vendor never sent this course.
    """
    module = find(module_code)
    if module is None:
        raise NotFound(f"there is no module {module_code} in the catalogue; see `gateway courses modules`")

    async def in_tx(tx: Tx) -> bool:
        changed = await tx.run(
            MAP,
            module_code=module.code,
            pass_mark=pass_mark_hundredths,
            periods=periods,
            organiser=organiser,
            now=clock.now_ms(),
            vendor_id=vendor_id,
            course_key=course_key,
        )
        if changed and also is not None:
            await also(tx)
        return bool(changed)

    if not await db.write(in_tx):
        raise NotFound("this vendor has sent no course with this id")
    return next(c for c in await read_courses(db) if (c.vendor_id, c.course_key) == (vendor_id, course_key))
