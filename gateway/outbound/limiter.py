"""How hard a destination may be called: calls a second and calls at once, first come first served."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Limiter:
    """A token bucket before a number of slots. Whoever asks first goes first, whatever it costs."""

    def __init__(
        self,
        *,
        rate_per_s: float | None,
        concurrency: int,
        burst: float | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`rate_per_s` None: no rate. `burst`: calls that may start at once after a rest."""
        self.rate_per_s = rate_per_s  # may be changed at any time; holds from the next call on
        self._burst = burst if burst is not None else max(1.0, rate_per_s or 1.0)
        self._now = now
        self._sleep = sleep
        self._tokens = self._burst
        self._filled_at = now()
        self._turn = asyncio.Lock()
        self._slots = asyncio.Semaphore(concurrency)

    @asynccontextmanager
    async def slot(self, cost: float = 1.0) -> AsyncIterator[None]:
        """Wait for the turn, then hold a slot. A cost above the burst runs the bucket into debt."""
        async with self._turn:  # asyncio's locks are fair: waiting inside one keeps the order
            await self._slots.acquire()
            try:
                await self._take(cost)
            except BaseException:
                self._slots.release()
                raise
        try:
            yield
        finally:
            self._slots.release()

    async def _take(self, cost: float) -> None:
        while (rate := self.rate_per_s) is not None:
            now = self._now()
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * rate)
            self._filled_at = now
            missing = min(cost, self._burst) - self._tokens
            if missing <= 1e-9:  # what rounding leaves is no reason to sleep again
                self._tokens -= cost
                return
            await self._sleep(missing / rate)
