"""Files changed in the sector database -> older answers end, and just the held deliveries concerned are due."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from gateway.identity.registry import Change
from gateway.identity.snapshots import Snapshots
from gateway.model.clock import MINUTE_MS, Clock
from gateway.model.person import LookupKey
from gateway.queue.wake import wake_in
from gateway.security.blind import BlindIndex
from gateway.stages.waiting import wake_keys
from gateway.storage.engine import Database, Tx

log = structlog.get_logger(__name__)

PAGE = 250  # changes in one transaction: a change names up to four identifiers
RECENT_MS = 10 * MINUTE_MS  # longer than any question is on its way, the clocks' difference included


@dataclass(frozen=True, slots=True)
class Taken:
    """What followed from changes: people we had answers about, and how many deliveries were woken."""

    known: frozenset[LookupKey] = frozenset()
    woken: int = 0


class Changes:
    """Takes changes, however they arrived. One instance per process."""

    def __init__(self, db: Database, clock: Clock, blind: BlindIndex, snapshots: Snapshots) -> None:
        self._db = db
        self._clock = clock
        self._blind = blind
        self._snapshots = snapshots

    async def take(self, changes: Sequence[Change]) -> Taken:
        """Takes any number of changes, so many in a transaction; taking one twice does no harm."""
        taken = Taken()
        for start in range(0, len(changes), PAGE):
            part = await self._take_page(changes[start : start + PAGE])
            taken = Taken(taken.known | part.known, taken.woken + part.woken)
        return taken

    async def _take_page(self, page: Sequence[Change]) -> Taken:
        return await self._db.write(lambda tx: self.take_in(tx, page, self._clock.now_ms()))

    async def take_in(self, tx: Tx, changes: Sequence[Change], now_ms: int) -> Taken:
        """`take` inside a transaction of the caller's, at most PAGE changes."""
        recent = {key for c in changes if c.changed_at_ms >= now_ms - RECENT_MS for key in c.keys}
        older = {key for c in changes for key in c.keys} - recent
        known: set[LookupKey] = set()
        if recent:
            known |= await self._snapshots.mark_changed(tx, recent, now_ms, recent=True)
        if older:
            known |= await self._snapshots.mark_changed(tx, older, now_ms, recent=False)
        waits = [wait for key in recent | known for wait in wake_keys(self._blind, "person", key.value)]
        woken = await wake_in(tx, waits, now_ms, cause="registry_change") if waits else 0
        return Taken(frozenset(known), woken)
