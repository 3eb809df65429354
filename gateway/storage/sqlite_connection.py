"""A SQLite connection with a thread of its own that runs whole transactions, not statement by statement.

A transaction is a coroutine function that awaits nothing but its own statements, so the thread runs it from
BEGIN to COMMIT in one go: one change of threads, and the write turn is held no longer than the work takes.
"""

import contextvars
import sqlite3
from collections import namedtuple
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar, cast

import aiosqlite
from sqlalchemy import Executable
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from gateway.storage.rows import Cell
from gateway.storage.sqlite import set_pragmas
from gateway.storage.tx import Tx

T = TypeVar("T")
_DIALECT = sqlite.dialect(paramstyle="named")
_named: Any = namedtuple  # the names are known only when a statement has run
_STATEMENTS = 512  # prepared ones that a connection keeps: more than we have
_ROWS: dict[str, Callable[[Sequence[Cell]], Any]] = {}  # SQL -> the type of its rows


class SqliteTx(Tx):
    """A transaction inside the connection's thread: its methods never suspend."""

    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def rows(self, sql: str, /, **parameters: Cell) -> Sequence[Any]:
        return fetch(self._connection, sql, parameters)

    async def run(self, sql: str, /, **parameters: Cell) -> int:
        with _named_errors(sql):
            return self._connection.execute(sql, parameters).rowcount

    async def run_many(self, sql: str, rows: Sequence[Mapping[str, Cell]]) -> None:
        if rows:
            with _named_errors(sql):
                self._connection.executemany(sql, rows)

    async def insert_many(self, statement: Executable, rows: Sequence[Mapping[str, Cell]]) -> None:
        if rows:
            await self.run_many(worded(statement, rows[0]), rows)


class SqliteRead(Tx):
    """A read transaction held from outside the thread: each statement changes threads twice."""

    dialect = "sqlite"

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def rows(self, sql: str, /, **parameters: Cell) -> Sequence[Any]:
        return await self._connection.call(lambda raw: fetch(raw, sql, parameters))

    async def run(self, sql: str, /, **parameters: Cell) -> int:
        raise TypeError("nothing is written in a read transaction")

    async def run_many(self, sql: str, rows: Sequence[Mapping[str, Cell]]) -> None:
        raise TypeError("nothing is written in a read transaction")

    async def insert_many(self, statement: Executable, rows: Sequence[Mapping[str, Cell]]) -> None:
        raise TypeError("nothing is written in a read transaction")


class Connection(aiosqlite.Connection):
    """One connection. What it is asked runs in order, in its thread."""

    def __init__(self, file: Path) -> None:
        super().__init__(lambda: _connect(file), iter_chunk_size=64)
        self._thread.daemon = True  # an exit without `close` must not hang; the file is safe at any moment

    async def call(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `fn` in the connection's thread."""
        done = self._execute(lambda: fn(self._conn))  # type: ignore[no-untyped-call] # aiosqlite
        return cast(T, await done)

    @classmethod
    async def open(cls, file: Path) -> "Connection":
        """Starts the thread and connects in it."""
        connection = cls(file)
        await connection
        return connection

    async def transact(
        self,
        begin: str,
        fn: Callable[[Tx], Awaitable[T]],
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> T:
        """Runs `fn` in one transaction within `turn`: committed when it returns, rolled back when it raises."""
        context = contextvars.copy_context()  # log lines keep their request's id

        def run(raw: sqlite3.Connection) -> T:
            with turn():
                with _named_errors(begin):
                    raw.execute(begin)
                try:
                    result = context.run(_drive, fn, raw)
                    with _named_errors("COMMIT"):
                        raw.execute("COMMIT")
                except BaseException:
                    if raw.in_transaction:
                        raw.execute("ROLLBACK")
                    raise
                return result

        return await self.call(run)


def fetch(connection: sqlite3.Connection, sql: str, parameters: Mapping[str, Cell]) -> list[Any]:
    """All rows of a statement, cells by name."""
    with _named_errors(sql):
        cursor = connection.execute(sql, parameters)
        found = cursor.fetchall()
    if not found:
        return found
    row = _ROWS.get(sql)
    if row is None:
        names = [column[0] for column in cursor.description]
        row = _ROWS[sql] = _named("Row", names, rename=True)._make
    return list(map(row, found))


def worded(statement: Executable, row: Mapping[str, Cell]) -> str:
    """A statement of SQLAlchemy as SQL with :named parameters for rows like `row`."""
    return str(statement.compile(dialect=_DIALECT, column_keys=list(row)))  # type: ignore[attr-defined] # it has it


def _drive(fn: Callable[[Tx], Awaitable[T]], connection: sqlite3.Connection) -> T:
    coroutine = cast(Coroutine[Any, Any, T], fn(SqliteTx(connection)))
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    coroutine.close()
    raise RuntimeError("a transaction awaits nothing but its own statements")


@contextmanager
def _named_errors(sql: str) -> Iterator[None]:
    """Errors of the driver as SQLAlchemy's, so that both engines raise the same; never with parameters."""
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            sql, None, error, sqlite3.Error, hide_parameters=True, dialect=_DIALECT
        ) from error


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, cached_statements=_STATEMENTS)
    set_pragmas(connection)
    return connection
