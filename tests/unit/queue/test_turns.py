"""Sources take turns once there is no room: no number of connections buys more than that."""

import asyncio

import pytest

from gateway.model.errors import Overloaded
from gateway.queue.turns import Turns


async def body(turns: Turns, source: int, served: list[int], release: asyncio.Semaphore) -> None:
    async with turns.turn(source):
        served.append(source)
        await release.acquire()


async def test_a_quiet_source_is_served_after_one_body_of_a_noisy_one():
    """Source 1 has a hundred bodies waiting; source 2 comes last and is served next but one."""
    turns, served, release = Turns(in_hand=2), [], asyncio.Semaphore(0)
    tasks = [asyncio.create_task(body(turns, 1, served, release)) for _ in range(100)]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(body(turns, 2, served, release)))
    await asyncio.sleep(0)
    assert (served, turns.waiting) == ([1, 1], 99)
    for _ in range(2):
        release.release()
        for _ in range(4):
            await asyncio.sleep(0)
    assert served == [1, 1, 1, 2]
    for _ in range(200):
        release.release()
    await asyncio.gather(*tasks)
    assert sorted(served) == [1] * 100 + [2]
    assert turns.waiting == 0


async def test_whoever_goes_away_while_waiting_takes_no_turn_with_it():
    """A cancelled request gives its turn to the next, also in the moment in which it was given one."""
    turns, served, release = Turns(in_hand=1), [], asyncio.Semaphore(0)
    first, gone, last = (asyncio.create_task(body(turns, n, served, release)) for n in (1, 2, 3))
    for _ in range(2):
        await asyncio.sleep(0)
    release.release()
    await asyncio.sleep(0)
    gone.cancel()
    release.release()
    await asyncio.gather(first, last)
    assert 3 in served
    async with asyncio.timeout(1), turns.turn(9):
        pass


async def test_waiting_has_an_end():
    """A source that sends more than can be taken hears so instead of waiting for ever."""
    turns = Turns(in_hand=1, patience_s=0.01)
    async with turns.turn(1):
        with pytest.raises(Overloaded):
            async with turns.turn(1):
                pass
    async with turns.turn(1):
        assert turns.waiting == 0
