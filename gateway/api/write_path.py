"""Whether the database takes writes: one small transaction on the way of every write, which changes nothing."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.model.errors import StorageBusy
from gateway.storage.engine import Database, Tx

log = structlog.get_logger(__name__)


class WritePath:
    """Asked by anybody, any number of times: one transaction runs at a time, and all wait for its result."""

    def __init__(self, db: Database, *, patience_s: float = 2.0) -> None:
        self._db = db
        self._patience_s = patience_s
        self._running: asyncio.Task[bool] | None = None

    async def works(self) -> bool:
        """False when it fails, or does not end within the patience."""
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
            await tx.run("UPDATE vendors SET lane = lane WHERE id = -1")

        try:
            await self._db.write(touch)
        except (StorageBusy, SQLAlchemyError, OSError) as error:
            log.warning("database.down", error=type(error).__name__)
            return False
        return True
