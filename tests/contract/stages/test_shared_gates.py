"""gateway/stages/shared_gates.py: several processes, one knowledge of a destination. Both engines."""

import random

import pytest

from gateway.model.errors import CredentialsRefused, Failing, NotFound, Throttled
from gateway.outbound.breaker import Breaker, BreakerState
from gateway.outbound.destinations import pause, read_standings, resume
from gateway.outbound.gate import Gate
from gateway.outbound.limiter import Limiter
from gateway.outbound.maintenance import add_window, remove_window, windows
from gateway.queue.alerts import recent
from gateway.stages.shared_gates import SharedGates
from gateway.storage.audit import read_audit
from tests.builders import NOON, FakeClock


class Process:
    """One of several processes: its gates, and its share of what all know."""

    def __init__(self, db, clock: FakeClock, name: str, **options) -> None:
        self.limiter = Limiter(rate_per_s=50, concurrency=4, now=lambda: clock.now_ms() / 1000)
        breaker = Breaker(lambda: clock.now_ms() / 1000)
        self.temis = Gate("temis", breaker, self.limiter)
        self.shared = SharedGates(db, clock, name, [self.temis], random.Random(1), **options)

    def fail(self, error=None, times: int = 5) -> None:
        for _ in range(times):
            self.temis.failed(error or Failing("x", status=502))

    async def tick(self) -> None:
        await self.shared.tick()


@pytest.fixture
def one(db, clock) -> Process:
    return Process(db, clock, "one")


@pytest.fixture
def two(db, clock) -> Process:
    return Process(db, clock, "two")


async def told(db) -> list[tuple[str, str]]:
    return [(alert.kind, str(alert.severity)) for alert in reversed(await recent(db))]


async def test_who_trips_a_breaker_trips_it_for_all(db, clock, one, two):
    """The others need not fail five times each, and only one alert is raised."""
    await two.tick()
    one.fail()
    await one.tick()
    await two.tick()
    assert not two.temis.allows()
    assert await told(db) == [("destination.down", "warning")]
    standing = (await read_standings(db))["temis"]
    assert (standing.state, standing.error, standing.http_status) == ("open", "upstream.failing", 502)
    assert (standing.since_ms, standing.holder) == (NOON, "one")


async def test_one_process_probes_for_all(db, clock, one, two):
    """Who tripped it probes first; that its probe failed is known to the others before their turn comes."""
    one.fail()
    await one.tick()
    await two.tick()
    clock.advance(s=30)
    assert not two.temis.allows()
    assert one.temis.allows()
    await one.tick()  # tells that a probe is under way
    one.fail(times=1)
    await two.tick()
    clock.advance(s=7)
    assert not two.temis.allows()


async def test_another_probes_when_the_first_is_gone(db, clock, one, two):
    """A process that died with the breaker open keeps nobody waiting for ever."""
    one.fail()
    await one.tick()
    await two.tick()
    clock.advance(s=37)
    assert two.temis.allows()


async def test_a_success_opens_the_way_for_all(db, clock, one, two):
    """Recovery is known to all within a second, is told once, and says how long it lasted."""
    one.fail()
    await one.tick()
    await two.tick()
    clock.advance(s=30)
    assert one.temis.allows()
    one.temis.succeeded()
    await one.tick()
    await two.tick()
    assert two.temis.is_open
    assert (await told(db))[1:] == [("destination.recovered", "info")]
    [alert] = await recent(db, limit=1)
    assert alert.detail == {"lasted_s": 30}


async def test_refused_credentials_are_critical_and_end_by_themselves(db, clock, one):
    """Only people can mend them: an alert of its own; the pause by the system is no pause by a person."""
    one.fail(CredentialsRefused("x", status=401), times=1)
    await one.tick()
    standing = (await read_standings(db))["temis"]
    assert (standing.state, standing.paused_at_ms) == (BreakerState.PAUSED, None)
    assert await told(db) == [("destination.refused", "critical")]
    clock.advance(s=60)
    assert one.temis.allows()
    one.temis.succeeded()
    await one.tick()
    assert (await read_standings(db))["temis"].state is BreakerState.CLOSED


async def test_a_pause_by_a_person_ends_only_by_a_person(db, clock, one, two):
    """No success, no time and no other process ends it."""
    await pause(db, clock, "temis", by="ops", reason="nights")
    await one.tick()
    one.temis.succeeded()
    clock.advance(s=86_400)
    for process in (one, two):
        await process.tick()
        assert not process.temis.allows()
    await resume(db, clock, "temis", by="ops")
    for process in (one, two):
        await process.tick()
        assert process.temis.allows()
    assert [act.act for act in await read_audit(db)] == ["destination.pause", "destination.resume"]
    assert await told(db) == []


async def test_the_configured_rate_is_shared_by_all_processes(db, clock, one, two):
    """All processes together keep to the rate; one that ended leaves its share to the others."""
    for process in (one, two, one):
        await process.tick()
        clock.advance(s=11)
    assert one.limiter.rate_per_s == 25
    two.shared.stop()
    await two.shared.run()
    clock.advance(s=11)
    await one.tick()
    assert one.limiter.rate_per_s == 50


async def test_who_only_asks_now_and_then_takes_no_share(db, clock, one):
    """A process without a worker knows of pauses and outages, and slows nobody down."""
    asking = Process(db, clock, "serve", works=False)
    for process in (one, asking, one, asking):
        await process.tick()
        clock.advance(s=11)
    assert one.limiter.rate_per_s == 50
    assert asking.limiter.rate_per_s == 25
    await pause(db, clock, "temis", by="ops", reason="")
    await asking.tick()
    assert not asking.temis.allows()


async def test_a_resume_may_choose_the_rate(db, clock, one):
    """What waited drains as fast as the operator says, until the next resume."""
    await resume(db, clock, "temis", by="ops", rate_per_s=2.5)
    await one.tick()
    assert one.limiter.rate_per_s == 2.5
    await resume(db, clock, "temis", by="ops")
    await one.tick()
    assert one.limiter.rate_per_s == 50


async def test_retry_after_holds_for_all(db, clock, one, two):
    """A destination that asks one of us to wait is left alone by all, and that is no outage."""
    one.fail(Throttled("x", status=429, retry_after_s=120), times=1)
    await one.tick()
    await two.tick()
    assert not two.temis.allows()
    clock.advance(s=120)
    assert two.temis.allows()
    assert (await read_standings(db))["temis"].state_at(clock.now_ms()) is BreakerState.CLOSED
    assert await told(db) == []


async def test_nothing_is_written_while_nothing_changes(db, clock, one):
    """A healthy destination costs one query a second and a heartbeat each ten."""
    await one.tick()
    before = db.data_version()
    for _ in range(5):
        one.temis.succeeded()
        await one.tick()
    assert db.data_version() == before
    async with db.read() as tx:
        assert await tx.rows("SELECT 1 FROM destinations") == []


async def test_an_announced_outage_is_quiet(db, clock, one):
    """Nobody is called out of bed for a maintenance that was announced."""
    window = await add_window(db, clock, "temis", NOON, NOON + 3_600_000, reason="upgrade", by="ops")
    one.fail()
    await one.tick()
    assert await told(db) == [("destination.down", "info")]
    await remove_window(db, clock, window.id, by="ops")
    assert await windows(db, clock.now_ms()) == []
    with pytest.raises(NotFound):
        await remove_window(db, clock, window.id, by="ops")


async def test_an_unknown_destination_is_refused(db, clock):
    """A typing error pauses nothing."""
    with pytest.raises(NotFound):
        await pause(db, clock, "temi", by="ops", reason="")
    with pytest.raises(NotFound):
        await resume(db, clock, "temi", by="ops")
