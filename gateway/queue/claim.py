"""Claiming due rows: a visibility timeout with a fence, lane by lane.

A claim moves `due_at_ms` ahead by the lease, so a crash makes the row due again by itself. The deliver
claim also marks the outcome unknown in the same statement: whatever happens next, the row is read back
before it is sent again.
"""

from collections.abc import Sequence

from gateway.model.clock import Clock
from gateway.model.states import Kind, State
from gateway.queue.delivery import Delivery
from gateway.queue.lanes import SUSPECT
from gateway.queue.retry import MAX_UNRECORDED_CLAIMS
from gateway.storage.engine import Database, Tx

# A row whose worker died again and again moves to the lane where rows are claimed one at a time.
_SET = f"""due_at_ms = :until, fence = fence + 1, claims = claims + 1,
    lane = CASE WHEN claims + 1 >= {MAX_UNRECORDED_CLAIMS} THEN {SUSPECT} ELSE lane END{{extra}}"""
_PICK = """SELECT id FROM deliveries
    WHERE state = :state AND lane = :lane AND due_at_ms <= :now ORDER BY due_at_ms, id LIMIT :limit"""
_COLUMNS = ", ".join(
    f"deliveries.{name}"
    for name in (
        "id",
        "vendor_id",
        "event_id",
        "revision",
        "kind",
        "state",
        "lane",
        "fence",
        "tries",
        "claims",
        "unknown_since_ms",
        "person_id",
        "record_id",
        "received_at_ms",
        "due_at_ms",
    )
)
CLAIM = {
    "sqlite": f"UPDATE deliveries SET {_SET} WHERE id IN ({_PICK}) RETURNING {_COLUMNS}",
    # MATERIALIZED: a LIMIT inside IN (…) may be planned so that more rows are locked than asked for.
    "postgresql": f"""WITH due AS MATERIALIZED ({_PICK} FOR UPDATE SKIP LOCKED)
    UPDATE deliveries SET {_SET} FROM due WHERE deliveries.id = due.id RETURNING {_COLUMNS}""",
}
# With a short backlog PostgreSQL likes to collect and sort it; with a long one that is what made claims slow,
# and a plan made in the quiet would be kept. So claims always walk the index.
WALK_THE_INDEX = "SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)"
_MARK_UNKNOWN = ", unknown_since_ms = COALESCE(unknown_since_ms, :now)"

DUE_LANES = """
SELECT x.lane FROM {x} WHERE EXISTS (
    SELECT 1 FROM deliveries d WHERE d.state = :state AND d.lane = x.lane AND d.due_at_ms <= :now)"""


async def claim_in(tx: Tx, state: State, lane: int, *, now: int, limit: int, lease_ms: int) -> list[Delivery]:
    """Leases up to `limit` due rows of one lane, one in the suspect lane. Returns: by (received, id)."""
    if lane == SUSPECT:
        limit = 1
    extra = _MARK_UNKNOWN if state is State.VERIFIED else ""
    if tx.dialect == "postgresql":
        await tx.rows(WALK_THE_INDEX)
    found = await tx.rows(
        CLAIM[tx.dialect].format(extra=extra),
        state=state.value,
        lane=lane,
        now=now,
        until=now + lease_ms,
        limit=limit,
    )
    claimed = [
        Delivery(
            id=row.id,
            vendor_id=row.vendor_id,
            event_id=row.event_id,
            revision=row.revision,
            kind=Kind(row.kind),
            state=State(row.state),
            lane=row.lane,
            fence=row.fence,
            tries=row.tries,
            claims=row.claims,
            was_unknown=row.unknown_since_ms is not None and row.unknown_since_ms != now,
            person_id=row.person_id,
            record_id=row.record_id,
            received_at_ms=row.received_at_ms,
        )
        for row in found
    ]
    claimed.sort(key=lambda d: (d.received_at_ms, d.id))  # RETURNING has no order
    return claimed


async def claim(
    db: Database, clock: Clock, state: State, lane: int, *, limit: int, lease_ms: int
) -> list[Delivery]:
    """Leases up to `limit` due deliveries in `state` and `lane`; one at a time in the suspect lane.

    Each claim raises `fence`, which `record` must match: a worker whose lease ran out can no longer write.

    Returns: 0..limit deliveries ordered by (received_at_ms, id).
    Raises: StorageBusy when the database did not take the transaction.
    """
    return await db.write(
        lambda tx: claim_in(tx, state, lane, now=clock.now_ms(), limit=limit, lease_ms=lease_ms)
    )


async def due_lanes(db: Database, clock: Clock, state: State, lanes: Sequence[int]) -> list[int]:
    """Those of `lanes` in which at least one row of `state` is due, in the order given. Writes nothing."""
    return (await due_by_state(db, clock, [state], lanes))[state]


async def due_by_state(
    db: Database, clock: Clock, states: Sequence[State], lanes: Sequence[int]
) -> dict[State, list[int]]:
    """`due_lanes` of several states, in one look."""

    async def look(tx: Tx) -> dict[State, list[int]]:
        sql = DUE_LANES.format(x=tx.json_rows(("lane", "int")))
        rows, now = tx.pack([(lane,) for lane in lanes]), clock.now_ms()
        found = {}
        for state in states:
            due = {row.lane for row in await tx.rows(sql, rows=rows, state=state.value, now=now)}
            found[state] = [lane for lane in lanes if lane in due]
        return found

    return await db.look(look)


async def renew(db: Database, clock: Clock, deliveries: Sequence[Delivery], lease_ms: int) -> set[int]:
    """Moves the lease of rows that are still ours ahead. Returns: their ids; the others are somebody else's."""

    async def extend(tx: Tx) -> set[int]:
        x = tx.json_rows(("id", "int"), ("fence", "int"))
        found = await tx.rows(
            f"UPDATE deliveries SET due_at_ms = :until FROM {x} "
            "WHERE deliveries.id = x.id AND deliveries.fence = x.fence RETURNING deliveries.id",
            rows=tx.pack(sorted((d.id, d.fence) for d in deliveries)),
            until=clock.now_ms() + lease_ms,
        )
        return {row.id for row in found}

    return await db.write(extend)
