"""The duty of pulling in what a wrong clock put far into the future (queue/sweep.py)."""

import structlog

from gateway.model.clock import Clock
from gateway.queue.sweep import sweep
from gateway.storage.engine import Database
from gateway.storage.leases import Lease

log = structlog.get_logger(__name__)


class Sweep:
    """Looks once a minute; a look costs one index probe for each state and lane."""

    name = "sweep"
    every_s = 60.0

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def run(self, lease: Lease) -> None:
        """Two leaders at once do no harm: each only makes rows due."""
        if pulled_in := await sweep(self._db, self._clock):
            log.warning("sweep.pulled_in", deliveries=pulled_in)
