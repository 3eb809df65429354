"""Hot statements use the index made for them, on both engines: a plan that scans is a bug at 10⁷ rows."""

import pytest

from gateway.model.states import State
from gateway.queue import accept, claim, following, moves, record, records, sweep, wake
from gateway.queue.lanes import SUSPECT
from gateway.storage.engine import Database
from tests.builders import NOON, an_arrival

ROWS = 20_000


@pytest.fixture
async def full(db: Database) -> Database:
    """Two vendors with a backlog in every state, beside finished rows."""
    arrivals = [an_arrival(f"e{i:06}", vendor_id=1 + i % 2) for i in range(ROWS)]
    for start in range(0, ROWS, 1_000):
        await db.write(lambda tx, part=arrivals[start : start + 1_000]: accept.store(tx, part, [], NOON))
    for state, due, remainder in (
        ("delivered", "NULL", 0),
        ("verified", "due_at_ms", 1),
        ("held", "due_at_ms", 2),
    ):
        changes = f"state = '{state}', due_at_ms = {due}, record_id = id"
        sql = f"UPDATE deliveries SET {changes} WHERE id % 4 = {remainder}"
        await db.write(lambda tx, sql=sql: tx.run(sql))
    async with db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    return db


async def plan(db: Database, sql: str, before: str | None = None, **parameters) -> str:
    """The engine's plan as one text; the statement is planned, not run."""
    word = "EXPLAIN QUERY PLAN " if db.dialect == "sqlite" else "EXPLAIN "
    async with db.read() as tx:
        if before is not None and db.dialect == "postgresql":
            await tx.rows(before)
        rows = await tx.rows(word + sql, **parameters)
    return "\n".join(str(row[-1]) for row in rows)


def uses(text: str, index: str) -> bool:
    return index in text and "SCAN deliveries" not in text and "Seq Scan on deliveries" not in text


@pytest.mark.parametrize("state", [State.ACCEPTED, State.HELD, State.VERIFIED])
async def test_a_claim_walks_the_due_index_in_order(full, state):
    """State and lane are bound parameters, and the rows come sorted from the index: no sort, no scan."""
    sql = claim.CLAIM[full.dialect].format(extra=claim._MARK_UNKNOWN)
    found = await plan(
        full,
        sql,
        before=claim.WALK_THE_INDEX,
        state=state.value,
        lane=101,
        now=NOON,
        until=NOON + 1,
        limit=500,
    )
    assert "ix_deliveries_due" in found
    assert "TEMP B-TREE" not in found
    assert "Sort" not in found
    assert "Bitmap" not in found


async def test_looking_for_due_lanes_touches_one_row_a_lane(full):
    """An idle worker asks the index, not the table."""
    async with full.read() as tx:
        x = tx.json_rows(("lane", "int"))
    sql = claim.DUE_LANES.format(x=x)
    found = await plan(full, sql, rows=f"[[{SUSPECT}],[101],[102]]", state="accepted", now=NOON)
    assert uses(found, "ix_deliveries_due")


async def test_accepting_finds_known_events_by_the_unique_index(full):
    """Idempotency costs one index probe a row."""
    async with full.read() as tx:
        x = tx.json_rows(("vendor_id", "int"), ("event_id", "text"))
    found = await plan(full, accept.KNOWN.format(x=x), rows='[[1,"e000001"],[2,"new"]]')
    unique = "sqlite_autoindex_deliveries_1" if full.dialect == "sqlite" else "uq_deliveries_vendor_id"
    assert uses(found, unique)


async def test_recording_finds_rows_by_their_id(full):
    """A result is written by primary key, with fence and state as conditions on that one row."""
    names = (
        *(("id", "int"), ("fence", "int"), ("was", "text"), ("state", "text"), ("due", "int")),
        *(("tries", "int"), ("reason", "text"), ("owner", "text"), ("unknown", "int"), ("person_id", "int")),
        *(("rank", "int"), ("record_id", "int"), ("leaves", "int"), ("claims", "int")),
    )
    async with full.read() as tx:
        x = tx.json_rows(*names)
    rows = '[[10,0,"accepted","verified",1,0,null,null,0,1,1,1,0,0]]'
    found = await plan(full, record.UPDATE.format(x=x), rows=rows, now=NOON)
    assert "SCAN deliveries" not in found
    assert "Seq Scan on deliveries" not in found


async def test_settling_finds_candidates_by_their_record(full):
    """A contested record looks at its own deliveries only."""
    async with full.read() as tx:
        x = tx.json_rows(("id", "int"))
    found = await plan(full, records.CANDIDATES.format(x=x), rows="[[20],[40]]")
    assert uses(found, "ix_deliveries_record")


async def test_the_sweep_probes_the_due_index(full):
    """Looking for rows that are due too late costs a probe for each state and lane."""
    async with full.read() as tx:
        x = tx.json_rows(("state", "text"), ("lane", "int"))
    found = await plan(full, sweep.FAR.format(x=x), rows='[["held",101]]', latest=NOON + 10**12, limit=1_000)
    assert uses(found, "ix_deliveries_due")


@pytest.mark.parametrize("state", [State.HELD, State.DEAD])
async def test_a_vendor_finds_its_failures_by_an_index(full, state):
    """However many others have sent, the page of one vendor walks its own held or dead rows in order."""
    sql, fill = following.statement(following.Wanted(state=state))
    found = await plan(full, sql, vendor_id=1, first=1, limit=101, **fill)
    assert uses(found, f"ix_deliveries_{state}_of_vendor")
    assert "TEMP B-TREE" not in found


@pytest.mark.parametrize("wanted", [following.Wanted(), following.Wanted(state=State.DELIVERED)])
async def test_any_other_page_of_a_vendor_walks_a_bounded_range_of_ids(full, wanted):
    """Without an index of its own a list reads at most SPAN rows by primary key, then says where it stopped."""
    sql, fill = following.statement(wanted)
    found = await plan(full, sql, vendor_id=1, first=1, end=2_000, limit=101, **fill)
    assert "INTEGER PRIMARY KEY" in found or "pk_deliveries" in found
    assert "Seq Scan" not in found


async def test_the_change_feed_walks_a_bounded_range_of_attempts(full):
    """A page of the feed reads attempts by primary key from its cursor on, and each delivery by its own."""
    await full.write(
        lambda tx: tx.run(
            "INSERT INTO attempts (delivery_id, at_ms, stage, trigger, outcome, to_state) "
            "SELECT id, 0, 'verify', 'automatic', 'verified', 'verified' FROM deliveries"
        )
    )
    async with full.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    sql = moves.MOVES.replace("{whose}", " AND d.vendor_id = :vendor_id")
    found = await plan(full, sql, after=10_000, through=10_100, vendor_id=1, limit=101)
    assert "SCAN" not in found
    assert "Seq Scan" not in found
    assert "pk_attempts" in found or found.count("INTEGER PRIMARY KEY") == 2


async def test_a_crowd_of_holds_is_paged_by_its_key(full):
    """A changed policy wakes a hundred thousand holds a page at a time, each page straight from the index."""
    await full.write(
        lambda tx: tx.run("INSERT INTO waits (delivery_id, kind, key) SELECT id, 'policy', 'a' FROM deliveries")
    )
    async with full.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    found = await plan(full, wake.PAGE_OF, kind="policy", key="a", last=10_000, limit=1_000)
    assert "ix_waits_kind_key" in found or "pk_waits" in found
    assert "Seq Scan" not in found
    assert "TEMP B-TREE" not in found
