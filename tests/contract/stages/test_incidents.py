"""gateway/stages/incidents.py: the sheet of an outage, on both engines."""

import pytest

from gateway.model.errors import NotFound
from gateway.outbound.breaker import BreakerState
from gateway.outbound.destinations import pause, publish_in, resume
from gateway.queue import accept
from gateway.queue.alerts import recent
from gateway.stages.incidents import Incidents, find_incident, lasted_s, list_incidents
from gateway.storage.leases import acquire
from tests.builders import NOON, an_arrival

TTL_MS = 3_600_000


class Watched:
    def __init__(self, db, clock) -> None:
        self.db, self.clock = db, clock
        self.incidents = Incidents(db, clock, ttl_ms=TTL_MS)
        self.lease = None

    async def look(self):
        self.lease = self.lease or await acquire(self.db, self.clock, "leader", "me", TTL_MS)
        await self.incidents.run(self.lease)
        return await list_incidents(self.db)

    async def stands(self, state: BreakerState, **values) -> None:
        told = {"until_ms": 0, "error": None, "status": None, "holder": "me"} | values
        now = self.clock.now_ms()
        await self.db.write(lambda tx: publish_in(tx, "temis", state, now=now, **told))

    async def waiting(self, n: int) -> None:
        """So many more verified deliveries, which wait for TEMIS."""
        await self.db.write(lambda tx: accept.store(tx, [an_arrival() for _ in range(n)], [], NOON))
        await self.db.write(
            lambda tx: tx.run("UPDATE deliveries SET state = 'verified' WHERE state = 'accepted'")
        )

    async def deliver(self, n: int) -> None:
        async def in_tx(tx):
            ids = await tx.rows("SELECT id FROM deliveries WHERE state = 'verified' ORDER BY id LIMIT :n", n=n)
            for row in ids:
                await tx.run(
                    "UPDATE deliveries SET state = 'delivered', due_at_ms = NULL WHERE id = :id", id=row.id
                )
                await tx.run(
                    'INSERT INTO attempts (delivery_id, at_ms, stage, "trigger", outcome, to_state) '
                    "VALUES (:id, 0, 'deliver', 'automatic', 'temis.created', 'delivered')",
                    id=row.id,
                )

        await self.db.write(in_tx)


@pytest.fixture
def watched(db, clock) -> Watched:
    return Watched(db, clock)


async def test_the_sheet_of_an_outage(watched, clock):
    """Start, end, how much waited at most, what was delivered since, and whether the balance closes."""
    assert await watched.look() == []
    await watched.waiting(4)
    await watched.stands(BreakerState.OPEN, error="upstream.failing", status=502)
    clock.advance(s=5)
    [begun] = await watched.look()
    assert (begun.kind, begun.error, begun.http_status) == ("down", "upstream.failing", 502)
    assert (begun.started_at_ms, begun.waiting_at_start, begun.ended_at_ms) == (NOON, 4, None)
    await watched.waiting(6)
    await watched.look()
    clock.advance(s=595)
    await watched.stands(BreakerState.CLOSED)
    [ended] = await watched.look()
    assert (ended.waiting_most, ended.waiting_at_end, lasted_s(ended, 0)) == (10, 10, 600)
    await watched.waiting(3)  # these come after it and did not wait for it
    await watched.deliver(9)
    [open_still] = await watched.look()
    assert open_still.settled_at_ms is None
    await watched.deliver(1)
    [settled] = await watched.look()
    assert (settled.delivered, settled.difference) == (10, 0)
    [alert] = await recent(watched.db)
    assert (alert.kind, alert.severity, alert.detail["delivered"]) == ("incident.settled", "info", 10)


async def test_a_balance_that_does_not_close_is_critical(watched):
    """An outage that lost a row must not end quietly."""
    await watched.waiting(3)
    await watched.stands(BreakerState.OPEN)
    await watched.look()
    await watched.stands(BreakerState.CLOSED)
    await watched.look()
    await watched.db.write(lambda tx: tx.run("DELETE FROM deliveries"))
    [settled] = await watched.look()
    assert settled.difference == 3
    [alert] = await recent(watched.db)
    assert alert.severity == "critical"


async def test_flapping_is_one_incident(watched, clock):
    """Two hours of ups and downs are one sheet, not two hundred."""
    for _ in range(5):
        await watched.stands(BreakerState.OPEN)
        await watched.look()
        clock.advance(s=60)
        await watched.stands(BreakerState.CLOSED)
        await watched.look()
        await watched.look()
        clock.advance(s=60)
    assert len(await watched.look()) == 1
    clock.advance(s=600)
    await watched.stands(BreakerState.OPEN)
    assert len(await watched.look()) == 2


async def test_a_pause_by_a_person_has_a_sheet_as_well(watched, clock):
    """What an operator stopped is accounted for like what stopped by itself."""
    await pause(watched.db, clock, "registry", by="ops", reason="nights")
    [sheet] = await watched.look()
    assert (sheet.destination, sheet.kind, sheet.error) == ("registry", "paused", None)
    await resume(watched.db, clock, "registry", by="ops")
    await watched.look()
    [sheet] = await watched.look()
    assert sheet.settled_at_ms is not None
    assert await find_incident(watched.db, sheet.id) == sheet
    with pytest.raises(NotFound):
        await find_incident(watched.db, 99)


async def test_a_record_at_fault_keeps_no_outage_open(watched):
    """A poisoned record stays behind by its own fault; the outage is over all the same."""
    await watched.waiting(2)
    await watched.stands(BreakerState.OPEN)
    await watched.look()
    await watched.stands(BreakerState.CLOSED)
    await watched.look()
    await watched.db.write(lambda tx: tx.run("UPDATE deliveries SET tries = 1 WHERE id = 1"))
    await watched.db.write(lambda tx: tx.run("UPDATE deliveries SET due_at_ms = NULL WHERE id = 2"))
    [sheet] = await watched.look()
    assert sheet.settled_at_ms is not None
