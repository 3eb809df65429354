"""Keeps the lease of claimed rows while their stage works on them, and says which of them were lost.

A slow destination, a turn at the limiter or a bisection may take longer than one lease. Then the rows would be
given to others although somebody is at work on them, and counted as rows that kill their workers.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from gateway.model.clock import Clock
from gateway.queue.claim import renew
from gateway.queue.delivery import Delivery
from gateway.storage.engine import Database

log = structlog.get_logger(__name__)

RENEWALS = 30  # ten leases: who takes longer hangs, and others go on


class Kept:
    """Rows in hand. `lost` are those that somebody else has taken or changed: nothing may be sent for them."""

    def __init__(self) -> None:
        self.lost: frozenset[int] = frozenset()


@asynccontextmanager
async def kept(
    db: Database, clock: Clock, deliveries: Sequence[Delivery], lease_ms: int
) -> AsyncIterator[Kept]:
    """Renews the leases three times as often as they end, as long as the block runs; ten leases at most."""
    state = Kept()
    renewing = asyncio.create_task(_renew(db, clock, deliveries, lease_ms, state))
    try:
        yield state
    finally:
        renewing.cancel()


async def _renew(
    db: Database, clock: Clock, deliveries: Sequence[Delivery], lease_ms: int, state: Kept
) -> None:
    for _ in range(RENEWALS):
        await asyncio.sleep(lease_ms / 3_000)
        try:
            ours = await renew(db, clock, deliveries, lease_ms)
        except Exception as error:  # the next one may succeed, or the leases end: both are safe
            log.warning("lease.not_renewed", error=type(error).__name__)
            continue
        state.lost = frozenset(d.id for d in deliveries) - ours
