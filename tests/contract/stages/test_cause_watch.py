"""gateway/stages/cause_watch.py: causes follow the attempt log, on both engines."""

import pytest

from gateway.model.outcomes import Advance, Bury, Hold, RetryLater, Wait
from gateway.model.states import State
from gateway.observe.metrics import Metrics
from gateway.queue import accept
from gateway.queue.alerts import recent
from gateway.queue.causes import deliveries_of, list_causes
from gateway.queue.claim import claim
from gateway.queue.delivery import Result, Target
from gateway.queue.moves import publish
from gateway.queue.record import record
from gateway.stages.cause_watch import CauseWatch
from gateway.storage.leases import acquire
from tests.builders import NOON, an_arrival, steady

TTL_MS = 30_000


class Watched:
    """A queue, the follower, and the leader's lease."""

    def __init__(self, db, clock) -> None:
        self.db, self.clock, self.metrics = db, clock, Metrics()
        self.watch = CauseWatch(db, clock, self.metrics, ttl_ms=TTL_MS)

    async def arrive(self, n: int) -> None:
        arrivals = [an_arrival() for _ in range(n)]
        await self.db.write(lambda tx: accept.store(tx, arrivals, [], NOON))

    async def judge(self, decide, *, stage="verify", state=State.ACCEPTED) -> None:
        """Claims all that is due and records what `decide` says of each: outcome, code, rest of a result."""
        claimed = await claim(self.db, self.clock, state, 101, limit=1_000, lease_ms=60_000)
        results = []
        for delivery in claimed:
            outcome, code, more = decide(delivery)
            results.append(Result(delivery, outcome, code, **more))
        await record(self.db, self.clock, stage, results, jitter=steady())

    async def deliver(self, outcome, code) -> None:
        await self.judge(lambda _: (outcome, code, {}), stage="deliver", state=State.VERIFIED)

    async def follow(self):
        lease = await acquire(self.db, self.clock, "leader", "me", TTL_MS) or self.lease
        self.lease = lease
        for _ in range(2):  # PostgreSQL: the mark moves when what was under way has ended
            await publish(self.db, lease, self.clock.now_ms(), TTL_MS)
        await self.watch.run(lease)
        return await list_causes(self.db)

    async def told(self):
        return [(alert.kind, str(alert.severity), alert.detail["code"]) for alert in await recent(self.db)]


@pytest.fixture
def watched(db, clock) -> Watched:
    return Watched(db, clock)


def held(code="attribute.name_mismatch", owner="school", waits=()):
    return lambda delivery: (Hold(code, owner, tuple(waits)), code, {})


def verified(delivery):
    target = Target(delivery.id, "GVPT01", "2025-2026", 1)
    return Advance(State.VERIFIED), "verified", {"target": target}


async def test_holds_become_causes_and_the_fix_ends_them(watched, clock):
    """4 812 failures are three causes; when the deliveries went on, the cause has ended, each told once."""
    await watched.arrive(20)
    await watched.judge(held())
    [cause] = await watched.follow()
    assert (cause.code, cause.owner, cause.waiting) == ("attribute.name_mismatch", "school", 20)
    assert await watched.told() == [("cause.opened", "info", cause.code)]
    await watched.db.write(lambda tx: tx.run("UPDATE deliveries SET due_at_ms = 0"))
    await watched.judge(verified, state=State.HELD)
    [cause] = await watched.follow()
    assert cause.waiting == 0
    clock.advance(s=60)
    assert await watched.follow() == []
    assert (await watched.told())[0] == ("cause.ended", "info", cause.code)


async def test_one_unmapped_course_is_one_cause(watched):
    """What one mapping cures stands together, and apart from the next course."""
    await watched.arrive(6)
    course = {}

    def unmapped(delivery):
        key = course.setdefault(delivery.id, f"1:course-{delivery.id % 2}")
        return Hold("course.unmapped", "gateway", (Wait("course", key),)), "course.unmapped", {}

    await watched.judge(unmapped)
    causes = await watched.follow()
    assert {cause.subject: cause.waiting for cause in causes} == {
        "course:1:course-0": 3,
        "course:1:course-1": 3,
    }
    assert {severity for _, severity, _ in await watched.told()} == {"warning"}


async def test_an_outage_is_a_cause_without_an_alert_of_its_own(watched):
    """The destination's alert tells of it; the cause groups what the destination answered."""
    await watched.arrive(4)

    def outage(delivery):
        said = {"http_status": 503, "answer": "He thong dang bao tri"}
        return RetryLater("upstream.waiting"), "upstream.failing", said

    await watched.judge(outage)
    [cause] = await watched.follow()
    assert (cause.stage, cause.http_status, cause.answer) == ("verify", 503, "He thong dang bao tri")
    assert await watched.told() == []


async def test_failed_and_recovered_between_two_looks_leaves_nothing_behind(watched, clock):
    """Only the last word about a delivery decides whether a cause still holds it up."""
    await watched.arrive(2)
    await watched.judge(lambda d: (RetryLater("upstream.waiting"), "upstream.failing", {}))
    clock.advance(s=10)
    await watched.judge(verified)
    clock.advance(s=10)
    await watched.judge(
        lambda d: (Bury("temis.malformed"), "temis.malformed", {}), stage="deliver", state=State.VERIFIED
    )
    causes = {cause.code: cause.waiting for cause in await watched.follow()}
    assert causes == {"upstream.failing": 0, "temis.malformed": 2}
    [buried] = [cause for cause in await list_causes(watched.db) if cause.waiting]
    assert len(await deliveries_of(watched.db, buried.id)) == 2


async def test_a_new_leader_goes_on_where_the_last_one_stopped(watched, db, clock):
    """Nothing is counted twice and nothing is left out when leadership moves."""
    await watched.arrive(3)
    await watched.judge(held())
    await watched.follow()
    await watched.arrive(2)
    await watched.judge(held())
    other = CauseWatch(db, clock, Metrics(), ttl_ms=TTL_MS)
    watched.watch = other
    [cause] = await watched.follow()
    assert (cause.seen, cause.waiting) == (5, 5)


async def test_many_attempts_are_read_in_batches(watched, monkeypatch):
    """A flood is followed in short transactions, to its end."""
    monkeypatch.setattr("gateway.stages.cause_watch.BATCH", 7)
    await watched.arrive(50)
    await watched.judge(held())
    [cause] = await watched.follow()
    assert cause.waiting == 50


async def test_attempts_and_latency_are_counted(watched, clock):
    """The numbers on the dashboard come from what was committed, not from what was tried."""
    await watched.arrive(5)
    await watched.judge(verified)
    clock.advance(s=3)
    await watched.judge(
        lambda d: (Advance(State.DELIVERED), "temis.created", {}), stage="deliver", state=State.VERIFIED
    )
    await watched.follow()
    sample = watched.metrics.registry.get_sample_value
    assert sample("gateway_attempts_total", {"stage": "verify", "outcome": "verified"}) == 5
    assert sample("gateway_attempts_total", {"stage": "deliver", "outcome": "temis.created"}) == 5
    assert sample("gateway_end_to_end_seconds_count") == 5
    assert sample("gateway_end_to_end_seconds_sum") == pytest.approx(15)


async def test_people_and_units_behind_a_cause_are_counted(watched, clock):
    """An operator sees how many people and schools one cause holds up."""
    await watched.arrive(4)
    await watched.judge(held())

    async def cases(tx):
        for id_ in range(1, 5):
            await tx.run(
                "INSERT INTO cases (delivery_id, vendor_id, received_at_ms, state, account_key, course_key, "
                "school_code) VALUES (:id, 1, 0, 'held', :account, 'c', :school)",
                id=id_,
                account=b"a" if id_ < 3 else b"b",
                school=f"s{id_}",
            )

    await watched.db.write(cases)
    await watched.follow()
    [cause] = await list_causes(watched.db)
    assert (cause.people, cause.units) == (2, 4)
