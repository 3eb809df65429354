"""The leader's duty of publishing how far the change feed of vendors can be read."""

from gateway.model.clock import Clock
from gateway.queue.moves import publish
from gateway.storage.engine import Database
from gateway.storage.leases import Lease

EVERY_S = 0.5


class Publishing:
    """Moves the mark; writes only when something has moved."""

    name = "publishing"

    def __init__(self, db: Database, clock: Clock, *, ttl_ms: int, every_s: float = EVERY_S) -> None:
        self._db = db
        self._clock = clock
        self._ttl_ms = ttl_ms
        self.every_s = every_s

    async def run(self, lease: Lease) -> None:
        """Once. Raises: LeaseLost."""
        await publish(self._db, lease, self._clock.now_ms(), self._ttl_ms)
