"""A record that one delivery makes has it as its winner at once; everything else is decided as before."""

from gateway.model.outcomes import Advance
from gateway.model.states import State
from gateway.queue.accept import Acceptor
from gateway.queue.claim import claim
from gateway.queue.delivery import Delivery, Result, Target
from gateway.queue.record import record_in
from gateway.storage.engine import Database
from tests.builders import FakeClock, an_arrival, steady

LEASE = 30_000


async def taken(db: Database, clock: FakeClock, *events: str) -> list[Delivery]:
    await Acceptor(db, clock).accept([an_arrival(event) for event in events])
    return await claim(db, clock, State.ACCEPTED, 101, limit=100, lease_ms=LEASE)


def verified(delivery: Delivery, *, rank: int, module: str = "GVPT01") -> Result:
    return Result(delivery, Advance(State.VERIFIED), "verified", Target(1, module, "2025-2026", rank))


async def write(db: Database, clock: FakeClock, results: list[Result]):
    return await db.write(
        lambda tx: record_in(tx, "verify", results, (), 0, clock.now_ms(), steady(), next_lease_ms=LEASE)
    )


async def records(db: Database):
    async with db.read() as tx:
        return list(await tx.rows("SELECT * FROM records ORDER BY module_code"))


async def test_a_new_record_stands_under_its_first_revision(db, clock):
    """The delivery that made it is its winner, and what is handed on says so without another look."""
    [one] = await taken(db, clock, "one")
    recorded = await write(db, clock, [verified(one, rank=5)])
    [row] = await records(db)
    assert (row.winner_id, row.record_revision) == (one.id, 1)
    place = recorded.places[one.id]
    assert (place.record_id, place.winner_id, place.record_revision, place.body_id) == (
        row.id,
        one.id,
        1,
        one.id,
    )


async def test_of_two_that_make_one_record_the_better_stands(db, clock):
    """Two results of one batch for a record that nobody had: decided once, one revision."""
    weak, good = await taken(db, clock, "weak", "good")
    recorded = await write(db, clock, [verified(weak, rank=1), verified(good, rank=9)])
    [row] = await records(db)
    assert (row.winner_id, row.record_revision) == (good.id, 1)
    assert {place.winner_id for place in recorded.places.values()} == {good.id}


async def test_a_lost_lease_makes_no_winner(db, clock):
    """A worker that lost its lease leaves an empty record behind, which the next result fills."""
    [late] = await taken(db, clock, "late")
    clock.advance(ms=LEASE + 1)
    [again] = await claim(db, clock, State.ACCEPTED, 101, limit=100, lease_ms=LEASE)
    recorded = await write(db, clock, [verified(late, rank=5)])
    [row] = await records(db)
    assert (recorded.lost, recorded.leased, recorded.places) == ({late.id}, [], {})
    assert (row.winner_id, row.record_revision) == (None, 0)
    recorded = await write(db, clock, [verified(again, rank=5)])
    [row] = await records(db)
    assert (row.winner_id, row.record_revision) == (again.id, 1)
    assert recorded.places[again.id].record_revision == 1


async def test_a_second_result_is_weighed_against_what_stands(db, clock):
    """A record that exists is settled by all its candidates; a weaker one does not replace its winner."""
    [first] = await taken(db, clock, "first")
    await write(db, clock, [verified(first, rank=5)])
    weak, other = await taken(db, clock, "weak", "other")
    recorded = await write(db, clock, [verified(weak, rank=1), verified(other, rank=1, module="GVPT02")])
    mine, new = await records(db)
    assert (mine.winner_id, mine.record_revision) == (first.id, 1)
    assert (new.winner_id, new.record_revision) == (other.id, 1)
    assert recorded.places[weak.id].winner_id == first.id
