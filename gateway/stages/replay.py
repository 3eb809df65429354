"""A replay as a job: canary, then page after page at its own rate, until done, paused, stopped or cancelled.

Each page is set going in the transaction of the job's step, so whoever is killed when, a delivery is set going
once. Live traffic stands in other lanes, and no more waits in the replay lane than a worker takes at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from gateway.model.clock import Clock
from gateway.queue import replays
from gateway.queue.job import Job, JobState
from gateway.queue.jobs import Jobs
from gateway.queue.lanes import REPLAY
from gateway.queue.selection import Part, Selection, page, parts
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx

log = structlog.get_logger(__name__)

PAGE = 100  # live commits wait for one page at most: some 10 ms
_PAGES_PER_S = 10  # a slow replay goes in small steps, not in one push a second
IN_FLIGHT = 2_000  # of the replay lane; more are set going when these are done
WATCHED = 1_000  # the latest of a run, by which it is stopped
PAUSED_MS = 2_000  # how soon a paused replay is looked at again
DEFAULT_RATE_PER_S = 200.0
DEFAULT_CANARY = 20
DEFAULT_STOP_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Options:
    """How a replay runs. `canary` 0: none. `stop_percent`: stopped when more than this share fails again."""

    verify_again: bool = False
    canary: int = DEFAULT_CANARY
    stop_percent: int = DEFAULT_STOP_PERCENT
    rate_per_s: float = DEFAULT_RATE_PER_S


class Replaying:
    """Begins replays and does them. One instance per process."""

    kind = replays.KIND

    def __init__(
        self,
        db: Database,
        clock: Clock,
        jobs: Jobs,
        *,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`rest` waits for so many seconds."""
        self._db = db
        self._clock = clock
        self._jobs = jobs
        self._rest = rest

    async def begin(self, wanted: Selection, options: Options, by: str) -> Job:
        """Makes the job, for what is there now; what fails later is not part of it. Audited."""
        async with self._db.read() as tx:
            [row] = await tx.rows("SELECT COALESCE(MAX(id), 0) AS id FROM deliveries")
        fixed = Selection.from_dict(wanted.as_dict() | {"until_id": row.id})
        total = sum(part.n for part in await parts(self._db, fixed))
        params = {
            "selection": fixed.as_dict(),
            "verify_again": options.verify_again,
            "canary": options.canary,
            "stop_percent": options.stop_percent,
            "rate_per_s": options.rate_per_s,
        }
        told = {name: value for name, value in fixed.as_dict().items() if name != "ids"}

        async def audited(tx: Tx) -> None:
            await append(
                tx, self._clock.now_ms(), by, "replay.begin", "deliveries", total=total, selection=told
            )

        return await self._jobs.add(self.kind, by, params=params, total=total, also=audited)

    async def run(self, job: Job) -> None:
        """Goes on from where the job is. Raises: LeaseLost when it was cancelled."""
        wanted = Selection.from_dict(job.params["selection"])
        walk = await self._walk(job, wanted)
        while True:
            if await replays.paused_by(self._db, job.id) is not None:
                await self._jobs.put_back(job, "paused", delay_ms=PAUSED_MS)
                return
            if not await self._may_go_on(job):
                return
            room = IN_FLIGHT - await replays.waiting_in_lane(self._db, REPLAY, IN_FLIGHT)
            ids, walk = await self._next(job, wanted, walk, min(room, self._page(job)))
            if room > 0 and not ids and not walk:
                await self._finish(job)
                return
            if ids:
                job = await self._step(job, ids, walk)
                await self._rest(len(ids) / float(job.params["rate_per_s"]))
            else:
                await self._rest(1.0)

    async def _walk(self, job: Job, wanted: Selection) -> list[list[Any]]:
        """What is still to be walked: [state, reason, cause, after] each; it is kept with every step."""
        if "walk" in job.summary:
            return [list(one) for one in job.summary["walk"]]
        return [[part.state, part.reason, part.cause_id, 0] for part in await parts(self._db, wanted)]

    def _page(self, job: Job) -> int:
        canary = int(job.params["canary"])
        going = int(job.summary.get("set_going", 0))
        if going < canary:
            return canary - going
        return max(1, min(PAGE, int(float(job.params["rate_per_s"]) / _PAGES_PER_S)))

    async def _next(
        self, job: Job, wanted: Selection, walk: list[list[Any]], limit: int
    ) -> tuple[list[int], list[list[Any]]]:
        """The next ids, and what is to be walked behind them."""
        while walk and limit > 0:
            state, reason, cause_id, after = walk[0]
            ids = await page(self._db, wanted, Part(state, reason, cause_id, 0), after=after, limit=limit)
            if ids:
                return ids, [[state, reason, cause_id, ids[-1]], *walk[1:]]
            walk = walk[1:]
        return [], walk

    async def _step(self, job: Job, ids: list[int], walk: list[list[Any]]) -> Job:
        going = int(job.summary.get("set_going", 0))
        # Numbered by what was walked: a number may be left out, and none is used twice.
        also = partial(
            replays.set_going,
            job=job,
            ids=ids,
            n=job.done,
            now=self._clock.now_ms(),
            verify_again=bool(job.params["verify_again"]),
        )
        summary = {**job.summary, "walk": walk, "set_going": going + len(ids), "phase": "running"}
        if going + len(ids) <= int(job.params["canary"]):
            summary["phase"] = "canary"
        return await self._jobs.step(job, job.done + len(ids), summary=summary, also=also)

    async def _may_go_on(self, job: Job) -> bool:
        """Waits for the canary; stops the job when too many fail again. Returns: False when it is over."""
        canary, most = int(job.params["canary"]), int(job.params["stop_percent"])
        is_canary = 0 < canary <= int(job.summary.get("set_going", 0)) and job.summary.get("phase") == "canary"
        while True:
            after = 0 if is_canary else max(0, job.done - WATCHED)
            seen = await replays.fared(self._db, job.id, after=after)
            enough = seen.settled >= max(1, min(canary or WATCHED // 10, 100))
            if (enough or (is_canary and not seen.pending)) and seen.failed_percent > most:
                await self._stop(job, seen)
                return False
            if not is_canary or not seen.pending:
                return True
            if await replays.paused_by(self._db, job.id) is not None:
                return True  # the caller puts it back
            if not await self._jobs.renew(job, 60_000):
                return True  # cancelled: the next step says so
            await self._rest(1.0)

    async def _stop(self, job: Job, seen: replays.Fared) -> None:
        log.warning("replay.stopped", job=job.id, failed=seen.failed, settled=seen.settled)
        summary = _report(job, seen) | {"phase": "stopped"}
        job = await self._jobs.step(job, job.done, summary=summary)
        await self._jobs.finish(job, JobState.FAILED, "replay.too_many_failed")

    async def _finish(self, job: Job) -> None:
        seen = await replays.fared(self._db, job.id)
        job = await self._jobs.step(job, job.done, summary=_report(job, seen) | {"phase": "done"})
        await self._jobs.finish(job)
        log.info("replay.done", job=job.id, set_going=job.summary.get("set_going", 0))


def _report(job: Job, seen: replays.Fared) -> dict[str, Any]:
    """What stays of a replay when it is over; how each delivery stands now is read anew (replays.fared)."""
    told = {name: value for name, value in job.summary.items() if name != "walk"}
    return told | {
        "delivered": seen.delivered,
        "failed": seen.failed,
        "voided": seen.voided,
        "pending": seen.pending,
    }
