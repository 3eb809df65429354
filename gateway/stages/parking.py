"""The duty of keeping paused vendors' deliveries out of the lanes that all share (queue/pausing.py).

A replay or a re-check puts rows into those lanes also while their vendor is paused; a resume may break off.
"""

from gateway.queue.pausing import park, unpark
from gateway.storage.engine import Database
from gateway.storage.leases import Lease


class Parking:
    """Looks every two seconds; without a paused vendor that costs a few index probes."""

    name = "parking"
    every_s = 2.0

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run(self, lease: Lease) -> None:
        """Two leaders at once do no harm: each only moves rows to where they belong."""
        await park(self._db)
        await unpark(self._db)
