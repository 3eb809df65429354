"""A fair lock between processes that write one SQLite file.

SQLite's own busy polling is unfair: a busy worker starved the web process's commits for seconds. Two file
locks make a queue of it: take `next`, take `main`, release `next`; whoever waits holds `next` and is served
when `main` is freed. Locks of a killed process are released by the kernel.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Turnstile:
    """Two lock files beside the database. One instance per process; calls inside a process are serialised."""

    def __init__(self, database: Path) -> None:
        self._inside = asyncio.Lock()
        self._next = os.open(f"{database}-next.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._main = os.open(f"{database}-main.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Holds the write turn. Never cancel inside: callers run shielded (storage.engine)."""
        async with self._inside:
            await self._lock(self._next)
            try:
                await self._lock(self._main)
            finally:
                fcntl.flock(self._next, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.flock(self._main, fcntl.LOCK_UN)

    @staticmethod
    async def _lock(handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.to_thread(fcntl.flock, handle, fcntl.LOCK_EX)

    def close(self) -> None:
        os.close(self._next)
        os.close(self._main)
