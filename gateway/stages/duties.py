"""What one process of all does now and then: leadership is a lease, and each duty runs in a loop of its own.

A duty that writes does so under the lease (`storage.leases.hold_in`), so a leader that was away too long
changes nothing. Whatever a duty raises is logged, and it is tried again at its next turn.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from gateway.model.clock import Clock
from gateway.model.errors import LeaseLost
from gateway.storage.engine import Database
from gateway.storage.leases import Lease, acquire, release, renew

log = structlog.get_logger(__name__)

LEADER = "leader"
TTL_MS = 30_000


class Duty(Protocol):
    """One thing to do every `every_s` seconds while this process leads."""

    name: str
    every_s: float

    async def run(self, lease: Lease) -> None:
        """Does it once. Raises: LeaseLost when another process leads by now."""
        ...


class Duties:
    """Runs duties while this process leads. One instance per process; a worker's companion."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        holder: str,
        duties: Sequence[Duty],
        *,
        ttl_ms: int = TTL_MS,
        when_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._holder = holder  # names the process: host, process id and something random
        self._duties = duties
        self._ttl_ms = ttl_ms
        self._when_lost = when_lost  # what only the leader shows is shown no longer
        self._lease: Lease | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Leads whenever nobody else does, until `stop`; then gives the lease back."""
        if not self._duties:
            return
        tasks = [asyncio.create_task(self._lead()), *(asyncio.create_task(self._loop(d)) for d in self._duties)]
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._lease is not None:
            await release(self._db, self._lease)

    def stop(self) -> None:
        self._stopping.set()

    async def _lead(self) -> None:
        while True:
            try:
                if self._lease is not None and not await renew(
                    self._db, self._clock, self._lease, self._ttl_ms
                ):
                    self._lost()
                if self._lease is None:
                    self._lease = await acquire(self._db, self._clock, LEADER, self._holder, self._ttl_ms)
                    if self._lease is not None:
                        log.info("leader.elected", fence=self._lease.fence)
            except Exception as error:
                log.warning("leader.unsure", error=type(error).__name__)
            await asyncio.sleep(self._ttl_ms / 3000)

    async def _loop(self, duty: Duty) -> None:
        while True:
            lease = self._lease
            if lease is None:
                await asyncio.sleep(min(duty.every_s, 0.25))
                continue
            try:
                await duty.run(lease)
            except LeaseLost:
                if self._lease is lease:
                    self._lost()
            except Exception:
                log.exception("duty.failed", duty=duty.name)
            await asyncio.sleep(duty.every_s)

    def _lost(self) -> None:
        log.warning("leader.lost")
        self._lease = None
        self._when_lost()
