"""Wakes are pruned, and still none is lost: a judgement older than what was pruned is judged again."""

import pytest

from gateway.model.clock import DAY_MS
from gateway.model.outcomes import Hold, Wait
from gateway.model.states import State
from gateway.queue import accept
from gateway.queue import wake as wakes
from gateway.queue.claim import claim
from gateway.queue.delivery import Result
from gateway.queue.record import record
from gateway.queue.wake import newest_wake, prune_wakes, wake
from tests.builders import an_arrival, steady

LEASE = 400 * DAY_MS  # a machine that sleeps keeps what it had claimed, as long as nobody else looks
MINE = Wait("person", "aa")


async def waken(db, clock, key="bb"):
    await wake(db, clock, [Wait("person", key)], cause="test")


async def taken(db, clock):
    """One delivery in the hands of a worker."""
    await db.write(lambda tx: accept.store(tx, [an_arrival()], [], clock.now_ms()))
    [delivery] = await claim(db, clock, State.ACCEPTED, 101, limit=1, lease_ms=LEASE)
    return delivery


async def hold(db, clock, delivery, seen) -> bool:
    """Writes a hold. Returns: whether it is due at once."""
    held = Result(delivery, Hold("registry.not_found", "school", (MINE,)), "held")
    await record(db, clock, "verify", [held], seen_wake=seen, jitter=steady())
    async with db.read() as tx:
        [row] = await tx.rows("SELECT state, due_at_ms FROM deliveries WHERE id = :id", id=delivery.id)
    assert row.state == "held"
    return row.due_at_ms <= clock.now_ms()


async def count(db) -> int:
    async with db.read() as tx:
        return (await tx.rows("SELECT COUNT(*) AS n FROM wakes"))[0].n


async def test_old_wakes_go_and_the_newest_stays(db, clock):
    """The table holds a day of wakes, and never gives out a number twice."""
    for _ in range(3):
        await waken(db, clock)
    clock.advance(ms=DAY_MS + 1)
    await waken(db, clock)
    seen = await newest_wake(db)
    assert await prune_wakes(db, clock, DAY_MS) == 3
    clock.advance(ms=DAY_MS + 1)
    assert await prune_wakes(db, clock, DAY_MS) == 0
    assert (await count(db), await newest_wake(db)) == (1, seen)
    await waken(db, clock)
    assert await newest_wake(db) > seen


async def test_a_judgement_that_slept_past_its_wake_is_made_again(db, clock):
    """It began before the fix, its machine slept for a week, the wake is pruned: the hold is due at once."""
    delivery, seen = await taken(db, clock), await newest_wake(db)
    await waken(db, clock, MINE.key)
    clock.advance(ms=7 * DAY_MS)
    await waken(db, clock)
    assert await prune_wakes(db, clock, DAY_MS) == 1
    assert await hold(db, clock, delivery, seen)


async def test_pruning_wakes_nobody_who_had_seen_them(db, clock):
    """A judgement begun after what was pruned waits as ever; pruning costs nobody a look-up."""
    await waken(db, clock, MINE.key)
    clock.advance(ms=7 * DAY_MS)
    await waken(db, clock)
    delivery, seen = await taken(db, clock), await newest_wake(db)
    assert await prune_wakes(db, clock, DAY_MS) == 1
    assert not await hold(db, clock, delivery, seen)


@pytest.mark.parametrize("n", [4, 5])
async def test_many_are_pruned_some_at_a_time(db, clock, monkeypatch, n):
    """Each transaction is short, also where the last page is full."""
    monkeypatch.setattr(wakes, "PAGE", 2)
    for _ in range(n):
        await waken(db, clock)
    clock.advance(ms=DAY_MS + 1)
    assert await prune_wakes(db, clock, DAY_MS) == n - 1
    assert await count(db) == 1
