"""SQLite as a durable engine: the right library, WAL with a full sync at each commit, explicit BEGIN."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from gateway.model.errors import ConfigError

# The WAL-reset bug (sqlite.org/wal.html): committed writes can be lost when two connections write and
# checkpoint at once. Fixed in 3.51.3 and in the branches 3.50.7 and 3.44.6.
_REPAIRED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
AUTOCHECKPOINT_PAGES = 20_000


def has_wal_reset_bug(version: tuple[int, int, int]) -> bool:
    """Whether a SQLite of this version can lose a committed write."""
    if version >= _REPAIRED[0] or version < (3, 7, 0):
        return False
    return not any(version[:2] == fixed[:2] and version >= fixed for fixed in _REPAIRED)


def refuse_a_damaging_library() -> None:
    """Raises: ConfigError when the linked library has the WAL-reset bug."""
    major, minor, patch = (int(part) for part in sqlite3.sqlite_version.split("."))
    if has_wal_reset_bug((major, minor, patch)):
        raise ConfigError(
            f"SQLite {sqlite3.sqlite_version} can lose committed writes; 3.51.3 or later is needed"
        )


def set_pragmas(connection: Any) -> None:
    """What every connection of ours must have, whoever opened it."""
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=10000",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "cache_size=-24576",  # KiB for each connection; a stream of a million lines fits into 200 MB with it
        f"wal_autocheckpoint={AUTOCHECKPOINT_PAGES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def prepare_sqlite(engine: Engine, *, begin: str) -> None:
    """Sets the pragmas of each new connection of SQLAlchemy's and how a transaction begins."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        set_pragmas(connection)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)


class Watch:
    """Sees commits of other connections and processes: `PRAGMA data_version` on a connection of its own."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)

    def data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        self._connection.close()
