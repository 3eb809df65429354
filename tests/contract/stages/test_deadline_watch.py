"""gateway/stages/deadline_watch.py: who will miss a deadline, and that those go first. Both engines."""

import pytest

from gateway.bdtx.deadlines import DeadlineKind, Wording, add_deadline, remove_deadline, upcoming
from gateway.bdtx.unit_store import RAISE_VERSION, UnitRegister
from gateway.bdtx.units import Units
from gateway.model.clock import DAY_MS
from gateway.model.errors import ConfigError, NotFound
from gateway.model.states import State
from gateway.queue import accept
from gateway.queue.alerts import recent
from gateway.queue.claim import claim
from gateway.queue.lanes import DEADLINE
from gateway.stages.deadline_watch import DeadlineWatch, at_risk, forecast_of_unit, read_forecasts
from gateway.storage.leases import acquire, release
from tests.builders import NOON, an_arrival

TTL_MS = 100 * DAY_MS
DEPARTMENT = "31"


@pytest.fixture
async def register(db, clock) -> UnitRegister:
    """One department with two schools."""

    async def in_tx(tx):
        for code, level, parent in (
            ("31", "department", None),
            ("31a", "school", "31"),
            ("31b", "school", "31"),
        ):
            await tx.run(
                "INSERT INTO units (code, valid_from, name, level, parent_code, teaches, changed_at_ms) "
                "VALUES (:code, 10101, :code, :level, :parent, '', 0)",
                code=code,
                level=level,
                parent=parent,
            )

        await tx.rows(RAISE_VERSION, now=NOON)

    await db.write(in_tx)
    return UnitRegister(db, clock)


async def arrive(db, school: str, n: int, *, department="31", state="accepted") -> None:
    """So many completions of a school, with their cases."""
    arrivals = [an_arrival() for _ in range(n)]
    receipts = await db.write(lambda tx: accept.store(tx, arrivals, [], NOON))
    ids = [receipt.delivery_id for receipt in receipts]

    async def in_tx(tx):
        for id_ in ids:
            await tx.run("UPDATE deliveries SET state = :state WHERE id = :id", state=state, id=id_)
            await tx.run(
                "INSERT INTO cases (delivery_id, vendor_id, received_at_ms, state, account_key, course_key, "
                "school_code, department_code) VALUES (:id, 1, 0, :state, :key, 'c', :school, :department)",
                id=id_,
                state=state,
                key=b"k",
                school=school,
                department=department,
            )

    await db.write(in_tx)


async def given(db, clock, stated="2026-03-12", unit=DEPARTMENT):
    units = await UnitRegister(db, clock).current()
    kind, year = DeadlineKind.BDTX_REPORT, "2025-2026"
    return await add_deadline(db, clock, units, kind, year, stated, Wording.BEFORE, unit_code=unit, by="ops")


async def look(db, clock, register, rate=0.0):
    lease = await acquire(db, clock, "leader", "me", TTL_MS)
    await DeadlineWatch(db, clock, register, lambda: rate, ttl_ms=TTL_MS).run(lease)
    await release(db, lease)
    return await read_forecasts(db)


@pytest.mark.parametrize(("rate", "late"), [(0.0, 10), (4.5 / 216_000, 6), (1.0, 0)])
async def test_how_many_will_miss_it_at_the_present_rate(db, clock, register, rate, late):
    """Not "the queue is long", but "six will be late": 60 hours are left until 12 March."""
    deadline = await given(db, clock)
    await arrive(db, "31a", 10)
    await arrive(db, "31b", 3, state="held")
    await arrive(db, "99", 50, department="99")
    found = (await look(db, clock, register, rate))[deadline.id]
    assert (found.waiting, found.held, found.late) == (10, 3, late)


async def test_each_unit_sees_its_own_number(db, clock, register):
    """A school's admin is told of the school's results, page by page."""
    deadline = await given(db, clock)
    await arrive(db, "31a", 4)
    await arrive(db, "31b", 2)
    found = await forecast_of_unit(db, clock, register, deadline, "31b", 0.0)
    assert (found.waiting, found.late) == (2, 2)
    assert await at_risk(db, clock, register, "31b") == [5, 6]
    assert await at_risk(db, clock, register, "31b", after=5) == [6]
    assert len(await at_risk(db, clock, register, None)) == 6


async def test_an_alert_once_a_day_within_the_last_week(db, clock, register):
    """People are told in time, and not each minute."""
    await given(db, clock, "2026-03-20")
    await arrive(db, "31a", 2)
    await look(db, clock, register)
    assert await recent(db) == []
    clock.advance(s=4 * 86_400)
    for _ in range(3):
        await look(db, clock, register)
        clock.advance(s=3600)
    [alert] = await recent(db)
    assert (alert.kind, alert.detail["late"], alert.detail["unit"]) == ("deadline.near", 2, "31")
    clock.advance(s=86_400)
    await look(db, clock, register)
    assert len(await recent(db)) == 2


async def test_what_is_near_its_deadline_goes_first(db, clock, register):
    """The nearest deadline first; what is not due, or of a paused vendor, is left where it is."""
    await arrive(db, "99", 5, department="99")
    await arrive(db, "31a", 3)
    await arrive(db, "31b", 3)
    await given(db, clock, "2026-03-14", DEPARTMENT)
    await given(db, clock, "2026-03-12", "31b")
    later = "UPDATE deliveries SET due_at_ms = :at WHERE id = 6"
    await db.write(lambda tx: tx.run(later, at=NOON + DAY_MS))
    clock.advance(s=120)
    await look(db, clock, register)
    claimed = []
    for _ in range(2):
        claimed += await claim(db, clock, State.ACCEPTED, DEADLINE, limit=3, lease_ms=60_000)
    assert [sorted(d.id for d in part) for part in (claimed[:3], claimed[3:])] == [[9, 10, 11], [7, 8]]


async def test_a_paused_vendor_gets_no_precedence(db, clock, register):
    """A deadline does not get round a pause."""
    await arrive(db, "31a", 3)
    await given(db, clock)
    await db.write(lambda tx: tx.run("UPDATE vendors SET paused_at_ms = 1"))
    clock.advance(s=120)
    await look(db, clock, register)
    assert await claim(db, clock, State.ACCEPTED, DEADLINE, limit=10, lease_ms=1) == []


async def test_a_deadline_for_everybody_moves_nothing(db, clock, register):
    """When all are in a hurry nobody goes first, and no row is written for it."""
    await arrive(db, "31a", 3)
    await given(db, clock, unit=None)
    clock.advance(s=120)
    found = await look(db, clock, register)
    assert [one.waiting for one in found.values()] == [3]
    assert await claim(db, clock, State.ACCEPTED, DEADLINE, limit=10, lease_ms=1) == []


async def test_a_unit_may_only_set_an_earlier_date(db, clock, register):
    """A later one would be a promise that nobody keeps."""
    await given(db, clock, "2026-03-20", None)
    await given(db, clock, "2026-03-15", "31")
    with pytest.raises(ConfigError):
        await given(db, clock, "2026-03-21", "31")
    with pytest.raises(NotFound):
        await given(db, clock, "2026-03-10", "nowhere")
    with pytest.raises(ConfigError):
        await add_deadline(
            db, clock, Units(), DeadlineKind.IDENTIFIER, "2025", "2026-03-20", Wording.BY, by="ops"
        )


async def test_a_deadline_is_taken_back(db, clock, register):
    """What was removed binds nobody, and is gone only once."""
    deadline = await given(db, clock)
    await remove_deadline(db, clock, deadline.id, by="ops")
    assert await upcoming(db, 0) == []
    with pytest.raises(NotFound):
        await remove_deadline(db, clock, deadline.id, by="ops")
