"""Duties: of all processes exactly one does them, and when it goes another takes over."""

import asyncio

from gateway.model.clock import SystemClock
from gateway.model.errors import LeaseLost
from gateway.stages.duties import Duties
from gateway.storage.leases import acquire


class Note:
    """A duty that writes down under which fence it was done."""

    name = "note"
    every_s = 0.01

    def __init__(self, fails=()) -> None:
        self.fences = []
        self._fails = list(fails)
        self.done = asyncio.Event()

    async def run(self, lease) -> None:
        if self._fails:
            raise self._fails.pop()
        self.fences.append(lease.fence)
        self.done.set()


async def until(event) -> None:
    async with asyncio.timeout(10):
        await event.wait()


async def test_one_of_two_processes_leads_and_the_other_follows(db):
    """While the first leads the second does nothing; when it ends in order the second goes on at once."""
    first, second = Note(), Note()
    one = Duties(db, SystemClock(), "one", [first], ttl_ms=300)
    running = asyncio.create_task(one.run())
    await until(first.done)
    two = Duties(db, SystemClock(), "two", [second], ttl_ms=300)
    following = asyncio.create_task(two.run())
    first.done.clear()
    await until(first.done)
    assert not second.fences
    one.stop()
    await running
    await until(second.done)
    assert max(first.fences) < min(second.fences)
    two.stop()
    await following


async def test_a_leader_that_died_is_followed_when_its_lease_ends(db):
    """Nobody has to notice the death: the lease ends by itself."""
    await acquire(db, SystemClock(), "leader", "dead", 300)
    duty = Note()
    duties = Duties(db, SystemClock(), "alive", [duty], ttl_ms=300)
    running = asyncio.create_task(duties.run())
    await until(duty.done)
    assert set(duty.fences) == {2}
    duties.stop()
    await running


async def test_a_duty_that_fails_is_tried_again(db):
    """A bug or an outage in one turn ends neither the duty nor the process; a lost lead is sought again."""
    duty = Note(fails=[LeaseLost("another leads"), RuntimeError("broken")])
    duties = Duties(db, SystemClock(), "one", [duty], ttl_ms=90)
    running = asyncio.create_task(duties.run())
    await until(duty.done)
    duties.stop()
    await running
    assert duty.fences


async def test_without_duties_nobody_leads(db):
    """A gateway without a feed takes no lease."""
    await Duties(db, SystemClock(), "one", []).run()
    async with db.read() as tx:
        assert not await tx.rows("SELECT 1 FROM leases")
