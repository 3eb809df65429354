"""The duty of counting what waits: numbers for metrics, and one small row for who asks how things stand.

Counted from the index of due rows alone, so it costs what the backlog is long, not what the table is.
"""

import time

import orjson

from gateway.model.clock import SECOND_MS, Clock
from gateway.observe.metrics import Metrics
from gateway.queue.balance import balance
from gateway.storage.cursors import keep_cursor
from gateway.storage.engine import Database
from gateway.storage.leases import Lease

ROW = "backlog"
STATES = ("accepted", "held", "verified")
BALANCE_EVERY_S = 600.0
_REST = 100  # the balance is drawn at most this part of the time

# MIN(id) from the index: ids rise with the time of receipt, so its row is the oldest, give or take a commit.
COUNT = """
SELECT state, COUNT(*) AS n, MIN(id) AS oldest FROM deliveries
WHERE state = '{state}' AND due_at_ms IS NOT NULL GROUP BY state"""
DEAD = "SELECT COUNT(*) AS n, MIN(id) AS oldest FROM deliveries WHERE state = 'dead'"
UNKNOWN = """
SELECT COUNT(*) AS n FROM (
    SELECT unknown_since_ms AS since FROM deliveries
    WHERE state = 'verified' AND due_at_ms IS NOT NULL LIMIT 100000) AS part
WHERE since IS NOT NULL"""


class Backlog:
    """Counts every ten seconds. One instance per process."""

    name = "backlog"
    every_s = 10.0

    def __init__(self, db: Database, clock: Clock, metrics: Metrics) -> None:
        self._db = db
        self._clock = clock
        self._metrics = metrics
        self._balance_at = 0.0
        self._kept: bytes = b""

    async def run(self, lease: Lease) -> None:
        """Counts once. Two leaders at once do no harm: each writes what it counted."""
        waiting = await self._count()
        told = orjson.dumps(waiting)
        if told != self._kept:
            now = self._clock.now_ms()
            value = told.decode()
            await self._db.write(lambda tx: keep_cursor(tx, ROW, value, now))
            self._kept = told
        now = self._clock.now_ms()
        for state, (n, oldest_ms) in waiting.items():
            self._metrics.deliveries.labels(state).set(n)
            age_s = (now - oldest_ms) / SECOND_MS if oldest_ms is not None else 0
            self._metrics.oldest_age.labels(state).set(max(0.0, age_s))
        if time.monotonic() >= self._balance_at:
            await self._draw_balance()

    async def _count(self) -> dict[str, tuple[int, int | None]]:
        """State -> deliveries, and when the oldest was received (None: there is none)."""
        found: dict[str, tuple[int, int | None]] = {}
        async with self._db.read() as tx:
            for state in (*STATES, "dead"):
                rows = await tx.rows(DEAD if state == "dead" else COUNT.format(state=state))
                n, oldest = (rows[0].n, rows[0].oldest) if rows else (0, None)
                received = await tx.rows("SELECT received_at_ms FROM deliveries WHERE id = :id", id=oldest or 0)
                found[state] = (int(n), received[0].received_at_ms if received else None)
            [unknown] = await tx.rows(UNKNOWN)
        self._metrics.unknown.labels("temis").set(unknown.n)
        return found

    async def _draw_balance(self) -> None:
        began = time.monotonic()
        for vendor, sheet in (await balance(self._db)).by_vendor.items():
            self._metrics.balance_gap.labels(vendor).set(sheet.difference)
        took = time.monotonic() - began
        self._balance_at = time.monotonic() + max(BALANCE_EVERY_S, _REST * took)
