"""The drain: nothing new once it has begun, and an end when nothing is in hand."""

import asyncio

from gateway.api.context import Drain


async def test_it_is_empty_again_when_the_last_request_has_left():
    """Whoever waits for the end waits for every request, in any order."""
    drain = Drain()
    drain.enter()
    drain.enter()
    waiting = asyncio.create_task(drain.empty())
    drain.leave()
    await asyncio.sleep(0)
    assert drain.is_busy
    assert not waiting.done()
    drain.leave()
    await waiting
    assert not drain.is_busy


async def test_beginning_twice_is_beginning_once():
    """Two signals end the process no differently from one."""
    drain = Drain()
    assert not drain.has_begun
    drain.begin()
    drain.begin()
    await drain.begun()
    assert drain.has_begun
