"""Lists and replays by filter use an index on both engines, and a page is one walk in order of id."""

import pytest

from gateway.model.errors import NotFound
from gateway.model.states import State
from gateway.queue import accept
from gateway.queue.listing import (
    Filter,
    count,
    find_delivery,
    ids_of,
    latest_deliveries,
    list_deliveries,
    page_of,
    states_of,
)
from gateway.storage.engine import Database
from tests.builders import NOON, an_arrival

ROWS = 8_000
HELD = 40


@pytest.fixture
async def full(db: Database) -> Database:
    """Deliveries of two vendors; the last HELD are held, half of them for each of two reasons."""
    arrivals = [an_arrival(f"e{i:06}", vendor_id=1 + i % 2) for i in range(ROWS)]
    for start in range(0, ROWS, 1_000):
        await db.write(lambda tx, part=arrivals[start : start + 1_000]: accept.store(tx, part, [], NOON))

    async def finish(tx):
        first = f"e{ROWS - HELD:06}"
        await tx.run("UPDATE deliveries SET state = 'verified' WHERE event_id < :first", first=first)
        await tx.run(
            "UPDATE deliveries SET state = 'delivered', due_at_ms = NULL WHERE event_id < :first", first=first
        )
        await tx.run(
            "UPDATE deliveries SET state = 'held', owner = 'school', reason = CASE WHEN id % 4 < 2 "
            "THEN 'registry.not_found' ELSE 'course.unmapped' END WHERE event_id >= :first",
            first=first,
        )

    await db.write(finish)
    async with db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    return db


async def plan(db: Database, wanted: Filter) -> str:
    sql, fill = page_of(wanted)
    word = "EXPLAIN QUERY PLAN " if db.dialect == "sqlite" else "EXPLAIN "
    async with db.read() as tx:
        rows = await tx.rows(word + sql, **fill, after=0, limit=50)
    return "\n".join(str(row[-1]) for row in rows)


async def test_a_reason_is_looked_up_in_the_index_of_its_state(full):
    """What an operator replays is found without reading what was delivered."""
    found = await plan(full, Filter(state=State.HELD, reason="registry.not_found"))
    assert "ix_deliveries_held" in found
    assert "Seq Scan" not in found


async def test_an_event_is_looked_up_by_the_unique_index(full):
    """Also when the vendor is not named: each vendor's own is asked."""
    unique = "sqlite_autoindex_deliveries_1" if full.dialect == "sqlite" else "uq_deliveries_vendor_id"
    assert unique in await plan(full, Filter(event_id="e000017"))
    assert unique in await plan(full, Filter(event_id="e000017", vendor_id=2))


async def test_a_page_without_a_filter_walks_the_rows_by_id(full):
    """The first page of 10⁷ rows costs as much as that of 50."""
    found = await plan(full, Filter())
    assert "TEMP B-TREE" not in found
    assert "Sort" not in found


async def test_pages_join_without_gap_or_repeat(full):
    """Each page begins after the last id of the one before, whatever changes meanwhile."""
    wanted = Filter(state=State.HELD)
    seen: list[int] = []
    while page := await list_deliveries(full, wanted, after=seen[-1] if seen else 0, limit=7):
        seen += [line.id for line in page]
    assert len(seen) == HELD
    assert seen == sorted(set(seen))
    assert await ids_of(full, wanted, after=0, limit=ROWS) == seen
    assert await count(full, Filter(state=State.HELD, reason="course.unmapped")) == HELD // 2


async def test_filters_hold_together(full):
    """Vendor, state and reason at once; names of vendors are told, not their ids."""
    wanted = Filter(state=State.HELD, vendor_id=2, reason="registry.not_found")
    found = await list_deliveries(full, wanted)
    assert len(found) == HELD // 4
    assert {(line.vendor, line.state, line.reason) for line in found} == {
        ("vnpt", State.HELD, "registry.not_found")
    }


async def test_states_are_told_of_those_that_exist(full):
    """An id that is none is left out, not guessed."""
    assert await states_of(full, [1, ROWS, ROWS + 1]) == {1: State.DELIVERED, ROWS: State.HELD}


async def test_a_delivery_that_does_not_exist_is_not_found(full):
    """And says which one was asked for."""
    with pytest.raises(NotFound, match="no delivery 99999"):
        await find_delivery(full, 99_999)


async def test_the_newest_first_join_without_gap_or_repeat(full):
    """An operator reads from today backwards; a page is a walk along the same index."""
    wanted = Filter(state=State.HELD)
    seen: list[int] = []
    while page := await latest_deliveries(full, wanted, before=seen[-1] if seen else None, limit=7):
        seen += [line.id for line in page]
    assert len(seen) == HELD
    assert seen == sorted(set(seen), reverse=True)


async def test_a_cause_and_a_module_lead_to_their_deliveries_along_an_index(full):
    """Neither list reads the deliveries that have nothing to do with it."""

    async def add(tx):
        await tx.run(
            "INSERT INTO delivery_causes (delivery_id, cause_id, since_ms) "
            "SELECT id, id % 50, 0 FROM deliveries"
        )
        await tx.run(
            "INSERT INTO cases (delivery_id, vendor_id, received_at_ms, state, module_code) "
            "SELECT id, vendor_id, received_at_ms, state, 'GVPT' || (id % 50) FROM deliveries"
        )

    await full.write(add)
    async with full.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    by_cause, by_module = Filter(cause_id=7), Filter(module_code="GVPT7")
    expected = [id_ for id_ in range(ROWS, 0, -1) if id_ % 50 == 7]
    for wanted, index in ((by_cause, "ix_delivery_causes_cause"), (by_module, "ix_cases_module_code")):
        assert index in await plan(full, wanted)
        found = await latest_deliveries(full, wanted, limit=ROWS)
        assert [line.id for line in found] == expected
        assert await count(full, wanted) == len(expected)
    assert await count(full, Filter(cause_id=7, module_code="GVPT8")) == 0
