"""Runs jobs beside the stages: claims one of each kind at a time, keeps its lease, puts back what must wait."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from gateway.model.clock import MINUTE_MS, SECOND_MS
from gateway.model.errors import GatewayError, LeaseLost
from gateway.queue.job import Job
from gateway.queue.jobs import Jobs

log = structlog.get_logger(__name__)

LEASE_MS = MINUTE_MS
LOOK_S = 1.0  # how often an idle kind looks for a job
_LATER_MS = 30 * SECOND_MS  # when an outside system is away, or something broke


class JobWork(Protocol):
    """What one kind of job does."""

    kind: str

    async def run(self, job: Job) -> None:
        """Goes on from `job.done` by `Jobs.step`, and ends it by `Jobs.finish`.

        Raises: LeaseLost when it was cancelled; a retryable GatewayError to be called again later.
        """
        ...


class JobWorker:
    """A companion of the worker loop (queue/worker.py)."""

    def __init__(
        self, jobs: Jobs, works: Sequence[JobWork], *, lease_ms: int = LEASE_MS, look_s: float = LOOK_S
    ) -> None:
        self._jobs = jobs
        self._works = works
        self._lease_ms = lease_ms
        self._look_s = look_s
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Works until `stop`; a job in hand is put back, to go on elsewhere or after the next start."""
        loops = [asyncio.create_task(self._loop(work)) for work in self._works]
        await self._stopping.wait()
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    def stop(self) -> None:
        self._stopping.set()

    async def once(self, work: JobWork) -> bool:
        """Claims a job of this kind and works on it. Returns: whether one was due."""
        job = await self._jobs.claim(work.kind, self._lease_ms)
        if job is None:
            return False
        working = asyncio.create_task(work.run(job))
        keeping = asyncio.create_task(self._keep(job, working))
        try:
            await working
        except (asyncio.CancelledError, LeaseLost):
            me = asyncio.current_task()
            if me is not None and me.cancelling():
                await self._jobs.put_back(job, None)
                raise
            log.info("job.taken_away", job=job.id, kind=job.kind)
        except Exception as error:
            code = error.code if isinstance(error, GatewayError) else "internal.error"
            is_outside = isinstance(error, GatewayError) and error.retryable
            if not is_outside:
                log.exception("job.failed", job=job.id, kind=job.kind, error=type(error).__name__)
            await self._jobs.put_back(job, code, delay_ms=_LATER_MS, own_fault=not is_outside)
        finally:
            working.cancel()
            keeping.cancel()
            await asyncio.gather(working, keeping, return_exceptions=True)
        return True

    async def _loop(self, work: JobWork) -> None:
        while True:
            try:
                if await self.once(work):
                    continue
            except Exception as error:
                log.warning("jobs.failed", kind=work.kind, error=type(error).__name__)
            await asyncio.sleep(self._look_s)

    async def _keep(self, job: Job, working: "asyncio.Task[None]") -> None:
        """Renews the lease; when it is lost, what is being done here is stopped."""
        while True:
            await asyncio.sleep(self._lease_ms / 3_000)
            try:
                if not await self._jobs.renew(job, self._lease_ms):
                    working.cancel()
                    return
            except Exception as error:  # the next one may succeed, or the lease ends: both are safe
                log.warning("job.not_renewed", error=type(error).__name__)
