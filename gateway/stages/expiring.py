"""The leader's duty of warning of sources that end: thirty days ahead, then a week, then the day before."""

import structlog

from gateway.model.clock import DAY_MS, HOUR_MS, Clock, day_number
from gateway.queue.alerts import Alert, Severity, raise_in
from gateway.storage.cursors import keep_cursor, read_cursor
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

log = structlog.get_logger(__name__)

STEPS_D = (30, 7, 1)
NAME = "sources.warned"

ENDING = """
SELECT name, valid_to FROM vendors WHERE valid_to >= :today AND valid_to <= :latest ORDER BY valid_to, name"""


class Expiring:
    """Looks once an hour; each step of each end is told once."""

    name = "expiring"
    every_s = HOUR_MS / 1000

    def __init__(self, db: Database, clock: Clock, *, ttl_ms: int) -> None:
        self._db = db
        self._clock = clock
        self._ttl_ms = ttl_ms

    async def run(self, lease: Lease) -> None:
        """Once. Raises: LeaseLost."""
        told = await self._db.write(lambda tx: self._warn(tx, lease))
        for alert in told:
            log.warning("source.ending", source=alert.object, **alert.detail)

    async def _warn(self, tx: Tx, lease: Lease) -> list[Alert]:
        now = self._clock.now_ms()
        await hold_in(tx, lease, now, self._ttl_ms)
        alerts = []
        latest = day_number(now + STEPS_D[0] * DAY_MS)
        for row in await tx.rows(ENDING, today=day_number(now), latest=latest):
            step = min(step for step in STEPS_D if row.valid_to <= day_number(now + step * DAY_MS))
            key, value = f"{NAME}:{row.name}", f"{row.valid_to}:{step}"
            known = await read_cursor(tx, key)
            if known and known.value == value:
                continue
            await keep_cursor(tx, key, value, now)
            severity = Severity.WARNING if step > 1 else Severity.CRITICAL
            detail = {"last_day": row.valid_to, "within_days": step}
            alerts.append(Alert("source.ending", severity, f"vendor:{row.name}", detail))
        await raise_in(tx, now, alerts)
        return alerts
