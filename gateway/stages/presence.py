"""That this process serves: told to the others, so that each takes its share of a source's limit.

Also keeps when each signing secret was last used, written at most once a minute.
"""

import asyncio

import structlog

from gateway.model.clock import MINUTE_MS, SECOND_MS, Clock
from gateway.queue.quota import Quota
from gateway.storage.engine import Database, Tx

log = structlog.get_logger(__name__)

EVERY_S = 5.0
ALIVE_MS = 20 * SECOND_MS

BEAT = """
INSERT INTO servers (holder, seen_at_ms) VALUES (:holder, :now)
ON CONFLICT (holder) DO UPDATE SET seen_at_ms = excluded.seen_at_ms"""
FORGET = "DELETE FROM servers WHERE holder = :holder OR seen_at_ms < :dead"
ALIVE = "SELECT COUNT(*) AS n FROM servers WHERE seen_at_ms >= :since"
USED = """
UPDATE vendor_secrets SET last_used_at_ms = x.at_ms FROM {x}
WHERE vendor_secrets.id = x.id AND (last_used_at_ms IS NULL OR last_used_at_ms < x.at_ms)"""


class Uses:
    """When each secret was last used here, since it was written down."""

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}

    def note(self, secret_id: int, now_ms: int) -> None:
        self._latest[secret_id] = now_ms

    def taken(self) -> dict[int, int]:
        """All there is to write, which is then forgotten."""
        latest, self._latest = self._latest, {}
        return latest


class Presence:
    """A serving process's companion."""

    def __init__(self, db: Database, clock: Clock, holder: str, quota: Quota, uses: Uses) -> None:
        self._db = db
        self._clock = clock
        self._holder = holder
        self._quota = quota
        self._uses = uses
        self._written_at_ms = 0

    async def run(self) -> None:
        """Ticks until cancelled, then takes its leave; a tick that fails is only logged."""
        try:
            while True:
                try:
                    await self.tick()
                except Exception as error:
                    log.warning("presence.failed", error=type(error).__name__)
                await asyncio.sleep(EVERY_S)
        finally:
            await self.leave()

    async def tick(self) -> None:
        """One beat; secrets' uses are written when a minute has passed."""
        now = self._clock.now_ms()
        used: dict[int, int] = {}
        if now - self._written_at_ms >= MINUTE_MS:
            used = self._uses.taken()
            self._written_at_ms = now

        async def in_tx(tx: Tx) -> int:
            await tx.run(FORGET, holder="", dead=now - 10 * ALIVE_MS)
            await tx.run(BEAT, holder=self._holder, now=now)
            await _write(tx, used)
            [row] = await tx.rows(ALIVE, since=now - ALIVE_MS)
            return int(row.n)

        self._quota.share_among(await self._db.write(in_tx))

    async def leave(self) -> None:
        """The others share among themselves again; what is not written yet is."""
        used = self._uses.taken()

        async def in_tx(tx: Tx) -> None:
            await tx.run(FORGET, holder=self._holder, dead=0)
            await _write(tx, used)

        try:
            await self._db.write(in_tx)
        except Exception as error:  # it is forgotten a little later anyway
            log.warning("presence.failed", error=type(error).__name__)


async def _write(tx: Tx, used: dict[int, int]) -> None:
    if used:
        x = tx.json_rows(("id", "int"), ("at_ms", "int"))
        await tx.run(USED.format(x=x), rows=tx.pack(sorted(used.items())))
