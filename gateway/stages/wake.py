"""A change outside -> exactly the deliveries that it concerns are looked at again."""

from functools import partial

from gateway.bdtx.courses import Also, MappedCourse, map_course
from gateway.identity.identifier import read
from gateway.model.clock import Clock
from gateway.model.errors import NotFound
from gateway.model.outcomes import Wait
from gateway.model.reasons import REASONS
from gateway.model.states import State
from gateway.queue.wake import wake
from gateway.security.blind import BlindIndex
from gateway.stages.waiting import wake_keys
from gateway.storage.engine import Database, Tx

WAKE_ROWS = 1000


class Wake:
    """Acts that free held deliveries. One instance per process."""

    def __init__(self, db: Database, clock: Clock, blind: BlindIndex) -> None:
        self._db = db
        self._clock = clock
        self._blind = blind

    async def person_changed(self, identifier: str, *, cause: str = "registry_fix") -> int:
        """Somebody's file changed, or an admin asks again: always answered live. Returns: deliveries woken.

        `identifier` in any form that can be looked up; the zero before ten digits may stand or not.
        """
        values = {key.value for key in read(identifier).keys} or {identifier.strip()}
        keys = [
            wait
            for value in values
            for kind in ("person", "temis")
            for wait in wake_keys(self._blind, kind, value)
        ]
        return await wake(self._db, self._clock, keys, cause=cause, interactive=True)

    async def reason_cured(self, reason: str) -> int:
        """Whatever is held for one reason is looked at again, live. Returns: deliveries woken.

        Raises: NotFound for a code that is none.
        """
        if reason not in REASONS:
            raise NotFound(f"{reason}: no such reason (docs/reasons.md lists them)")
        woken, last = 0, 0
        while ids := await self._db.write(partial(self._wake_page, reason=reason, last=last)):
            woken, last = woken + len(ids), max(ids)
        return woken

    async def _wake_page(self, tx: Tx, *, reason: str, last: int) -> list[int]:
        """Some at a time: a hundred thousand rows in one transaction would stop everybody else."""
        found = await tx.rows(
            f"SELECT id FROM deliveries WHERE state = 'held' AND reason = :reason AND id > :last "
            f"ORDER BY id LIMIT {WAKE_ROWS}",
            reason=reason,
            last=last,
        )
        x = tx.json_rows(("id", "int"))
        await tx.run(
            f"UPDATE deliveries SET due_at_ms = :now, fence = fence + 1 FROM {x} "
            "WHERE deliveries.id = x.id AND deliveries.state = 'held'",
            rows=tx.pack([(row.id,) for row in found]),
            now=self._clock.now_ms(),
        )
        return [row.id for row in found]

    async def map_course(
        self,
        vendor_id: int,
        course_key: str,
        module_code: str,
        *,
        pass_mark_hundredths: int | None = None,
        periods: int | None = None,
        organiser: str | None = None,
        also: Also | None = None,
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
            organiser=organiser,
            also=also,
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
