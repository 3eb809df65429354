"""The duty of deleting files that people uploaded, and what was made of them, once they are old enough."""

from gateway.model.clock import DAY_MS, HOUR_MS, Clock
from gateway.queue.jobs import Jobs
from gateway.storage.leases import Lease


class Tidy:
    """Looks once an hour; the rows of the jobs stay, without their files."""

    name = "tidy"
    every_s = HOUR_MS / 1000

    def __init__(self, jobs: Jobs, clock: Clock, *, keep_days: int) -> None:
        self._jobs = jobs
        self._clock = clock
        self._keep_ms = keep_days * DAY_MS

    async def run(self, lease: Lease) -> None:
        """Deletes all that is due, a few jobs a transaction."""
        while await self._jobs.clear(self._clock.now_ms() - self._keep_ms):
            pass
