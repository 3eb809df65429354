"""The worker loop: goes round the stages and lanes while anything is due, and rests otherwise.

A stage's step claims, works and records; the loop decides only when. Whatever a step raises is logged and
the loop goes on: rows it had claimed become due again when their lease ends.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from gateway.model.clock import Clock
from gateway.model.states import State
from gateway.queue.claim import due_by_state
from gateway.queue.lanes import FIXED, Rota
from gateway.storage.engine import Database

log = structlog.get_logger(__name__)

WATCH_S = 0.02  # how soon a commit of another process is noticed
REST_S = 0.25  # how long an idle loop rests when nobody rings; also the poll on PostgreSQL
_AFTER_ERROR_S = 1.0


class Stage(Protocol):
    """One arrow of the pipeline."""

    name: str
    states: tuple[State, ...]

    def wait_s(self) -> float:
        """Seconds until a step makes sense: 0 now, more while the destination is known to be down."""
        ...

    async def step(self, state: State, lane: int) -> int:
        """Claims and works through one batch. Returns: how many deliveries were claimed."""
        ...


class Companion(Protocol):
    """Something that runs beside the stages, from the start of the worker to its end."""

    async def run(self) -> None: ...

    def stop(self) -> None: ...


class Bell:
    """Wakes one resting loop of a stage at each ring; who finds work rings for the next."""

    def __init__(self) -> None:
        self._resting: deque[asyncio.Future[None]] = deque()
        self._rung = False

    def ring(self) -> None:
        while self._resting:
            waiter = self._resting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._rung = True

    def ring_all(self) -> None:
        """Wakes every loop that rests now, and the next one that wants to."""
        for _ in range(len(self._resting) + 1):
            self.ring()

    async def wait(self, timeout_s: float) -> None:
        """Returns when rung or after `timeout_s`; a ring while nobody rested counts for the first who does."""
        if self._rung:
            self._rung = False
            return
        waiter = asyncio.get_running_loop().create_future()
        self._resting.append(waiter)
        try:
            await asyncio.wait_for(waiter, timeout_s)
        except TimeoutError:
            if waiter in self._resting:
                self._resting.remove(waiter)


class Worker:
    """Runs stages until told to stop; each stage in `concurrency` loops of its own."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        lanes: Callable[[], Awaitable[Sequence[int]]],
        stages: Sequence[tuple[Stage, int]],
        companions: Sequence[Companion] = (),
        *,
        rest_s: float = REST_S,
    ) -> None:
        self._db = db
        self._clock = clock
        self._lanes = lanes
        self._bells = [Bell() for _ in stages]
        self._stages = [(stage, bell, n) for (stage, n), bell in zip(stages, self._bells, strict=True)]
        self._companions = companions
        self._rest_s = rest_s
        self._stopping = False

    def ring(self) -> None:
        """Something may be due."""
        for bell in self._bells:
            bell.ring()

    async def run(self) -> None:
        """Works until `stop`, then returns when the batches in hand are recorded.

        Raises: whatever a loop or a companion died of, after the others were stopped and have finished.
        """
        watch = asyncio.create_task(self._watch())
        loops = [self._loop(stage, bell) for stage, bell, n in self._stages for _ in range(n)]
        running = [asyncio.create_task(one) for one in (*loops, *(c.run() for c in self._companions))]
        try:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
            for error in filter(None, (one.exception() for one in done)):
                log.error("worker.died", exc_info=error)
                self.stop()
            await asyncio.wait(running)
            for one in running:
                one.result()
        finally:
            for task in (watch, *running):
                task.cancel()
            await asyncio.gather(watch, *running, return_exceptions=True)

    def stop(self) -> None:
        """Claims no more; batches in hand are finished."""
        self._stopping = True
        for companion in self._companions:
            companion.stop()
        for bell in self._bells:
            bell.ring_all()

    async def _watch(self) -> None:
        """Rings when anybody commits to the same SQLite file, this process included."""
        seen = self._db.data_version()
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                version = self._db.data_version()
            except Exception as error:  # loops look by themselves too, only less often
                log.warning("watch.failed", error=type(error).__name__)
                await asyncio.sleep(_AFTER_ERROR_S)
                continue
            if version != seen:
                seen = version
                self.ring()

    async def _loop(self, stage: Stage, bell: Bell) -> None:
        rota = Rota()
        while not self._stopping:
            wait_s = stage.wait_s()
            if wait_s > 0:
                await bell.wait(min(wait_s, 1.0))
                if stage.wait_s() > 0:
                    await asyncio.sleep(min(stage.wait_s(), WATCH_S))
                continue
            try:
                worked = await self._round(stage, rota, bell)
            except Exception as error:
                log.exception("stage.failed", stage=stage.name, error=type(error).__name__)
                await asyncio.sleep(_AFTER_ERROR_S)
                continue
            if not worked:
                await bell.wait(self._rest_s)

    async def _round(self, stage: Stage, rota: Rota, bell: Bell) -> int:
        lanes = [*FIXED, *await self._lanes()]
        worked = 0
        found = await due_by_state(self._db, self._clock, stage.states, lanes)
        if any(found.values()):
            bell.ring()  # there may be enough for two
        for state, due in found.items():
            for lane in rota.order(due):
                if self._stopping or stage.wait_s() > 0:
                    return worked
                worked += await stage.step(state, lane)
        return worked
