"""A changed policy or unit table wakes the holds it concerns, and no other, on both engines."""

from datetime import date

import pytest

from gateway.bdtx.unit_store import save
from gateway.bdtx.units import Change, Edge, Level, Unit
from gateway.bdtx.units_file import Plan
from gateway.identity.policy import DEFAULT, parse
from gateway.model.errors import LeaseLost
from gateway.model.outcomes import Hold, Wait
from gateway.model.states import State
from gateway.queue import accept, wake
from gateway.queue.claim import claim
from gateway.queue.delivery import Result
from gateway.queue.record import record
from gateway.queue.wake import newest_wake
from gateway.stages.changed_rules import ChangedRules
from gateway.storage.leases import acquire
from tests.builders import an_arrival, steady

TTL = 30_000
TEXT = DEFAULT.read_text("utf-8")
POLICY = parse(TEXT)
LENIENT = parse(TEXT.replace('"registry.inactive" = "holds"', '"registry.inactive" = "warns"'))
STRICT = parse(TEXT.replace('"attribute.unit_mismatch" = "warns"', '"attribute.unit_mismatch" = "holds"'))
MERGED = date(2025, 7, 1)


@pytest.fixture
async def lease(db, clock):
    return await acquire(db, clock, "leader", "test", TTL)


def duty(db, clock, policy=POLICY):
    return ChangedRules(db, clock, policy, ttl_ms=TTL)


async def hold(db, clock, *waits, seen_wake=None):
    """One delivery held for `waits` -> its id."""
    seen = await newest_wake(db) if seen_wake is None else seen_wake
    await db.write(lambda tx: accept.store(tx, [an_arrival()], [], clock.now_ms()))
    [taken] = await claim(db, clock, State.ACCEPTED, 101, limit=10, lease_ms=TTL)
    outcome = Hold("registry.inactive", "school", tuple(Wait(*wait) for wait in waits))
    await record(db, clock, "verify", [Result(taken, outcome, "held")], seen_wake=seen, jitter=steady())
    return taken.id


async def due(db, clock):
    async with db.read() as tx:
        rows = await tx.rows(
            "SELECT id FROM deliveries WHERE state = 'held' AND due_at_ms <= :now", now=clock.now_ms()
        )
    return {row.id for row in rows}


async def test_a_policy_wakes_just_the_codes_it_changed(db, clock, lease):
    """One code no longer holds: what waits for it is due, what another code holds goes on waiting."""
    await duty(db, clock).run(lease)
    concerned = await hold(db, clock, ("policy", "registry.inactive"), ("person", "ab"))
    await hold(db, clock, ("policy", "registry.not_found"))
    await duty(db, clock).run(lease)
    assert await due(db, clock) == set()
    await duty(db, clock, LENIENT).run(lease)
    assert await due(db, clock) == {concerned}


async def test_the_first_policy_of_a_database_wakes_nobody(db, clock, lease):
    """What was held before the leader came round was judged by this very policy."""
    await hold(db, clock, ("policy", "registry.not_found"))
    await duty(db, clock).run(lease)
    assert await due(db, clock) == set()
    await duty(db, clock, LENIENT).run(lease)
    assert await due(db, clock) == set()  # it is not the code that changed


async def test_who_was_judging_meanwhile_is_judged_again(db, clock, lease):
    """A worker that began before the change writes its hold after it: due at once, by the new policy."""
    await duty(db, clock).run(lease)
    seen = await newest_wake(db)
    await duty(db, clock, LENIENT).run(lease)
    late = await hold(db, clock, ("policy", "registry.inactive"), seen_wake=seen)
    assert await due(db, clock) == {late}


async def test_an_import_wakes_the_schools_it_joined(db, clock, lease):
    """A merger joins two chains of codes: who waits for any link of them is due, another school is not."""
    links = ["31000001", "31000002", "31000003", "31000004"]
    schools = [Unit(code, "TH", Level.SCHOOL) for code in (*links, "31000009")]
    ends = [Edge(links[0], links[1], Change.RENUMBER, MERGED), Edge(links[2], links[3], Change.MERGE, MERGED)]
    await save(db, clock, Plan(new=schools, edges=ends), actor="a", file="f", content=b"")
    await duty(db, clock, STRICT).run(lease)
    concerned = await hold(db, clock, ("unit", links[0]), ("unit", links[3]))
    await hold(db, clock, ("unit", "31000009"))
    joined = Plan(edges=[Edge(links[1], links[2], Change.MERGE, MERGED)])
    await save(db, clock, joined, actor="a", file="f", content=b"")
    await duty(db, clock, STRICT).run(lease)
    assert await due(db, clock) == {concerned}
    before = await newest_wake(db)
    await duty(db, clock, STRICT).run(lease)
    assert await newest_wake(db) == before


async def test_units_that_only_warn_wake_nobody(db, clock, lease):
    """By default a school never holds: an import of 50 000 units writes no wake."""
    await duty(db, clock).run(lease)
    before = await newest_wake(db)
    await save(db, clock, Plan(new=[Unit("31", "Sở", Level.DEPARTMENT)]), actor="a", file="f", content=b"")
    await duty(db, clock).run(lease)
    assert await newest_wake(db) == before


async def test_a_crowd_is_woken_page_by_page(db, clock, lease, monkeypatch):
    """However many wait, each transaction is short and none is left out."""
    monkeypatch.setattr(wake, "PAGE", 2)
    await duty(db, clock).run(lease)
    crowd = {await hold(db, clock, ("policy", "registry.inactive")) for _ in range(5)}
    await duty(db, clock, LENIENT).run(lease)
    assert await due(db, clock) == crowd


async def test_a_former_leader_wakes_and_notes_nothing(db, clock, lease):
    """Who lost the lease leaves the change to the new leader, which then finds it unnoted."""
    await duty(db, clock).run(lease)
    await hold(db, clock, ("policy", "registry.inactive"))
    clock.advance(ms=TTL + 1)
    successor = await acquire(db, clock, "leader", "other", TTL)
    with pytest.raises(LeaseLost):
        await duty(db, clock, LENIENT).run(lease)
    assert await due(db, clock) == set()
    await duty(db, clock, LENIENT).run(successor)
    assert len(await due(db, clock)) == 1
