"""A stage that works longer than one lease keeps its rows, unless they were taken from it."""

from gateway.model.outcomes import RetryLater
from gateway.model.states import State
from gateway.queue.acts import withdraw
from gateway.queue.delivery import Result
from gateway.queue.keep import kept
from gateway.queue.record import record
from tests.builders import steady
from tests.contract.queue.test_races import Acceptor, an_arrival, rows, take, verified
from tests.waiting import until


async def test_rows_in_hand_stay_ours_and_what_is_taken_away_is_told(db, clock):
    """The lease moves ahead while the block runs; a withdrawn row is named as lost."""
    await Acceptor(db, clock).accept([an_arrival("mine"), an_arrival("withdrawn")])
    claimed = await take(db, clock, State.ACCEPTED)

    async def is_renewed() -> bool:
        [found] = await rows(db, "SELECT due_at_ms FROM deliveries WHERE event_id = 'mine'")
        return found.due_at_ms == clock.now_ms() + 60

    async def are_lost() -> frozenset[int]:
        return ours.lost

    async with kept(db, clock, claimed, 60) as ours:
        clock.advance(ms=29_000)
        await until(is_renewed)
        assert ours.lost == frozenset()
        await withdraw(db, clock, 1, "withdrawn")
        assert await until(are_lost) == {d.id for d in claimed if d.event_id == "withdrawn"}
    found = await rows(db, "SELECT due_at_ms FROM deliveries WHERE event_id = 'withdrawn'")
    assert found[0].due_at_ms is None


async def test_a_row_sent_without_an_answer_is_never_read_back_too_soon(db, clock):
    """Its own first retry comes after 5 s, but the read-back waits for the call's whole timeout."""
    await Acceptor(db, clock).accept([an_arrival("poison")])
    [d] = await take(db, clock, State.ACCEPTED)
    await record(db, clock, "verify", [verified(d, rank=1)], jitter=steady())
    [d] = await take(db, clock, State.VERIFIED)
    later = RetryLater("temis.poison", 20_000, own_fault=True, outcome_unknown=True)
    await record(db, clock, "deliver", [Result(d, later, "temis.poison")], jitter=steady())
    [found] = await rows(db, "SELECT due_at_ms, tries FROM deliveries")
    assert found.due_at_ms - clock.now_ms() >= 20_000
    assert found.tries == 1
