"""A change outside -> exactly the deliveries that it concerns are looked at again."""

from gateway.bdtx.courses import MappedCourse, map_course
from gateway.model.clock import Clock
from gateway.model.outcomes import Wait
from gateway.model.states import State
from gateway.queue.wake import wake
from gateway.security.blind import BlindIndex
from gateway.stages.waiting import wake_keys
from gateway.storage.engine import Database


class Wake:
    """Acts that free held deliveries. One instance per process."""

    def __init__(self, db: Database, clock: Clock, blind: BlindIndex) -> None:
        self._db = db
        self._clock = clock
        self._blind = blind

    async def person_changed(self, identifier: str, *, cause: str = "registry_fix") -> int:
        """Somebody's file changed, or an admin asks again: always answered live. Returns: deliveries woken."""
        keys = [
            *wake_keys(self._blind, "person", identifier),
            *wake_keys(self._blind, "temis", identifier),
        ]
        return await wake(self._db, self._clock, keys, cause=cause, interactive=True)

    async def map_course(
        self,
        vendor_id: int,
        course_key: str,
        module_code: str,
        *,
        pass_mark_hundredths: int | None = None,
        periods: int | None = None,
    ) -> tuple[MappedCourse, int]:
        """Maps a course and frees all that waits for it. Returns: the course and how many were woken.

        Raises: NotFound for an unknown module or course.
        """
        course = await map_course(
            self._db,
            self._clock,
            vendor_id,
            course_key,
            module_code,
            pass_mark_hundredths=pass_mark_hundredths,
            periods=periods,
        )
        woken = await wake(self._db, self._clock, [Wait("course", course.wait_key)], cause="mapping")
        return course, woken


async def count_waiting(db: Database, kind: str) -> dict[str, int]:
    """How many held deliveries wait for each key of one kind: {"1:course-7": 512}."""
    async with db.read() as tx:
        rows = await tx.rows(
            "SELECT w.key, COUNT(*) AS n FROM waits w JOIN deliveries d ON d.id = w.delivery_id "
            "WHERE w.kind = :kind AND d.state = :held GROUP BY w.key",
            kind=kind,
            held=State.HELD.value,
        )
    return {row.key: int(row.n) for row in rows}
