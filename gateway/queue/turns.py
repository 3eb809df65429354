"""Whose body is taken next: while there is room, anybody's; else the sources take turns, one body each.

So however many connections one source opens, another's next body is served after at most one of each.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.model.errors import Overloaded

IN_HAND = 128
PATIENCE_S = 5.0


class Turns:
    """The turns of one process."""

    def __init__(self, *, in_hand: int = IN_HAND, patience_s: float = PATIENCE_S) -> None:
        self._room = in_hand
        self._patience_s = patience_s
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}  # in the order in which sources are served

    @property
    def waiting(self) -> int:
        """How many bodies wait for their turn."""
        return sum(len(queue) for queue in self._waiting.values())

    @asynccontextmanager
    async def turn(self, source_id: int) -> AsyncIterator[None]:
        """One body of this source is in hand while the block runs. Raises: Overloaded after too long a wait."""
        if self._room > 0:
            self._room -= 1
        else:
            await self._wait(source_id)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, source_id: int) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(source_id, deque()).append(mine)
        try:
            async with asyncio.timeout(self._patience_s):
                await mine
        except TimeoutError:
            if mine.done() and not mine.cancelled():  # the turn came in the same moment
                return
            raise Overloaded("this source sends more than the gateway can take") from None
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            source_id = next(iter(self._waiting))
            queue = self._waiting.pop(source_id)
            while queue and queue[0].done():  # went away while waiting
                queue.popleft()
            if not queue:
                continue
            queue.popleft().set_result(None)
            if queue:
                self._waiting[source_id] = queue  # to the end of the rota
            return
        self._room += 1
