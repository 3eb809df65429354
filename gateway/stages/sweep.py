"""The duty of tidying the queue: what a wrong clock put far ahead is pulled in, old wakes are pruned."""

import structlog

from gateway.model.clock import DAY_MS, Clock
from gateway.queue.sweep import sweep
from gateway.queue.wake import prune_wakes
from gateway.storage.engine import Database
from gateway.storage.leases import Lease

log = structlog.get_logger(__name__)

KEEP_WAKES_MS = DAY_MS  # judgements take seconds, in an outage minutes


class Sweep:
    """Looks once a minute; a look costs one index probe for each state and lane."""

    name = "sweep"
    every_s = 60.0

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def run(self, lease: Lease) -> None:
        """Two leaders at once do no harm: each makes rows due and deletes what is old."""
        if pulled_in := await sweep(self._db, self._clock):
            log.warning("sweep.pulled_in", deliveries=pulled_in)
        if pruned := await prune_wakes(self._db, self._clock, KEEP_WAKES_MS):
            log.info("sweep.wakes_pruned", wakes=pruned)
