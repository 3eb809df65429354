"""The worker loop: goes round the stages and lanes while anything is due, and rests otherwise.

A stage's step claims, works and records; the loop decides only when. Whatever a step raises is logged and
the loop goes on: rows it had claimed become due again when their lease ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from gateway.model.clock import Clock
from gateway.model.states import State
from gateway.queue.claim import due_lanes
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
    """Wakes resting loops. `ring` may be called any number of times by anybody in the process."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, timeout_s: float) -> None:
        """Returns when rung or after `timeout_s`; a ring before the call counts."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_s)
        except TimeoutError:
            return
        self._event.clear()


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
        self._bells = [Bell() for _, concurrency in stages for _ in range(concurrency)]
        self._stages = [stage for stage, concurrency in stages for _ in range(concurrency)]
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
        loops = [self._loop(stage, bell) for stage, bell in zip(self._stages, self._bells, strict=True)]
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
        self.ring()

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
                worked = await self._round(stage, rota)
            except Exception as error:
                log.exception("stage.failed", stage=stage.name, error=type(error).__name__)
                await asyncio.sleep(_AFTER_ERROR_S)
                continue
            if not worked:
                await bell.wait(self._rest_s)

    async def _round(self, stage: Stage, rota: Rota) -> int:
        lanes = [*FIXED, *await self._lanes()]
        worked = 0
        for state in stage.states:
            for lane in rota.order(await due_lanes(self._db, self._clock, state, lanes)):
                if self._stopping or stage.wait_s() > 0:
                    return worked
                worked += await stage.step(state, lane)
        return worked
