"""gateway/queue/pausing.py: a paused vendor's deliveries wait in whatever lane they stand."""

import pytest

from gateway.model.errors import NotFound
from gateway.model.states import State
from gateway.queue import accept
from gateway.queue.claim import claim, due_lanes
from gateway.queue.lanes import FIXED, INTERACTIVE, REPLAY
from gateway.queue.pausing import park, pause_vendor, resume_vendor, unpark
from gateway.storage.audit import read_audit
from gateway.storage.engine import Database
from tests.builders import NOON, an_arrival


async def given(db, vendor_id: int, lane: int, n: int = 3) -> None:
    arrivals = [an_arrival(vendor_id=vendor_id, lane=lane) for _ in range(n)]
    await db.write(lambda tx: accept.store(tx, arrivals, [], NOON))


async def claimable(db, clock) -> set[int]:
    """Vendors of whom something can be claimed in the shared lanes."""
    found = set()
    for lane in FIXED:
        while claimed := await claim(db, clock, State.ACCEPTED, lane, limit=100, lease_ms=1):
            found |= {delivery.vendor_id for delivery in claimed}
    return found


@pytest.mark.parametrize("lane", FIXED)
async def test_nothing_of_a_paused_vendor_is_claimed_in_a_shared_lane(db, clock, lane):
    """A replay, a re-check or a deadline does not get round a pause; other vendors are not touched."""
    await given(db, 1, lane)
    await given(db, 2, lane)
    assert await pause_vendor(db, clock, "viettel", by="ops", reason="their data is wrong") == 3
    assert await claimable(db, clock) == {2}
    clock.advance(s=10)
    assert await resume_vendor(db, clock, "viettel", by="ops") == 3
    assert lane in await due_lanes(db, clock, State.ACCEPTED, FIXED)
    assert await claimable(db, clock) == {1, 2}


async def test_pausing_twice_keeps_the_time_of_the_first(db, clock):
    """Since when something is paused does not change because somebody else pauses it again."""
    await pause_vendor(db, clock, "viettel", by="ops", reason="a")
    clock.advance(s=60)
    await pause_vendor(db, clock, "viettel", by="night", reason="b")
    async with db.read() as tx:
        [row] = await tx.rows("SELECT paused_at_ms, paused_by, paused_reason FROM vendors WHERE id = 1")
    assert (row.paused_at_ms, row.paused_by, row.paused_reason) == (NOON, "night", "b")
    assert [act.act for act in await read_audit(db)] == ["vendor.pause"] * 2


async def test_what_is_left_parked_comes_back(db, clock):
    """A resume that broke off half way loses nothing: the leader brings the rest back."""
    await given(db, 1, REPLAY)
    await given(db, 1, INTERACTIVE)
    await pause_vendor(db, clock, "viettel", by="ops", reason="")
    await db.write(lambda tx: tx.run("UPDATE vendors SET paused_at_ms = NULL"))
    assert await unpark(db) == 6
    assert await unpark(db) == 0
    assert await claimable(db, clock) == {1}


async def test_a_pause_with_nothing_to_move_writes_nothing(db, clock):
    """The leader looks every two seconds for as long as a vendor is paused; writers are not kept waiting."""
    await given(db, 1, REPLAY)
    await given(db, 2, REPLAY)
    await pause_vendor(db, clock, "viettel", by="ops", reason="")

    class Read(Database):
        async def write(self, fn):
            raise AssertionError("nothing is to be written")

    assert await park(Read(db._backend)) == 0
    assert await unpark(Read(db._backend)) == 0


async def test_more_rows_than_one_transaction_takes_are_parked(db, clock, monkeypatch):
    """A long replay is parked whole, in short transactions."""
    monkeypatch.setattr("gateway.queue.pausing.ROWS", 4)
    await given(db, 1, REPLAY, n=10)
    assert await pause_vendor(db, clock, "viettel", by="ops", reason="") == 10


async def test_a_vendor_that_does_not_exist_is_not_found(db, clock):
    """A typing error pauses nobody, and is not in the audit."""
    with pytest.raises(NotFound):
        await pause_vendor(db, clock, "vietel", by="ops", reason="")
    with pytest.raises(NotFound):
        await resume_vendor(db, clock, "vietel", by="ops")
    assert await read_audit(db) == []
