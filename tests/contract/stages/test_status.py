"""gateway/stages/status.py and backlog.py: what everybody may know of how things stand. Both engines."""

import pytest

from gateway.observe.metrics import Metrics
from gateway.outbound.breaker import BreakerState
from gateway.outbound.destinations import pause, publish_in
from gateway.outbound.maintenance import add_window
from gateway.queue import accept
from gateway.stages.backlog import Backlog
from gateway.stages.status import StatusBoard, age
from tests.builders import NOON, an_arrival

HOUR_MS = 3_600_000


async def stands(db, clock, state, name="temis") -> None:
    told = {"until_ms": 0, "error": "upstream.failing", "status": 502, "holder": "me"}
    await db.write(lambda tx: publish_in(tx, name, state, now=clock.now_ms(), **told))


async def one(db, clock, name="temis"):
    board = StatusBoard(db, clock)
    return next(component for component in await board.components() if component.name == name)


async def test_a_quiet_day_has_no_banner(db, clock):
    """Nobody is shown a line that tells nothing."""
    board = StatusBoard(db, clock)
    assert [component.state for component in await board.components()] == ["up", "up"]
    assert await board.banner("vi") is None


@pytest.mark.parametrize(
    ("state", "told"),
    [(BreakerState.OPEN, "down"), (BreakerState.PAUSED, "refused"), (BreakerState.CLOSED, "up")],
)
async def test_how_a_breaker_stands_is_told_with_since_when(db, clock, state, told):
    """Everybody sees the same, whichever process noticed it."""
    await stands(db, clock, state)
    component = await one(db, clock)
    assert component.state == told
    assert component.since_ms == (None if told == "up" else NOON)


async def test_a_delay_is_over_when_its_time_has_passed(db, clock):
    """`Retry-After` needs nobody to end it."""
    told = {"until_ms": NOON + 1000, "error": None, "status": 429, "holder": "me"}
    await db.write(lambda tx: publish_in(tx, "temis", BreakerState.DELAYED, now=NOON, **told))
    assert (await one(db, clock)).state == "degraded"
    clock.advance(s=2)
    assert (await one(db, clock)).state == "up"


async def test_a_pause_by_a_person_is_told_before_all_else(db, clock):
    """Whatever the breaker says: nothing goes on until a person resumes it."""
    await stands(db, clock, BreakerState.OPEN)
    await pause(db, clock, "temis", by="ops", reason="secret reason of the operators")
    component = await one(db, clock)
    assert component.state == "paused"
    assert "secret" not in component.message("vi") + component.message("en")


async def test_an_outage_in_an_announced_window_is_maintenance(db, clock):
    """People are told until when, and it is announced a day before."""
    await add_window(db, clock, "temis", NOON + HOUR_MS, NOON + 3 * HOUR_MS, reason="upgrade", by="ops")
    before = await one(db, clock)
    assert before.state == "up"
    assert "sẽ bảo trì từ 13:00 ngày 09/03/2026 đến 15:00 ngày 09/03/2026" in before.message("vi")
    clock.advance(s=2 * 3600)
    await stands(db, clock, BreakerState.OPEN)
    during = await one(db, clock)
    assert during.state == "maintenance"
    assert "đang bảo trì" in during.message("vi")
    clock.advance(s=2 * 3600)
    assert (await one(db, clock)).state == "down"


async def test_the_banner_names_whom_to_ask(db, clock):
    """TEMIS's own help line, or what the operator has set."""
    await stands(db, clock, BreakerState.OPEN)
    assert "18008000 nhánh 2" in await StatusBoard(db, clock).banner("vi")
    assert "extension 2" in await StatusBoard(db, clock).banner("en")
    assert "helpdesk" in await StatusBoard(db, clock, {"temis": "helpdesk"}).banner("en")


async def test_the_board_reads_at_most_every_two_seconds(db, clock):
    """A status page that everybody reloads during an outage must not be a load of its own."""
    board = StatusBoard(db, clock)
    first = await board.components()
    await stands(db, clock, BreakerState.OPEN)
    assert await board.components() is first
    clock.advance(s=2)
    assert (await board.components())[0].state == "down"


async def test_what_waits_is_counted_by_state_with_its_age(db, clock):
    """Depth and oldest age, by the leader alone; the status page shows them without counting itself."""
    await db.write(lambda tx: accept.store(tx, [an_arrival() for _ in range(5)], [], NOON))
    await db.write(lambda tx: tx.run("UPDATE deliveries SET state = 'verified' WHERE id > 2"))
    await db.write(lambda tx: tx.run("UPDATE deliveries SET unknown_since_ms = 1 WHERE id = 5"))
    clock.advance(s=90)
    metrics = Metrics()
    await Backlog(db, clock, metrics).run(None)
    sample = metrics.registry.get_sample_value
    assert sample("gateway_deliveries", {"state": "verified"}) == 3
    assert sample("gateway_deliveries", {"state": "held"}) == 0
    assert sample("gateway_oldest_age_seconds", {"state": "accepted"}) == 90
    assert sample("gateway_unknown_outcomes", {"destination": "temis"}) == 1
    assert sample("gateway_balance_gap", {"vendor": "viettel"}) == 0
    temis, registry = await one(db, clock), await one(db, clock, "registry")
    assert (temis.waiting, temis.oldest_ms, registry.waiting) == (3, NOON, 2)


@pytest.mark.parametrize(
    ("passed_ms", "said"),
    [(59_000, "0 min"), (119 * 60_000, "119 min"), (5 * HOUR_MS, "5 h"), (72 * HOUR_MS, "3 days")],
)
def test_an_age_as_people_say_it(passed_ms, said):
    """Nobody reads 259200 seconds."""
    assert age(passed_ms, "en") == said
