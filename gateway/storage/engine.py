"""Opening a database and running transactions on it, the same way on SQLite and PostgreSQL.

`write(fn)` runs `fn(tx)` in one transaction: committed when it returns, rolled back when it raises, run
again when the engine asks for that. A caller that is cancelled never leaves one half done.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Executable, Row, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.elements import TextClause

from gateway.model.errors import ConfigError, StorageBusy
from gateway.storage.rows import Cell, Kind, json_rows, pack
from gateway.storage.sqlite import Watch, prepare_sqlite
from gateway.storage.turnstile import Turnstile

T = TypeVar("T")
_RERUNS = 5
# serialization_failure, deadlock_detected, and the ways a server says good-bye (fail-over, restart)
_RERUN_SQLSTATES = frozenset({"40001", "40P01", "57P01", "57P02", "57P03", "08006", "08003", "25006"})
_TEXTS: dict[str, TextClause] = {}


class Tx:
    """One transaction. `rows` and `run` take SQL with :named parameters."""

    def __init__(self, connection: AsyncConnection, dialect: str) -> None:
        self._connection = connection
        self.dialect = dialect

    async def rows(self, sql: str, /, **parameters: Cell) -> Sequence[Row[Any]]:
        """All rows of a statement (also RETURNING; without an order unless the SQL says one)."""
        result = await self._connection.execute(_compiled(sql), parameters)
        return result.all()

    async def run(self, sql: str, /, **parameters: Cell) -> int:
        """Runs a statement. Returns: rows changed."""
        result = await self._connection.execute(_compiled(sql), parameters)
        return int(result.rowcount)

    async def insert_many(self, statement: Executable, rows: Sequence[Mapping[str, Cell]]) -> None:
        """Inserts rows one by one in the driver (blobs); no rows is no statement."""
        if rows:
            await self._connection.execute(statement, rows)

    def json_rows(self, *columns: tuple[str, Kind]) -> str:
        """The derived table `x` that reads `:rows` (storage/rows.py)."""
        return json_rows(self.dialect, columns)

    @staticmethod
    def pack(rows: Sequence[Sequence[Cell]]) -> str:
        return pack(rows)


class Database:
    """One database: a single fair writer on SQLite, a pool on PostgreSQL."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine, file: Path | None = None) -> None:
        self._writer = writer
        self._reader = reader
        self._turnstile = Turnstile(file) if file else None
        self._watch = Watch(file) if file else None
        self._running: set[asyncio.Task[Any]] = set()
        self.dialect = writer.dialect.name
        self.engine = writer

    async def write(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `fn` in one write transaction; `fn` may run again and must not do anything outside it.

        Raises: StorageBusy when five runs met a conflict or a lost connection.
        """
        task = asyncio.ensure_future(self._write(fn))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _write(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        for run in range(_RERUNS):
            try:
                async with (
                    self._turnstile.turn() if self._turnstile else nullcontext(),
                    self._writer.begin() as connection,
                ):
                    return await fn(Tx(connection, self.dialect))
            except (DBAPIError, OSError) as error:
                if not _wants_rerun(error):
                    raise
                await asyncio.sleep(0.01 * 4**run)
        raise StorageBusy("the database did not take the transaction in five runs")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """One consistent snapshot; keep it short (PostgreSQL: a long one slows claims down)."""
        async with self._reader.connect() as connection:
            if self.dialect == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield Tx(connection, self.dialect)

    def data_version(self) -> int:
        """A number that changes whenever anyone commits (SQLite, some microseconds); always 0 on PostgreSQL."""
        return self._watch.data_version() if self._watch else 0

    async def close(self) -> None:
        """Lets running transactions end, then closes every connection (an open one keeps Python alive)."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._writer.dispose()
        await self._reader.dispose()
        if self._turnstile and self._watch:
            self._turnstile.close()
            self._watch.close()


def _compiled(sql: str) -> TextClause:
    clause = _TEXTS.get(sql)
    if clause is None:
        clause = _TEXTS[sql] = text(sql)
    return clause


def _wants_rerun(error: Exception) -> bool:
    if isinstance(error, OSError):
        return True
    assert isinstance(error, DBAPIError)
    sqlstate = getattr(error.orig, "sqlstate", None)
    return (
        error.connection_invalidated
        or sqlstate in _RERUN_SQLSTATES
        or "database is locked" in str(error.orig)
        or "connection is closed" in str(error.orig)
    )


def open_database(url: str) -> Database:
    """Opens `sqlite:///FILE` or `postgresql://…`. Raises: ConfigError for any other engine."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigError(
                "GATEWAY_DATABASE_URL: SQLite needs a file, for example sqlite:///data/gateway.db"
            )
        folder = Path(parsed.database).parent
        if not folder.is_dir():
            raise ConfigError(f"the database folder {folder} is missing: run `gateway init`, or make it")
        # Only for its owner, from the first byte; SQLite gives the WAL and its index the same mode.
        Path(parsed.database).touch(mode=0o600, exist_ok=True)
        url = f"sqlite+aiosqlite:///{parsed.database}"
        writer = create_async_engine(url, pool_size=1, max_overflow=0, hide_parameters=True)
        reader = create_async_engine(url, pool_size=4, max_overflow=4, hide_parameters=True)
        prepare_sqlite(writer.sync_engine, begin="BEGIN IMMEDIATE")
        prepare_sqlite(reader.sync_engine, begin="BEGIN")
        return Database(writer, reader, Path(parsed.database))
    if backend == "postgresql":
        engine = create_async_engine(
            parsed.set(drivername="postgresql+asyncpg"),
            pool_size=10,
            max_overflow=10,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        _prepare_postgres(engine)
        return Database(engine, engine)
    raise ConfigError(f"GATEWAY_DATABASE_URL: expected sqlite or postgresql, got {backend!r}")


def _prepare_postgres(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        # A server set to asynchronous commit would make our 202 a lie.
        cursor = connection.cursor()
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("SET statement_timeout = '60s'")
        cursor.close()
        connection.commit()
