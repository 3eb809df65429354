"""Opening a database and running transactions on it, the same way on SQLite and PostgreSQL.

`write(fn)` runs `fn(tx)` in one transaction: committed when it returns, rolled back when it raises, run
again when the engine asks for that. A caller that is cancelled never leaves one half done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.model.errors import ConfigError, StorageBusy
from gateway.storage.postgres import PostgresBackend
from gateway.storage.sqlite_backend import SqliteBackend
from gateway.storage.tx import Tx as Tx  # the type of what `write` and `read` give

T = TypeVar("T")
_RERUNS = 5
# serialization_failure, deadlock_detected, and the ways a server says good-bye (fail-over, restart)
_RERUN_SQLSTATES = frozenset({"40001", "40P01", "57P01", "57P02", "57P03", "08006", "08003", "25006"})


class Backend(Protocol):
    """One engine: what differs between SQLite and PostgreSQL."""

    dialect: str

    def schema_engine(self) -> AsyncEngine: ...
    async def write(self, fn: Callable[[Tx], Awaitable[T]]) -> T: ...
    async def look(self, fn: Callable[[Tx], Awaitable[T]]) -> T: ...
    def read(self) -> AbstractAsyncContextManager[Tx]: ...
    def data_version(self) -> int: ...
    async def close(self) -> None: ...


class Database:
    """One database: a single fair writer on SQLite, a pool on PostgreSQL."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._schema_engine: AsyncEngine | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self.dialect = backend.dialect

    @property
    def engine(self) -> AsyncEngine:
        """SQLAlchemy's way to this database, for migrations and for looking at the schema."""
        if self._schema_engine is None:
            self._schema_engine = self._backend.schema_engine()
        return self._schema_engine

    async def write(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `fn` in one write transaction; `fn` may run again, and awaits nothing but its statements.

        Raises: StorageBusy when five runs met a conflict or a lost connection.
        """
        task = asyncio.ensure_future(self._write(fn))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _write(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        for run in range(_RERUNS):
            try:
                return await self._backend.write(fn)
            except (DBAPIError, OSError) as error:
                if not _wants_rerun(error):
                    raise
                await asyncio.sleep(0.01 * 4**run)
        raise StorageBusy("the database did not take the transaction in five runs")

    async def look(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `fn` on one consistent snapshot, in one go: for hot paths; it awaits nothing else."""
        return await self._backend.look(fn)

    def read(self) -> AbstractAsyncContextManager[Tx]:
        """One consistent snapshot; keep it short (PostgreSQL: a long one slows claims down)."""
        return self._backend.read()

    def data_version(self) -> int:
        """A number that changes whenever anyone commits (SQLite, some microseconds); always 0 on PostgreSQL."""
        return self._backend.data_version()

    async def close(self) -> None:
        """Lets running transactions end, then closes every connection."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._backend.close()
        if self._schema_engine is not None:
            await self._schema_engine.dispose()


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
        return Database(SqliteBackend(Path(parsed.database)))
    if backend == "postgresql":
        return Database(PostgresBackend(parsed))
    raise ConfigError(f"GATEWAY_DATABASE_URL: expected sqlite or postgresql, got {backend!r}")
