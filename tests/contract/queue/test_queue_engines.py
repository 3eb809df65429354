"""The queue's rules, the same on every engine."""

import asyncio

import pytest

from gateway.model.clock import DAY_MS, HOUR_MS
from gateway.model.errors import NotFound, StorageBusy
from gateway.model.outcomes import Advance, Bury, Hold, RetryLater, Wait
from gateway.model.states import State
from gateway.queue.accept import Acceptor
from gateway.queue.acknowledge import Acknowledged
from gateway.queue.acts import replay, withdraw
from gateway.queue.balance import balance
from gateway.queue.claim import claim, due_lanes
from gateway.queue.delivery import Delivery, ReceiptStatus, Result, SetAside, Target
from gateway.queue.record import record
from gateway.queue.wake import newest_wake, wake
from gateway.storage.engine import Database
from tests.builders import FakeClock, an_arrival, steady

LEASE = 30_000


async def accept(db: Database, clock: FakeClock, *arrivals):
    return await Acceptor(db, clock).accept(arrivals)


async def take(db: Database, clock: FakeClock, state: State, lane: int = 101) -> list[Delivery]:
    return await claim(db, clock, state, lane, limit=100, lease_ms=LEASE)


async def write(db: Database, clock: FakeClock, stage: str, *results: Result, **more) -> set[int]:
    return await record(db, clock, stage, results, jitter=steady(), **more)


async def row(db: Database, id_: int):
    async with db.read() as tx:
        [found] = await tx.rows("SELECT * FROM deliveries WHERE id = :id", id=id_)
    return found


async def scalar(db: Database, sql: str, **parameters):
    async with db.read() as tx:
        [found] = await tx.rows(sql, **parameters)
    return found[0]


def verified(delivery: Delivery, *, person: int = 1, module: str = "GVPT01", year="2025-2026", rank: int = 50):
    return Result(delivery, Advance(State.VERIFIED), "verified", Target(person, module, year, rank))


async def deliver(db: Database, clock: FakeClock, id_: int, lane: int = 101) -> None:
    """Claims everything verified and records that TEMIS took `id_` under its record's revision."""
    claimed = await take(db, clock, State.VERIFIED, lane)
    [delivery] = [d for d in claimed if d.id == id_]
    async with db.read() as tx:
        [standing] = await tx.rows(
            "SELECT id, record_revision, winner_id FROM records WHERE id = :r", r=delivery.record_id
        )
    assert standing.winner_id == id_
    await write(
        db,
        clock,
        "deliver",
        Result(delivery, Advance(State.DELIVERED), "created"),
        acknowledged=[Acknowledged(standing.id, id_, standing.record_revision, f"T{id_}")],
    )


async def accept_verified(db: Database, clock: FakeClock, *arrivals, **target) -> list[int]:
    """Accepts and verifies; returns delivery ids in the order given."""
    receipts = await accept(db, clock, *arrivals)
    claimed = await take(db, clock, State.ACCEPTED, arrivals[0].lane)
    await write(db, clock, "verify", *(verified(d, **target) for d in claimed))
    return [r.delivery_id for r in receipts]


# --- accepting ------------------------------------------------------------------------------------------


async def test_each_arrival_has_its_receipt(db, clock):
    """New, equal, different and lower revisions are told apart, inside a batch and across batches."""
    first, other = an_arrival("a"), an_arrival("b")
    receipts = await accept(db, clock, first, other, first, an_arrival("a", content=b"else"))
    assert [r.status for r in receipts] == ["accepted", "accepted", "duplicate", "conflict"]
    assert receipts[2].delivery_id == receipts[3].delivery_id == receipts[0].delivery_id
    again = await accept(db, clock, first, an_arrival("b", content=b"x"), an_arrival("a", revision=3))
    assert [r.status for r in again] == ["duplicate", "conflict", "corrected"]
    [stale] = await accept(db, clock, an_arrival("a", revision=2))
    assert (stale.status, stale.delivery_id) == (ReceiptStatus.STALE, again[2].delivery_id)
    assert (await row(db, receipts[0].delivery_id)).state == "voided"
    sheet = (await balance(db)).total
    assert sheet.closes
    assert sheet.arrived == {
        "received": 3,
        "duplicate": 2,
        "conflict": 2,
        "stale": 1,
        "invalid": 0,
        "unsupported": 0,
        "quarantined": 0,
    }
    assert await scalar(db, "SELECT COUNT(*) FROM quarantine") == 3


async def test_two_revisions_in_one_batch(db, clock):
    """A batch may carry an event and its correction: only the newest goes on."""
    one, two = await accept(db, clock, an_arrival("a"), an_arrival("a", revision=2))
    assert (one.status, two.status) == ("accepted", "corrected")
    assert (await row(db, one.delivery_id)).superseded_by == two.delivery_id
    assert [d.id for d in await take(db, clock, State.ACCEPTED)] == [two.delivery_id]


async def test_concurrent_requests_share_commits_and_keep_their_receipts(db, clock):
    """Group commit gives each request its own receipts, also when requests overlap."""
    acceptor = Acceptor(db, clock)
    batches = [[an_arrival(f"e{i}"), an_arrival("shared"), an_arrival(f"f{i}")] for i in range(40)]
    answers = await asyncio.gather(*(acceptor.accept(batch) for batch in batches))
    assert sum(r.status == "accepted" for a in answers for r in a) == 81
    assert sum(r.status == "duplicate" for a in answers for r in a) == 39
    assert {a[1].delivery_id for a in answers} == {answers[0][1].delivery_id}
    assert await scalar(db, "SELECT COUNT(*) FROM payloads") == 81
    assert await scalar(db, "SELECT SUM(n) FROM intake WHERE kind = 'received'") == 81


async def test_a_cancelled_request_still_commits_for_the_others(db, clock):
    """A client that hangs up never takes the shared commit with it."""
    acceptor = Acceptor(db, clock)
    gone = asyncio.create_task(acceptor.accept([an_arrival("gone")]))
    stays = asyncio.create_task(acceptor.accept([an_arrival("stays")]))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays)[0].status == "accepted"
    await acceptor.drain()
    assert await scalar(db, "SELECT COUNT(*) FROM deliveries") == 2


async def test_a_request_that_cannot_be_stored_fails_alone(db, clock):
    """One poisoned request of a group is refused; the others of its group are stored."""
    acceptor = Acceptor(db, clock)
    bad = an_arrival("bad")
    bad = type(bad)(bad.vendor_id, bad.event_id, bad.revision, bad.digest, bad.lane, None)  # body NOT NULL
    results = await asyncio.gather(
        acceptor.accept([an_arrival("good-1")]),
        acceptor.accept([bad]),
        acceptor.accept([an_arrival("good-2")]),
        return_exceptions=True,
    )
    assert [isinstance(r, Exception) for r in results] == [False, True, False]
    assert await scalar(db, "SELECT COUNT(*) FROM deliveries") == 2


async def test_a_database_that_takes_nothing_is_asked_once_for_a_group(db, clock):
    """Each try lasts for seconds: nobody waits for the tries of all the others."""

    class Away(Database):
        tries = 0

        async def write(self, fn):
            self.tries += 1
            raise StorageBusy("not in five runs")

    away = Away(db._backend)
    acceptor = Acceptor(away, clock)
    asked = [acceptor.accept([an_arrival(f"e{n}")]) for n in range(5)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(result) for result in results] == [StorageBusy] * 5
    assert away.tries == 1


async def test_what_is_set_aside_is_kept_and_counted(db, clock):
    """An invalid item is stored sealed and stands in the balance."""
    await Acceptor(db, clock).accept([], [SetAside(2, "invalid", "x", '[["$.a","b"]]', b"sealed")])
    sheet = (await balance(db)).by_vendor["vnpt"]
    assert sheet.arrived["invalid"] == 1
    assert sheet.closes


async def test_the_balance_can_fail(db, clock):
    """A row that vanishes is seen, since `received` comes from the ledger and not from the rows."""
    await accept(db, clock, an_arrival("a"), an_arrival("b"))
    assert (await balance(db)).closes
    await db.write(lambda tx: tx.run("DELETE FROM deliveries WHERE event_id = 'a'"))
    sheet = await balance(db)
    assert not sheet.closes
    assert sheet.total.difference == 1


# --- claims and fences ----------------------------------------------------------------------------------


async def test_a_worker_that_lost_its_lease_cannot_write(db, clock):
    """A slow worker comes back after another has taken over: it must not overwrite."""
    await accept(db, clock, an_arrival())
    [slow] = await take(db, clock, State.ACCEPTED)
    assert await take(db, clock, State.ACCEPTED) == []
    clock.advance(ms=LEASE + 1)
    [fast] = await take(db, clock, State.ACCEPTED)
    assert fast.fence == slow.fence + 1
    assert await write(db, clock, "verify", verified(fast)) == set()
    assert await write(db, clock, "verify", Result(slow, Hold("registry.not_found", "school"), "x")) == {
        slow.id
    }
    assert (await row(db, slow.id)).state == "verified"
    assert await scalar(db, "SELECT outcome FROM attempts WHERE late = 1") == "x"


async def test_rows_come_oldest_first_and_only_from_their_lane(db, clock):
    """A claim takes the oldest due rows of one lane and leaves other lanes alone."""
    for i in range(5):
        await accept(db, clock, an_arrival(f"e{i}"))
        clock.advance(ms=1)
    await accept(db, clock, an_arrival("other", vendor_id=2))
    claimed = await claim(db, clock, State.ACCEPTED, 101, limit=3, lease_ms=LEASE)
    assert [d.event_id for d in claimed] == ["e0", "e1", "e2"]
    assert await due_lanes(db, clock, State.ACCEPTED, [102, 101, 103]) == [102, 101]


async def test_two_workers_never_hold_the_same_row(db, clock):
    """Concurrent claims share the due rows without overlap."""
    await accept(db, clock, *(an_arrival(f"e{i}") for i in range(200)))
    parts = await asyncio.gather(
        *(claim(db, clock, State.ACCEPTED, 101, limit=30, lease_ms=LEASE) for _ in range(8))
    )
    ids = [d.id for part in parts for d in part]
    assert len(ids) == len(set(ids)) == 200


async def test_a_row_whose_worker_dies_again_and_again_is_claimed_alone(db, clock):
    """Five claims without a recorded outcome move the row to the suspect lane."""
    await accept(db, clock, an_arrival("a-killer"), an_arrival("innocent"))
    for _ in range(5):
        await claim(db, clock, State.ACCEPTED, 101, limit=1, lease_ms=0)
    assert [d.event_id for d in await take(db, clock, State.ACCEPTED)] == ["innocent"]
    [suspect] = await take(db, clock, State.ACCEPTED, 1)
    assert (suspect.event_id, suspect.claims) == ("a-killer", 6)
    await write(db, clock, "verify", verified(suspect))
    assert (await row(db, suspect.id)).lane == 101


# --- outcomes -------------------------------------------------------------------------------------------


async def test_own_faults_walk_the_schedule_and_destination_faults_do_not(db, clock):
    """Ten own failures end in dead; an outage of any length never does."""
    [id_] = await accept_verified(db, clock, an_arrival())
    for _ in range(50):
        [d] = await take(db, clock, State.VERIFIED)
        await write(
            db, clock, "deliver", Result(d, RetryLater("upstream.failing"), "upstream.failing", not_sent=True)
        )
        clock.advance(s=5)
    assert (await row(db, id_)).tries == 0
    for n in range(1, 11):
        clock.advance(ms=2 * DAY_MS)
        [d] = await take(db, clock, State.VERIFIED)
        await write(
            db,
            clock,
            "deliver",
            Result(d, RetryLater("temis.poison", own_fault=True), "temis.poison", not_sent=True),
        )
        assert (await row(db, id_)).tries == n
    assert (await row(db, id_)).state == "dead"


async def test_a_deliver_claim_marks_the_outcome_unknown_until_an_answer_is_recorded(db, clock):
    """A crash between the send and its record leaves the mark, so the next worker reads back first."""
    [id_] = await accept_verified(db, clock, an_arrival())
    [first] = await take(db, clock, State.VERIFIED)
    assert not first.was_unknown
    clock.advance(ms=LEASE + 1)
    [second] = await take(db, clock, State.VERIFIED)
    assert second.was_unknown
    await write(db, clock, "deliver", Result(second, RetryLater("upstream.failing"), "x"))
    assert (await row(db, id_)).unknown_since_ms is not None
    clock.advance(s=60)
    [third] = await take(db, clock, State.VERIFIED)
    await write(db, clock, "deliver", Result(third, RetryLater("upstream.not_sent"), "x", not_sent=True))
    assert (await row(db, id_)).unknown_since_ms is None


async def test_a_hold_is_looked_at_again_without_any_feed(db, clock):
    """After an hour, then daily, then weekly."""
    await accept(db, clock, an_arrival())
    waited = []
    state = State.ACCEPTED
    for _ in range(10):
        [d] = await take(db, clock, state)
        await write(db, clock, "verify", Result(d, Hold("registry.not_found", "school"), "held"))
        state = State.HELD
        found = await row(db, d.id)
        waited.append(found.due_at_ms - clock.now_ms())
        clock.advance(ms=waited[-1])
    assert HOUR_MS * 0.8 <= waited[0] <= HOUR_MS * 1.2
    assert all(DAY_MS * 0.8 <= w <= DAY_MS * 1.2 for w in waited[1:8])
    assert all(7 * DAY_MS * 0.8 <= w <= 7 * DAY_MS * 1.2 for w in waited[8:])


async def test_a_wake_frees_exactly_those_who_wait_for_it(db, clock):
    """A change of one person touches that person's held rows and no others."""
    await accept(db, clock, an_arrival("mine"), an_arrival("theirs"))
    mine, theirs = await take(db, clock, State.ACCEPTED)
    for d, key in ((mine, "p1"), (theirs, "p2")):
        hold = Hold("registry.not_found", "school", (Wait("person", key), Wait("account", "a")))
        await write(db, clock, "verify", Result(d, hold, "held"))
    assert await wake(db, clock, [Wait("person", "p1")], cause="registry_fix") == 1
    assert [d.id for d in await take(db, clock, State.HELD)] == [mine.id]


async def test_a_wake_during_judging_is_not_lost(db, clock):
    """The person is fixed after the look-up and before the hold is written: the row is due at once."""
    await accept(db, clock, an_arrival())
    seen = await newest_wake(db)
    [d] = await take(db, clock, State.ACCEPTED)
    assert await wake(db, clock, [Wait("person", "p1")], cause="registry_fix") == 0
    hold = Hold("registry.not_found", "school", (Wait("person", "p1"),))
    await write(db, clock, "verify", Result(d, hold, "held"), seen_wake=seen)
    assert [again.id for again in await take(db, clock, State.HELD)] == [d.id]


# --- records --------------------------------------------------------------------------------------------


async def standing(db: Database):
    async with db.read() as tx:
        return list(await tx.rows("SELECT * FROM records ORDER BY id"))


async def test_among_events_of_one_record_the_better_result_stands(db, clock):
    """A retake with a lower rank is superseded unsent; one with a higher rank replaces what was delivered."""
    [first] = await accept_verified(db, clock, an_arrival("e1"), rank=50)
    await deliver(db, clock, first)
    [worse] = await accept_verified(db, clock, an_arrival("e2"), rank=40)
    assert ((await row(db, worse)).state, (await row(db, worse)).superseded_by) == ("voided", first)
    [better] = await accept_verified(db, clock, an_arrival("e3", vendor_id=2), rank=80)
    assert (await row(db, first)).state == "delivered"
    await deliver(db, clock, better, lane=102)
    old = await row(db, first)
    assert (old.state, old.reason, old.superseded_by) == ("voided", "superseded", better)
    [record_row] = await standing(db)
    assert (record_row.winner_id, record_row.sent_id, record_row.record_revision) == (better, better, 2)
    assert (await balance(db)).closes


async def test_a_correction_replaces_its_own_event_even_when_it_is_worse(db, clock):
    """The vendor's later word about the same event holds, whatever its rank."""
    [first] = await accept_verified(db, clock, an_arrival("e1"), rank=90)
    await deliver(db, clock, first)
    [second] = await accept_verified(db, clock, an_arrival("e1", revision=2), rank=10)
    await deliver(db, clock, second)
    assert ((await row(db, first)).state, (await row(db, first)).reason) == ("voided", "replaced")
    [record_row] = await standing(db)
    assert (record_row.winner_id, record_row.sent_revision) == (second, 2)


async def test_withdrawing_the_winner_brings_back_the_next_best(db, clock):
    """The loser was never lost: it returns, under a higher revision."""
    [loser] = await accept_verified(db, clock, an_arrival("e1"), rank=40)
    [winner] = await accept_verified(db, clock, an_arrival("e2"), rank=60)
    assert (await row(db, loser)).state == "voided"
    await deliver(db, clock, winner)
    assert await withdraw(db, clock, 1, "e2") == [winner]
    assert (await row(db, loser)).state == "verified"
    await deliver(db, clock, loser)
    [record_row] = await standing(db)
    assert (record_row.winner_id, record_row.sent_id) == (loser, loser)
    assert record_row.sent_revision == record_row.record_revision == 3
    assert await withdraw(db, clock, 1, "e2") == []
    assert (await balance(db)).closes


async def test_withdrawing_the_only_result_takes_the_record_back(db, clock):
    """TEMIS has it, nothing else stands: a withdrawal is sent; an unsent one needs none."""
    [sent, unsent] = await accept_verified(db, clock, an_arrival("e1"), rank=40), None
    await deliver(db, clock, sent[0])
    await withdraw(db, clock, 1, "e1")
    [taken_back] = await take(db, clock, State.VERIFIED)
    assert (taken_back.kind, taken_back.event_id) == ("withdrawal", "e1")
    [unsent] = await accept_verified(db, clock, an_arrival("e9"), person=2)
    await withdraw(db, clock, 1, "e9")
    assert (await row(db, unsent)).state == "voided"
    sheet = await balance(db)
    assert (sheet.total.withdrawals, sheet.closes) == (1, True)
    with pytest.raises(NotFound):
        await withdraw(db, clock, 2, "e1")


async def test_an_event_corrected_before_it_is_sent_never_reaches_temis(db, clock):
    """Accepting the correction voids the older one and lets the next best event stand meanwhile."""
    [weak] = await accept_verified(db, clock, an_arrival("weak"), rank=20)
    [strong] = await accept_verified(db, clock, an_arrival("strong"), rank=70)
    await accept(db, clock, an_arrival("strong", revision=2))
    assert ((await row(db, strong)).state, (await row(db, strong)).reason) == ("voided", "replaced")
    assert [d.id for d in await take(db, clock, State.VERIFIED)] == [weak]


async def test_a_correction_that_names_another_module_withdraws_the_old_record(db, clock):
    """The result moves: the old record is taken back, the new one is sent."""
    [old] = await accept_verified(db, clock, an_arrival("e1"), module="GVPT01")
    await deliver(db, clock, old)
    [new] = await accept_verified(db, clock, an_arrival("e1", revision=2), module="GVPT02")
    claimed = {d.kind.value: d for d in await take(db, clock, State.VERIFIED)}
    assert claimed["completion"].id == new
    assert claimed["withdrawal"].record_id != claimed["completion"].record_id
    assert ((await row(db, old)).state, (await row(db, old)).superseded_by) == ("voided", new)


async def test_a_dead_winner_lets_the_next_best_stand_and_replay_takes_it_back(db, clock):
    """A record refused for good does not hide a good one; replaying it makes it the winner again."""
    [weak] = await accept_verified(db, clock, an_arrival("weak"), rank=20)
    [strong] = await accept_verified(db, clock, an_arrival("strong"), rank=70)
    [d] = await take(db, clock, State.VERIFIED)
    assert d.id == strong
    await write(db, clock, "deliver", Result(d, Bury("temis.malformed"), "malformed"))
    assert (await row(db, weak)).state == "verified"
    await replay(db, clock, [strong, weak])
    assert (await row(db, strong)).state == "verified"
    assert ((await row(db, weak)).state, (await row(db, weak)).superseded_by) == ("voided", strong)
    assert await scalar(db, "SELECT COUNT(*) FROM attempts WHERE delivery_id = :d", d=strong) == 3


async def test_a_winner_in_flight_is_sent_again_after_a_better_one_went_by(db, clock):
    """B was sent with no known outcome and is withdrawn: A goes again, above B's revision."""
    [a] = await accept_verified(db, clock, an_arrival("a"), rank=40)
    await deliver(db, clock, a)
    [b] = await accept_verified(db, clock, an_arrival("b"), rank=60)
    [in_flight] = await take(db, clock, State.VERIFIED)
    assert in_flight.id == b
    await withdraw(db, clock, 1, "b")
    assert (await row(db, a)).state == "verified"
    [record_row] = await standing(db)
    assert (record_row.winner_id, record_row.record_revision) == (a, 3)


async def test_an_identity_hold_leaves_its_record(db, clock):
    """A person who is no longer verified has no claim on the record; a curable refusal keeps it."""
    [id_] = await accept_verified(db, clock, an_arrival())
    [d] = await take(db, clock, State.VERIFIED)
    await write(db, clock, "deliver", Result(d, Hold("temis.account_missing", "school"), "account_missing"))
    assert (await row(db, id_)).record_id is not None
    clock.advance(ms=2 * DAY_MS)
    [d] = await take(db, clock, State.HELD)
    await write(db, clock, "verify", Result(d, Hold("registry.inactive", "school"), "held"))
    assert (await row(db, id_)).record_id is None
    assert (await standing(db))[0].winner_id is None
