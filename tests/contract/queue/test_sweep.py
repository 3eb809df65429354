"""Rows that a wrong clock has put far into the future are found and made due."""

import pytest

from gateway.model.clock import DAY_MS
from gateway.model.states import State
from gateway.queue.claim import claim
from gateway.queue.retry import LONGEST_MS
from gateway.queue.sweep import sweep
from gateway.stages.sweep import Sweep
from gateway.storage.leases import acquire
from tests.builders import FakeClock, an_arrival
from tests.contract.queue.test_races import Acceptor, rows

YEARS_MS = 9 * 365 * DAY_MS


@pytest.mark.parametrize("lane", [101, 1])
async def test_a_lease_of_a_process_with_a_wrong_clock_ends(db, clock, lane):
    """It claimed in the year 2035 and died: whoever has the right time makes its rows due again."""
    await Acceptor(db, clock).accept([an_arrival("far", lane=lane)])
    ahead = FakeClock(clock.now_ms() + YEARS_MS)
    assert await claim(db, ahead, State.ACCEPTED, lane, limit=9, lease_ms=30_000)
    await Acceptor(db, clock).accept([an_arrival("fresh")])
    assert await sweep(db, clock) == 1
    assert {row.due_at_ms for row in await rows(db, "SELECT due_at_ms FROM deliveries")} == {clock.now_ms()}


async def test_the_longest_wait_there_is_is_left_alone(db, clock):
    """A hold that is looked at weekly waits its week, also where jitter made it longer."""
    await Acceptor(db, clock).accept([an_arrival("weekly")])
    due = clock.now_ms() + LONGEST_MS
    await db.write(lambda tx: tx.run("UPDATE deliveries SET state = 'held', due_at_ms = :due", due=due))
    assert await sweep(db, clock) == 0


async def test_the_leader_sweeps(db, clock):
    """It is a duty like the change feed."""
    await Acceptor(db, clock).accept([an_arrival("far")])
    await claim(db, FakeClock(clock.now_ms() + YEARS_MS), State.ACCEPTED, 101, limit=9, lease_ms=1)
    lease = await acquire(db, clock, "leader", "p1", 30_000)
    await Sweep(db, clock).run(lease)
    [found] = await rows(db, "SELECT due_at_ms FROM deliveries")
    assert found.due_at_ms == clock.now_ms()
