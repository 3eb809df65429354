"""Leases: at any time at most one process holds one, and one that lost it can no longer write."""

import asyncio

import pytest

from gateway.model.errors import LeaseLost
from gateway.storage.leases import Lease, acquire, hold_in, release, renew
from tests.builders import FakeClock

TTL = 30_000


async def test_only_one_of_many_gets_it(db, clock):
    """Twenty processes ask at once: one gets it."""
    got = await asyncio.gather(*(acquire(db, clock, "leader", f"p{n}", TTL) for n in range(20)))
    assert len([lease for lease in got if lease]) == 1


async def test_it_is_free_when_it_ends_and_the_fence_rises(db, clock):
    """A holder that died is followed by another, under a higher fence."""
    first = await acquire(db, clock, "leader", "a", TTL)
    clock.advance(ms=TTL - 1)
    assert await acquire(db, clock, "leader", "b", TTL) is None
    clock.advance(ms=1)
    assert await acquire(db, clock, "leader", "b", TTL) == Lease("leader", "b", first.fence + 1)


async def test_renewing_keeps_it_and_comes_too_late_after_its_end(db, clock):
    """An ended lease is not revived: another may already have acted under it."""
    lease = await acquire(db, clock, "leader", "a", TTL)
    clock.advance(ms=TTL - 1)
    assert await renew(db, clock, lease, TTL)
    clock.advance(ms=TTL - 1)
    assert await acquire(db, clock, "leader", "b", TTL) is None
    clock.advance(ms=1)
    assert not await renew(db, clock, lease, TTL)


async def test_one_that_lost_it_cannot_write(db, clock):
    """What a slow holder writes under a lease that is another's now is rolled back."""
    slow = await acquire(db, clock, "leader", "a", TTL)
    clock.advance(ms=TTL)
    fast = await acquire(db, clock, "leader", "b", TTL)

    async def write_under(lease):
        async def in_tx(tx):
            await tx.run("INSERT INTO cursors (name, value, at_ms) VALUES (:n, '', 0)", n=lease.holder)
            await hold_in(tx, lease, clock.now_ms(), TTL)

        await db.write(in_tx)

    with pytest.raises(LeaseLost):
        await write_under(slow)
    await write_under(fast)
    async with db.read() as tx:
        assert [row.name for row in await tx.rows("SELECT name FROM cursors")] == ["b"]


async def test_a_released_lease_is_free_at_once(db, clock):
    """A process that ends in order keeps nobody waiting; releasing twice takes it from nobody."""
    lease = await acquire(db, clock, "leader", "a", TTL)
    await release(db, lease)
    other = await acquire(db, clock, "leader", "b", TTL)
    assert other is not None
    await release(db, lease)
    assert await acquire(db, clock, "leader", "c", TTL) is None


async def test_names_are_independent(db, clock):
    """Holding one lease says nothing of another."""
    assert await acquire(db, clock, "leader", "a", TTL)
    assert await acquire(db, clock, "feed", "b", TTL)


async def test_a_lease_taken_by_a_wrong_clock_is_free(db, clock):
    """A process that believed in the year 2035 led and died: nobody waits until then."""
    ahead = FakeClock(clock.now_ms() + 9 * 365 * 86_400_000)
    assert await acquire(db, ahead, "leader", "wrong", TTL)
    assert await acquire(db, clock, "leader", "right", TTL)
