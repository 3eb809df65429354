"""SQLite as an engine: one writer that takes its turn among the processes, a few readers, one watch."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.storage.sqlite import Watch, prepare_sqlite, refuse_a_damaging_library
from gateway.storage.sqlite_connection import Connection, SqliteRead
from gateway.storage.turnstile import Turnstile
from gateway.storage.tx import Tx

T = TypeVar("T")
READERS = 8  # reads at once; others wait for one of them


class SqliteBackend:
    """One file. Connections are opened when they are first needed."""

    dialect = "sqlite"

    def __init__(self, file: Path) -> None:
        refuse_a_damaging_library()
        self._file = file
        self._turnstile = Turnstile(file)
        self._watch = Watch(file)
        self._writer: Connection | None = None
        self._opening = asyncio.Lock()
        self._idle: list[Connection] = []
        self._readers: list[Connection] = []
        self._free = asyncio.Semaphore(READERS)

    def schema_engine(self) -> AsyncEngine:
        """An engine of SQLAlchemy's on the same file, for migrations."""
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{self._file}", pool_size=1, max_overflow=0, hide_parameters=True
        )
        prepare_sqlite(engine.sync_engine, begin="BEGIN IMMEDIATE")
        return engine

    async def write(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        """One write transaction, in its turn."""
        writer = self._writer or await self._open_writer()
        return await writer.transact("BEGIN IMMEDIATE", fn, self._turnstile.turn)

    async def _open_writer(self) -> Connection:
        async with self._opening:
            if self._writer is None:
                self._writer = await Connection.open(self._file)
            return self._writer

    async def look(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        """One read transaction, run in one go."""
        async with self._reader() as connection:
            return await connection.transact("BEGIN", fn)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """One read transaction that the caller holds."""
        async with self._reader() as connection:
            try:
                await connection.call(lambda raw: raw.execute("BEGIN"))
                yield SqliteRead(connection)
            finally:  # also of who goes away while it begins: the thread does both in order
                await asyncio.shield(connection.call(_end))

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[Connection]:
        async with self._free:
            if self._idle:
                connection = self._idle.pop()
            else:
                connection = await Connection.open(self._file)
                self._readers.append(connection)
            try:
                yield connection
            finally:
                self._idle.append(connection)

    def data_version(self) -> int:
        return self._watch.data_version()

    async def close(self) -> None:
        for connection in (*self._readers, *([self._writer] if self._writer else [])):
            await connection.close()
        self._readers, self._idle, self._writer = [], [], None
        self._turnstile.close()
        self._watch.close()


def _end(raw: sqlite3.Connection) -> None:
    if raw.in_transaction:
        raw.execute("ROLLBACK")
