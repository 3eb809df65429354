"""A stream's place moves in the transaction of its completions, on every engine."""

import asyncio

import pytest

from gateway.model.errors import NotFound, Refused
from gateway.queue.accept import Acceptor
from gateway.queue.balance import balance
from gateway.queue.streams import (
    RECEIPTS,
    LineReceipt,
    Place,
    advance,
    find_stream,
    is_current,
    open_stream,
    receipts_after,
)
from gateway.storage.engine import Database
from tests.builders import FakeClock, an_arrival


async def move(db: Database, clock: FakeClock, place: Place, to_line: int, *arrivals, kept=()):
    """Accepts arrivals and moves the stream, in one commit."""

    async def also(tx, _):
        await advance(tx, place, to_line, kept, clock.now_ms())

    return await Acceptor(db, clock).accept(arrivals, also=also)


async def test_completions_of_an_older_epoch_are_not_stored(db, clock):
    """Opening again raises the epoch: neither the place nor a completion of the older one is written."""
    stream = await open_stream(db, clock, 1, "nightly")
    old = Place(stream.id, stream.epoch, stream.line)
    await move(db, clock, old, 2, an_arrival("a"), an_arrival("b"))
    again = await open_stream(db, clock, 1, "nightly")
    assert (again.id, again.epoch, again.line) == (stream.id, stream.epoch + 1, 2)
    with pytest.raises(Refused) as refused:
        await move(db, clock, Place(stream.id, old.epoch, 2), 3, an_arrival("c"))
    assert refused.value.code == "stream.superseded"
    assert (await balance(db)).total.received == 2
    assert (await find_stream(db, 1, "nightly")).line == 2
    assert await is_current(db, Place(again.id, again.epoch, 2))
    assert not await is_current(db, old)


async def test_who_refuses_to_move_undoes_nobody_else(db, clock):
    """Requests share a commit: one that must be undone is undone alone, its neighbours stay."""
    stream = await open_stream(db, clock, 1, None)
    acceptor = Acceptor(db, clock)

    async def wrong(tx, _):
        await advance(tx, Place(stream.id, stream.epoch, 7), 8, (), clock.now_ms())

    async with asyncio.TaskGroup() as tasks:
        before = tasks.create_task(acceptor.accept([an_arrival("a")]))
        refused = tasks.create_task(refusal(acceptor.accept([an_arrival("b")], also=wrong)))
        after = tasks.create_task(acceptor.accept([an_arrival("c")]))
    assert refused.result() == "stream.superseded"
    assert before.result()[0].delivery_id != after.result()[0].delivery_id
    sheet = (await balance(db)).total
    assert (sheet.received, sheet.states["accepted"]) == (2, 2)


async def refusal(accepting) -> str:
    with pytest.raises(Refused) as refused:
        await accepting
    return refused.value.code


async def test_receipts_are_read_by_line_and_page(db, clock):
    """Whoever asks after the last line of a page gets the next one, each receipt once."""
    stream = await open_stream(db, clock, 2, "x")
    kept = [LineReceipt(n, "invalid", f"e{n}", None, [("$.a", "field.missing")]) for n in range(1, 6)]
    await move(db, clock, Place(stream.id, 1, 0), 5, kept=kept)
    first = await receipts_after(db, stream.id, 0, limit=3)
    rest = await receipts_after(db, stream.id, first[-1].line, limit=3)
    assert [*first, *rest] == kept
    with pytest.raises(NotFound):
        await find_stream(db, 1, "x")


async def test_a_page_of_receipts_is_one_range_of_the_key(db, clock):
    """A million receipts of a stream are paged through without sorting or scanning."""
    stream = await open_stream(db, clock, 1, "x")
    kept = [LineReceipt(n, "duplicate", f"e{n}", n) for n in range(1, 5_001)]
    await move(db, clock, Place(stream.id, 1, 0), 5_000, kept=kept)
    word = "EXPLAIN QUERY PLAN " if db.dialect == "sqlite" else "EXPLAIN "
    async with db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    async with db.read() as tx:
        rows = await tx.rows(word + RECEIPTS, stream=stream.id, after=100, limit=10)
    text = "\n".join(str(row[-1]) for row in rows)
    wanted = "sqlite_autoindex_stream_receipts" if db.dialect == "sqlite" else "pk_stream_receipts"
    assert wanted in text, text
    assert "SCAN" not in text
    assert "Seq Scan" not in text
    assert "Sort" not in text
    assert "B-TREE" not in text
