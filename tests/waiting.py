"""Waiting for a condition that other tasks or processes bring about."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


async def until(ask: Callable[[], Awaitable[Any]], *, within_s: float = 40, every_s: float = 0.02) -> Any:
    """What `ask` finds, once it finds anything. Raises: TimeoutError."""
    async with asyncio.timeout(within_s):
        while not (found := await ask()):
            await asyncio.sleep(every_s)
    return found
