"""How hard a destination may be called: calls a second and calls at once, first come first served.

A destination that has just come back is not run over: its rate eases in.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

EASED_FROM = 0.1  # of the rate, in the first moment


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
        self._given_burst = burst
        self._now = now
        self._sleep = sleep
        self._eased_at = self._ease_s = 0.0
        self._tokens = self._burst(rate_per_s or 1.0)
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

    def ease_in(self, over_s: float) -> None:
        """From now on the rate rises from a tenth to the whole in `over_s`; what was saved up is gone."""
        self._eased_at, self._ease_s = self._now(), over_s
        self._tokens = min(self._tokens, 1.0)

    def _share(self, now: float) -> float:
        """0.1..1: the part of the rate that holds now."""
        if now - self._eased_at >= self._ease_s:
            return 1.0
        return EASED_FROM + (1 - EASED_FROM) * (now - self._eased_at) / self._ease_s

    def _burst(self, rate: float) -> float:
        return max(1.0, rate) if self._given_burst is None else self._given_burst

    async def _take(self, cost: float) -> None:
        while self.rate_per_s is not None:
            now = self._now()
            rate = self.rate_per_s * self._share(now)
            burst = self._burst(rate)
            self._tokens = min(burst, self._tokens + (now - self._filled_at) * rate)
            self._filled_at = now
            missing = min(cost, burst) - self._tokens
            if missing <= 1e-9:  # what rounding leaves is no reason to sleep again
                self._tokens -= cost
                return
            await self._sleep(missing / rate)
