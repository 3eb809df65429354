"""Whether the database takes writes: one small commit on the way of every write.

It really writes: a disk that is full lets transactions through that change nothing.
"""

import asyncio
import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.model.errors import StorageBusy
from gateway.storage.engine import Database, Tx

log = structlog.get_logger(__name__)

# A lease that nobody holds; the same value again would not be written by SQLite.
TOUCH = """
INSERT INTO leases (name, holder, fence, until_ms) VALUES ('write_path', '', 1, 0)
ON CONFLICT (name) DO UPDATE SET fence = (leases.fence + 1) % 1000000"""


class WritePath:
    """Asked by anybody, any number of times: one commit runs at a time, and all wait for its result.

    That it works is good for `fresh_s`, so that whoever asks all the time costs no commit each time.
    """

    def __init__(self, db: Database, *, patience_s: float = 2.0, fresh_s: float = 1.0) -> None:
        self._db = db
        self._patience_s = patience_s
        self._fresh_s = fresh_s
        self._works_until = 0.0
        self._running: asyncio.Task[bool] | None = None

    async def works(self) -> bool:
        """False when it fails, or does not end within the patience."""
        if time.monotonic() < self._works_until:
            return True
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._touch())
        try:
            async with asyncio.timeout(self._patience_s):
                return await asyncio.shield(self._running)
        except TimeoutError:
            log.warning("database.slow", waited_s=self._patience_s)
            return False

    async def _touch(self) -> bool:
        async def touch(tx: Tx) -> None:
            await tx.run(TOUCH)

        try:
            await self._db.write(touch)
        except (StorageBusy, SQLAlchemyError, OSError) as error:
            log.warning("database.down", error=type(error).__name__)
            return False
        self._works_until = time.monotonic() + self._fresh_s
        return True
