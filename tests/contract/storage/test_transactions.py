"""A transaction is all or nothing on both engines, and awaits nothing but its own statements."""

import asyncio
from contextvars import ContextVar

import pytest

from gateway.storage.engine import Database, Tx

WHO: ContextVar[str] = ContextVar("who")


async def names(db: Database) -> list[str]:
    async def look(tx: Tx) -> list[str]:
        return [row.name for row in await tx.rows("SELECT name FROM vendors ORDER BY id")]

    return await db.look(look)


async def rename(tx: Tx) -> None:
    await tx.run("UPDATE vendors SET name = 'other' WHERE id = 1")


async def test_what_raises_leaves_nothing_behind(db):
    """An error anywhere in it undoes every statement, and reaches the caller as it was raised."""

    async def fail(tx: Tx) -> None:
        await rename(tx)
        raise LookupError("no")

    with pytest.raises(LookupError):
        await db.write(fail)
    assert await names(db) == ["viettel", "vnpt"]
    await db.write(rename)
    assert await names(db) == ["other", "vnpt"]


async def test_a_transaction_that_awaits_something_else_is_refused(db):
    """On SQLite it would hold the write turn of every process; it is undone and the next one goes on."""
    if db.dialect != "sqlite":
        pytest.skip("PostgreSQL has no single writer")

    async def wander(tx: Tx) -> None:
        await rename(tx)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaits nothing but"):
        await db.write(wander)
    assert await names(db) == ["viettel", "vnpt"]
    await db.write(rename)


async def test_a_caller_that_goes_away_leaves_a_whole_transaction(db):
    """What has begun is committed or undone, never cut in the middle by a cancelled request."""
    task = asyncio.create_task(db.write(rename))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.write(lambda tx: tx.run("UPDATE vendors SET name = 'second' WHERE id = 2"))
    assert await names(db) == ["other", "second"]


async def test_a_transaction_knows_whose_request_it_serves(db):
    """Log lines written inside keep the request's id, whatever thread they come from."""
    WHO.set("request 7")

    async def who(tx: Tx) -> str:
        return WHO.get()

    assert await db.write(who) == "request 7"
    assert await db.look(who) == "request 7"


async def test_a_read_writes_nothing(db):
    """A snapshot that could write would pass by the write turn."""
    with pytest.raises(Exception, match="read"):
        async with db.read() as tx:
            await rename(tx)
    assert await names(db) == ["viettel", "vnpt"]


async def test_a_reader_that_goes_away_leaves_no_transaction_open(db):
    """Cancelled at any moment, also while it begins: the connection serves the next reader."""

    async def look() -> None:
        async with db.read() as tx:
            await tx.rows("SELECT name FROM vendors")

    for moments in range(8):
        task = asyncio.create_task(look())
        for _ in range(moments):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await look()
