"""PostgreSQL as an engine: a pool of connections that commit synchronously."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import URL, Executable, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.elements import TextClause

from gateway.storage.rows import Cell
from gateway.storage.tx import Tx

T = TypeVar("T")
_TEXTS: dict[str, TextClause] = {}


class PostgresTx(Tx):
    """A transaction on a connection of the pool."""

    dialect = "postgresql"

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, sql: str, /, **parameters: Cell) -> Sequence[Any]:
        result = await self._connection.execute(_text(sql), parameters)
        return result.all()

    async def run(self, sql: str, /, **parameters: Cell) -> int:
        result = await self._connection.execute(_text(sql), parameters)
        return int(result.rowcount)

    async def run_many(self, sql: str, rows: Sequence[Mapping[str, Cell]]) -> None:
        if rows:
            await self._connection.execute(_text(sql), rows)

    async def insert_many(self, statement: Executable, rows: Sequence[Mapping[str, Cell]]) -> None:
        if rows:
            await self._connection.execute(statement, rows)


class PostgresBackend:
    """One server."""

    dialect = "postgresql"

    def __init__(self, url: URL) -> None:
        self._engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=10,
            max_overflow=10,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        _prepare(self._engine)

    def schema_engine(self) -> AsyncEngine:
        """The pool itself: migrations need no connection of another kind."""
        return self._engine

    async def write(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        async with self._engine.begin() as connection:
            return await fn(PostgresTx(connection))

    async def look(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        async with self.read() as tx:
            return await fn(tx)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """One snapshot; keep it short: a long one slows every claim down."""
        async with self._engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield PostgresTx(connection)

    def data_version(self) -> int:
        """Always 0: commits are not told here."""
        return 0

    async def close(self) -> None:
        await self._engine.dispose()


def _text(sql: str) -> TextClause:
    clause = _TEXTS.get(sql)
    if clause is None:
        clause = _TEXTS[sql] = text(sql)
    return clause


def _prepare(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        # A server set to asynchronous commit would make our 202 a lie.
        cursor = connection.cursor()
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("SET statement_timeout = '60s'")
        cursor.close()
        connection.commit()
