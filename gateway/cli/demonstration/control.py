"""The sandbox's control, as the demonstration uses it: an outage of TEMIS, its records and its writes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

OUTAGE_S = 4.0
# First TEMIS stores records and hangs up without a word, then it refuses everything.
OUTAGE = [
    {"target": "temis", "mode": "silent", "remaining": 2},
    {"target": "temis", "mode": "status", "status": 503},
]


class Control:
    """One sandbox."""

    def __init__(self, http: aiohttp.ClientSession, address: str) -> None:
        self._http = http
        self._address = address
        self.is_down = False  # TEMIS, for whoever watches

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """TEMIS is down from here on, for OUTAGE_S whatever the block does; the block ends no sooner."""
        await self._set(OUTAGE)
        self.is_down = True
        end = asyncio.create_task(self._end())
        try:
            yield
            await end
        finally:
            end.cancel()

    async def records(self) -> list[dict[str, Any]]:
        """Every record TEMIS shows."""
        return [line for line in await self._lines("records") if not line["withdrawn"]]

    async def writes(self) -> list[dict[str, Any]]:
        """Every write TEMIS applied, oldest first."""
        return await self._lines("writes")

    async def _end(self) -> None:
        await asyncio.sleep(OUTAGE_S)
        await self._set([])
        self.is_down = False

    async def _set(self, faults: list[dict[str, Any]]) -> None:
        async with self._http.put(f"{self._address}/_control/faults", json=faults) as answer:
            answer.raise_for_status()

    async def _lines(self, what: str) -> list[dict[str, Any]]:
        async with self._http.get(f"{self._address}/_control/temis/{what}") as answer:
            answer.raise_for_status()
            return [orjson.loads(line) for line in (await answer.read()).splitlines()]
