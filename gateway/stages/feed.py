"""Reads the sector database's change feed to its end, again and again.

    poll, by the leader -> changes -> one transaction: marks, wakes, cursor -> files we had are asked for again

What the feed has said is committed with how far it was read: a crash in between repeats it and loses nothing.
"""

from typing import Protocol

import structlog

from gateway.identity.people import People
from gateway.identity.registry import ChangePage
from gateway.identity.snapshots import FEED, Snapshots
from gateway.model.clock import SECOND_MS, Clock
from gateway.model.errors import UpstreamError
from gateway.model.person import LookupKey
from gateway.observe.metrics import Metrics
from gateway.outbound.gate import Gate
from gateway.stages.changes import PAGE, RECENT_MS, Changes, Taken
from gateway.storage.cursors import Cursor, keep_cursor, read_cursor
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

log = structlog.get_logger(__name__)


class ChangeSource(Protocol):
    """The registry client's part that we use."""

    async def changes(self, since: str, *, limit: int) -> ChangePage: ...


class Feed:
    """The duty of reading the feed."""

    name = "feed"

    def __init__(
        self,
        db: Database,
        clock: Clock,
        changes: Changes,
        snapshots: Snapshots,
        people: People,
        source: ChangeSource,
        gate: Gate,
        metrics: Metrics,
        *,
        every_s: float,
        ttl_ms: int,
    ) -> None:
        self._db = db
        self._clock = clock
        self._changes = changes
        self._snapshots = snapshots
        self._people = people
        self._source = source
        self._gate = gate
        self._metrics = metrics
        self.every_s = every_s
        self._ttl_ms = ttl_ms
        self._is_down = False

    async def run(self, lease: Lease) -> None:
        """Reads the feed to its end. A feed that fails only lags: nothing is held or woken for that."""
        if not self._gate.is_open:  # it is down: look-ups find out when it is back
            return
        is_more = True
        while is_more:
            cursor, _ = await self._cursor()
            try:
                async with self._gate.slot():
                    page = await self._source.changes(cursor, limit=PAGE)
            except UpstreamError as error:
                if not self._is_down:
                    log.warning("feed.down", error=error.code, status=error.status)
                self._is_down = True
                break
            if self._is_down:
                log.info("feed.recovered")
            self._is_down = False
            await self._take(page, lease)
            is_more = page.more and page.next != cursor
        await self._snapshots.clear_marks(self._clock.now_ms() - RECENT_MS)
        _, complete_ms = await self._cursor()
        self._metrics.feed_lag.set((self._clock.now_ms() - complete_ms) / SECOND_MS)

    async def _take(self, page: ChangePage, lease: Lease) -> None:
        async def in_tx(tx: Tx) -> Taken:
            now = self._clock.now_ms()
            await hold_in(tx, lease, now, self._ttl_ms)
            taken = await self._changes.take_in(tx, page.changes, now)
            at_ms = await self._complete_ms(tx, page, now)
            await keep_cursor(tx, FEED, page.next, at_ms)
            return taken

        taken = await self._db.write(in_tx)
        if page.changes:
            log.info("feed.read", changes=len(page.changes), known=len(taken.known), woken=taken.woken)
        await self._refresh(taken.known)

    async def _complete_ms(self, tx: Tx, page: ChangePage, now: int) -> int:
        """Up to when the feed has been read: the whole only once its end is reached, and never backwards."""
        found = await read_cursor(tx, FEED)
        before = found.at_ms if found else 0
        return max(before, now - page.lag_ms) if not page.more else before

    async def _refresh(self, keys: frozenset[LookupKey]) -> None:
        """Asks for the files we had, so that what people are shown is today's. Verdicts do not depend on it."""
        if not keys:
            return
        _, error = await self._people.know(keys, not_before_ms=self._clock.now_ms())
        if error is not None:
            log.warning("feed.refresh_postponed", people=len(keys), error=error.code)

    async def _cursor(self) -> Cursor:
        async with self._db.read() as tx:
            return await read_cursor(tx, FEED) or Cursor("", 0)
