"""What our 202 rests on: the right library, a full sync on every writer, one schema from the migrations."""

import sqlite3

import pytest

from gateway.model.errors import ConfigError
from gateway.storage.engine import open_database
from gateway.storage.schema import check_schema, migrate
from gateway.storage.sqlite import has_wal_reset_bug
from gateway.storage.tables import metadata


def test_the_linked_sqlite_has_no_wal_reset_bug():
    """A library that can lose committed writes must not be in use, wherever it came from."""
    version = tuple(int(part) for part in sqlite3.sqlite_version.split("."))
    assert not has_wal_reset_bug(version)


@pytest.mark.parametrize(
    ("version", "bug"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
    ],
)
def test_versions_with_the_bug(version, bug):
    """The repaired branches and everything from 3.51.3 on are good; the rest since WAL exists is not."""
    assert has_wal_reset_bug(version) is bug


async def test_every_writer_commits_with_a_full_sync(db):
    """202 means committed: a power cut after it must not undo it."""

    async def ask(tx):
        if tx.dialect == "sqlite":
            [[sync]], [[mode]] = await tx.rows("PRAGMA synchronous"), await tx.rows("PRAGMA journal_mode")
            return sync, mode
        [[sync]] = await tx.rows("SHOW synchronous_commit")
        return sync, "wal"

    assert await db.write(ask) == ((2, "wal") if db.dialect == "sqlite" else ("on", "wal"))


async def test_the_migrations_make_exactly_the_tables_of_the_code(database_url):
    """The tables and the migrations never drift apart."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    db = open_database(database_url)
    with pytest.raises(ConfigError, match="gateway init"):
        await check_schema(db)
    await migrate(db)
    await migrate(db)
    await check_schema(db)
    async with db.engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    assert differences == []
    await db.close()


async def test_a_failed_write_leaves_nothing(db):
    """A transaction that raises is rolled back as a whole."""

    async def half(tx):
        await tx.run("INSERT INTO wakes (kind, key, cause, at_ms) VALUES ('a', 'b', 'c', 1)")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await db.write(half)
    async with db.read() as tx:
        [[n]] = await tx.rows("SELECT COUNT(*) FROM wakes")
    assert n == 0
