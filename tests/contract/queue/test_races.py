"""Two transactions at once on the same record: neither may decide by what the other is about to change."""

import asyncio
import threading

from gateway.model.outcomes import Advance, Hold, Wait
from gateway.model.states import State
from gateway.queue.accept import Acceptor
from gateway.queue.acknowledge import Acknowledged
from gateway.queue.acts import withdraw
from gateway.queue.balance import balance
from gateway.queue.claim import claim
from gateway.queue.delivery import Delivery, Result, Target
from gateway.queue.record import record, record_in
from gateway.queue.wake import newest_wake, wake, wake_in
from gateway.storage.engine import Database, Tx, open_database
from tests.builders import FakeClock, an_arrival, steady

LEASE = 30_000


async def take(db: Database, clock: FakeClock, state: State, lane: int = 101) -> list[Delivery]:
    return await claim(db, clock, state, lane, limit=100, lease_ms=LEASE)


def verified(delivery: Delivery, *, rank: int) -> Result:
    return Result(delivery, Advance(State.VERIFIED), "verified", Target(1, "GVPT01", "2025-2026", rank))


async def rows(db: Database, sql: str, **parameters):
    async with db.read() as tx:
        return list(await tx.rows(sql, **parameters))


class Halting(Tx):
    """A transaction that halts before the statement that contains `before`, or where it is told to.

    On SQLite it runs in a thread of its own and blocks that; on PostgreSQL it waits in the event loop.
    """

    def __init__(self, tx: Tx, before: str, loop: asyncio.AbstractEventLoop) -> None:
        self.dialect = tx.dialect
        self.halted = asyncio.Event()
        self._tx, self._before, self._loop = tx, before, loop
        self._in_thread, self._in_loop = threading.Event(), asyncio.Event()

    async def rows(self, sql: str, /, **parameters):
        return await self._tx.rows(sql, **parameters)

    async def run(self, sql: str, /, **parameters) -> int:
        if self._before and self._before in sql:
            await self.halt()
        return await self._tx.run(sql, **parameters)

    async def run_many(self, sql, rows) -> None:
        await self._tx.run_many(sql, rows)

    async def insert_many(self, statement, rows) -> None:
        await self._tx.insert_many(statement, rows)

    async def halt(self) -> None:
        self._loop.call_soon_threadsafe(self.halted.set)
        if self.dialect == "sqlite":
            assert self._in_thread.wait(10)
        else:
            await self._in_loop.wait()

    def go_on(self) -> None:
        self._in_thread.set()
        self._in_loop.set()


async def until_blocked(db: Database, task: asyncio.Task[None]) -> None:
    """Until `task` has ended or waits for a lock; on SQLite there is one writer, so it waits anyway."""
    if db.dialect == "sqlite":
        return
    async with asyncio.timeout(10):
        while not task.done():
            if await rows(db, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                return
            await asyncio.sleep(0.005)


async def overlapping(db: Database, first, second, *, before: str = "") -> None:
    """Runs `second` while `first(tx)` halts: before the statement that contains `before`, or its commit."""
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[Halting] = loop.create_future()

    async def halting(tx: Tx) -> None:
        halts = Halting(tx, before, loop)
        if not opened.done():
            loop.call_soon_threadsafe(opened.set_result, halts)
        await first(halts)
        if not before:
            await halts.halt()

    one = asyncio.create_task(db.write(halting))
    halts = await opened
    await halts.halted.wait()
    two = asyncio.create_task(second())
    await until_blocked(db, two)
    halts.go_on()
    await asyncio.gather(one, two)


async def delivered_record(db: Database, clock: FakeClock) -> None:
    """A record that exists already, with a weak result that TEMIS has."""
    await Acceptor(db, clock).accept([an_arrival("weak")])
    [d] = await take(db, clock, State.ACCEPTED)
    await record(db, clock, "verify", [verified(d, rank=1)], jitter=steady())
    [d] = await take(db, clock, State.VERIFIED)
    acknowledged = [Acknowledged(d.record_id, d.id, 1, "T1")]
    result = Result(d, Advance(State.DELIVERED), "created")
    await record(db, clock, "deliver", [result], acknowledged=acknowledged, jitter=steady())


async def test_of_two_retakes_verified_at_once_the_better_one_stands(db, clock):
    """Each transaction sees the other's result, whichever commits first."""
    await delivered_record(db, clock)
    await Acceptor(db, clock).accept([an_arrival("better"), an_arrival("good")])
    better, good = await take(db, clock, State.ACCEPTED)

    async def verify_good(tx: Tx) -> None:
        await record_in(tx, "verify", [verified(good, rank=50)], (), 0, clock.now_ms(), steady())

    async def verify_better() -> None:
        await record(db, clock, "verify", [verified(better, rank=80)], jitter=steady())

    await overlapping(db, verify_good, verify_better, before="UPDATE records SET winner_id")
    [found] = await rows(db, "SELECT * FROM records")
    assert found.winner_id == better.id
    states = {row.id: (row.state, row.superseded_by) for row in await rows(db, "SELECT * FROM deliveries")}
    assert states[better.id] == ("verified", None)
    assert states[good.id] == ("voided", better.id)


async def test_a_withdrawal_beside_a_verified_retake_leaves_the_retake_standing(db, clock):
    """The only result is taken back while a retake is being verified: the retake wins, nothing is taken out."""
    await delivered_record(db, clock)
    await Acceptor(db, clock).accept([an_arrival("retake")])
    [retake] = await take(db, clock, State.ACCEPTED)

    async def verify_retake(tx: Tx) -> None:
        await record_in(tx, "verify", [verified(retake, rank=50)], (), 0, clock.now_ms(), steady())

    await overlapping(db, verify_retake, lambda: withdraw(db, clock, 1, "weak"))
    [found] = await rows(db, "SELECT * FROM records")
    assert found.winner_id == retake.id
    assert not await rows(db, "SELECT 1 FROM deliveries WHERE kind = 'withdrawal'")


async def test_a_delivery_recorded_beside_a_better_retake_meets_no_deadlock(db, clock):
    """Records are locked before deliveries, so the two wait for each other in one order."""
    await Acceptor(db, clock).accept([an_arrival("first")])
    [d] = await take(db, clock, State.ACCEPTED)
    await record(db, clock, "verify", [verified(d, rank=1)], jitter=steady())
    await Acceptor(db, clock).accept([an_arrival("better")])
    [better] = await take(db, clock, State.ACCEPTED)
    [first] = await take(db, clock, State.VERIFIED)
    runs = 0

    async def deliver_first(tx: Tx) -> None:
        nonlocal runs
        runs += 1
        result = Result(first, Advance(State.DELIVERED), "created")
        acknowledged = [Acknowledged(first.record_id, first.id, 1, "T1")]
        await record_in(tx, "deliver", [result], acknowledged, 0, clock.now_ms(), steady())

    async def verify_better() -> None:
        async def in_tx(tx: Tx) -> None:
            nonlocal runs
            runs += 1
            await record_in(tx, "verify", [verified(better, rank=80)], (), 0, clock.now_ms(), steady())

        await db.write(in_tx)

    await overlapping(db, deliver_first, verify_better)
    assert runs == 2
    [found] = await rows(db, "SELECT * FROM records")
    assert (found.winner_id, found.sent_id, found.record_revision) == (better.id, first.id, 2)


async def test_an_answer_recorded_after_a_newer_one_leaves_one_result_standing(db, clock):
    """The weak result is read back from TEMIS, the retake overtakes it there, and its answer comes in first."""
    await Acceptor(db, clock).accept([an_arrival("weak")])
    [d] = await take(db, clock, State.ACCEPTED)
    await record(db, clock, "verify", [verified(d, rank=1)], jitter=steady())
    [weak] = await take(db, clock, State.VERIFIED)
    await Acceptor(db, clock).accept([an_arrival("retake")])
    [d] = await take(db, clock, State.ACCEPTED)
    await record(db, clock, "verify", [verified(d, rank=80)], jitter=steady())
    [retake] = await take(db, clock, State.VERIFIED)
    for delivery, revision in ((retake, 2), (weak, 1)):
        result = Result(delivery, Advance(State.DELIVERED), "read_back")
        acknowledged = [Acknowledged(delivery.record_id, delivery.id, revision, "T1")]
        await record(db, clock, "deliver", [result], acknowledged=acknowledged, jitter=steady())
    states = {row.id: (row.state, row.superseded_by) for row in await rows(db, "SELECT * FROM deliveries")}
    assert states == {retake.id: ("delivered", None), weak.id: ("voided", retake.id)}
    [found] = await rows(db, "SELECT * FROM records")
    assert (found.sent_id, found.sent_revision) == (retake.id, 2)


async def take_one(db: Database, clock: FakeClock, event_id: str, state: State) -> Delivery:
    [d] = [d for d in await take(db, clock, state) if d.event_id == event_id]
    return d


async def verify_one(db: Database, clock: FakeClock, event_id: str, rank: int) -> int:
    await Acceptor(db, clock).accept([an_arrival(event_id)])
    d = await take_one(db, clock, event_id, State.ACCEPTED)
    await record(db, clock, "verify", [verified(d, rank=rank)], jitter=steady())
    return d.id


async def acknowledge(db: Database, clock: FakeClock, d: Delivery, revision: int) -> None:
    result = Result(d, Advance(State.DELIVERED), "created")
    acknowledged = [Acknowledged(d.record_id, d.id, revision, "T1")]
    await record(db, clock, "deliver", [result], acknowledged=acknowledged, jitter=steady())


async def one(db: Database, id_: int):
    [found] = await rows(db, "SELECT * FROM deliveries WHERE id = :id", id=id_)
    return found


async def test_a_row_that_became_the_winner_again_is_not_lost_to_a_worker_that_saw_it_outdone(db, clock):
    """The worker read the record before the better result was withdrawn: what it voids stands again at once."""
    again = await verify_one(db, clock, "again", 50)
    in_hand = await take_one(db, clock, "again", State.VERIFIED)
    await verify_one(db, clock, "better", 80)
    await withdraw(db, clock, 1, "better")
    outdone = Result(in_hand, Advance(State.VOIDED, "superseded"), "superseded", not_sent=True)
    await record(db, clock, "deliver", [outdone], jitter=steady())
    found = await one(db, again)
    assert (found.state, found.due_at_ms, found.superseded_by) == ("verified", clock.now_ms(), None)


async def test_an_answer_to_an_outdated_revision_does_not_end_the_winner(db, clock):
    """Sent as revision 1; B went by as 2 and was withdrawn; so it must go again, as 3, whatever TEMIS said."""
    a = await verify_one(db, clock, "a", 50)
    in_flight = await take_one(db, clock, "a", State.VERIFIED)
    await verify_one(db, clock, "b", 80)
    await take_one(db, clock, "b", State.VERIFIED)
    await withdraw(db, clock, 1, "b")
    await acknowledge(db, clock, in_flight, 1)
    assert (await one(db, a)).state == "verified"
    [found] = await rows(db, "SELECT * FROM records")
    assert (found.winner_id, found.record_revision, found.sent_revision) == (a, 3, 1)
    await acknowledge(db, clock, await take_one(db, clock, "a", State.VERIFIED), 3)
    assert (await one(db, a)).state == "delivered"
    assert not await rows(db, "SELECT 1 FROM deliveries WHERE unknown_since_ms IS NOT NULL")


async def test_two_processes_that_store_the_same_events_at_once_give_the_right_receipts(
    database_url, db, clock
):
    """Each event is received once in the ledger, every other sending of it is a duplicate or a conflict."""
    other = open_database(database_url)
    batches = [
        [an_arrival(f"e{n}", content=b"x" if n % 5 or start else b"y") for n in range(start, start + 60)]
        for start in (0, 20, 40, 0, 20, 40)
    ]
    batches = [batch[::-1] if n % 2 else batch for n, batch in enumerate(batches)]  # in opposite orders
    processes = [Acceptor(one, clock) for one in (db, other, db, other, db, other)]
    answers = await asyncio.gather(
        *(process.accept(batch) for process, batch in zip(processes, batches, strict=True))
    )
    await other.close()
    sheet = (await balance(db)).total
    assert sheet.closes
    assert sheet.received == 100 == sum(r.status == "accepted" for a in answers for r in a)
    assert sum(sheet.arrived.values()) == 360
    kept = await rows(db, "SELECT COUNT(*) AS n FROM quarantine")
    assert kept[0].n == sheet.arrived["conflict"]
    assert len(await rows(db, "SELECT 1 FROM payloads")) == 100


async def test_a_balance_read_while_others_store_and_deliver_always_closes(db, clock):
    """Ledger and rows are read in one snapshot, whatever commits in between."""
    acceptor = Acceptor(db, clock)
    ended = asyncio.Event()

    async def look() -> int:
        looks = 0
        while not ended.is_set():
            assert (await balance(db)).closes
            looks += 1
        return looks

    looking = asyncio.create_task(look())
    for n in range(15):
        await acceptor.accept([an_arrival(f"b{n}-{i}") for i in range(20)])
        await take(db, clock, State.ACCEPTED)
    ended.set()
    assert await looking > 1


HOLD = Hold("registry.not_found", "school", (Wait("person", "p1"),))


async def test_a_wake_beside_the_hold_it_concerns_waits_for_it(db, clock):
    """The hold is written and not yet committed when the person is mended: the wake finds it."""
    await Acceptor(db, clock).accept([an_arrival("held")])
    seen = await newest_wake(db)
    [d] = await take(db, clock, State.ACCEPTED)

    async def hold(tx: Tx) -> None:
        await record_in(tx, "verify", [Result(d, HOLD, "held")], (), seen, clock.now_ms(), steady())

    async def mend() -> None:
        assert await wake(db, clock, [Wait("person", "p1")], cause="registry_fix") == 1

    await overlapping(db, hold, mend)
    assert [again.id for again in await take(db, clock, State.HELD)] == [d.id]


async def test_a_hold_beside_the_wake_that_concerns_it_waits_for_it(db, clock):
    """The wake found nobody and is not yet committed when the hold is written: the hold is due at once."""
    await Acceptor(db, clock).accept([an_arrival("held")])
    seen = await newest_wake(db)
    [d] = await take(db, clock, State.ACCEPTED)

    async def mend(tx: Tx) -> None:
        assert await wake_in(tx, [Wait("person", "p1")], clock.now_ms(), cause="registry_fix") == 0

    async def hold() -> None:
        await record(db, clock, "verify", [Result(d, HOLD, "held")], seen_wake=seen, jitter=steady())

    await overlapping(db, mend, hold)
    assert [again.id for again in await take(db, clock, State.HELD)] == [d.id]
