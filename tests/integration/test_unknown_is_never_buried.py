"""What TEMIS may have had of a delivery outlives whatever goes wrong with it afterwards. Both engines."""

import pytest

from gateway.model.states import State
from tests.integration.by_hand import by_hand, completion

SILENT = {"target": "temis", "mode": "silent"}


@pytest.fixture
async def hand(database_url, tmp_path, clock):
    async with by_hand(database_url, tmp_path, clock) as hand:
        yield hand


async def spoil(hand, school_year: str) -> None:
    """What is to be sent cannot be mapped any more, or can again."""
    await hand.db.write(lambda tx: tx.run("UPDATE records SET school_year = :y", y=school_year))


async def test_a_row_with_an_unknown_outcome_that_cannot_be_mapped_is_kept(hand, clock):
    """Dead would mean that nobody ever asks TEMIS what became of it; mended, it is read back."""
    [id_] = await hand.send(completion(1))
    await hand.verify()
    await hand.faults(SILENT)
    await hand.deliver()
    await hand.faults()
    await spoil(hand, "no school year")
    clock.advance(s=300)
    assert await hand.deliver() == 1
    row = await hand.row(id_)
    assert (row.state, row.reason, row.tries) == (State.VERIFIED, "temis.malformed", 0)
    assert row.unknown_since_ms is not None
    await spoil(hand, "2025-2026")
    clock.advance(s=2 * 3600)
    assert await hand.deliver() == 1
    assert (await hand.row(id_)).state == State.DELIVERED
    assert [one.outcome for one in await hand.rows("SELECT outcome FROM attempts ORDER BY id")][
        -1
    ] == "read_back"


async def test_one_that_was_never_sent_is_dead_at_once(hand):
    """Nothing is known to TEMIS: an operator mends the mapping and replays."""
    [id_] = await hand.send(completion(1))
    await hand.verify()
    await spoil(hand, "no school year")
    await hand.deliver()
    row = await hand.row(id_)
    assert (row.state, row.reason) == (State.DEAD, "temis.malformed")
