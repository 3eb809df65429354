"""Pausing a vendor: none of its deliveries is claimed, in whatever lane it stands, and none is lost.

Workers leave a paused vendor's own lane out. Its rows in the lanes that all vendors share (replay, deadline,
interactive, suspect) are parked in lanes of their own and come back at the resume.
"""

from collections.abc import Sequence
from functools import partial

from gateway.model.clock import Clock
from gateway.model.errors import NotFound
from gateway.model.states import State
from gateway.queue.lanes import FIXED, parked_lane
from gateway.storage import audit
from gateway.storage.engine import Database, Tx

ROWS = 1_000  # a write transaction stays short
REASON_CHARS = 500
_STATES = (State.ACCEPTED, State.HELD, State.VERIFIED)

PAUSE = """
UPDATE vendors SET paused_at_ms = COALESCE(paused_at_ms, :now), paused_by = :by, paused_reason = :reason
WHERE name = :name RETURNING id"""
RESUME = """
UPDATE vendors SET paused_at_ms = NULL, paused_by = NULL, paused_reason = NULL
WHERE name = :name RETURNING id"""
MOVE = """
UPDATE deliveries SET lane = :target WHERE id IN (
    SELECT id FROM deliveries WHERE state = :state AND lane = :source AND due_at_ms IS NOT NULL
    AND vendor_id = :vendor_id LIMIT :limit)"""
# Not EXISTS, and in the order of the index: else PostgreSQL reads all that is due.
MOVABLE = """
SELECT x.vendor_id, x.state, x.source, x.target FROM {x} WHERE (
    SELECT d.id FROM deliveries d WHERE d.state = x.state AND d.lane = x.source AND d.due_at_ms IS NOT NULL
    AND d.vendor_id = x.vendor_id ORDER BY d.due_at_ms LIMIT 1) IS NOT NULL"""


async def pause_vendor(db: Database, clock: Clock, name: str, *, by: str, reason: str) -> int:
    """Claims nothing more of this vendor until it is resumed; its completions are taken all the same.

    Returns: deliveries that were parked. Raises: NotFound.
    """

    async def in_tx(tx: Tx) -> bool:
        now, told = clock.now_ms(), reason[:REASON_CHARS]
        found = await tx.rows(PAUSE, name=name, now=now, by=by, reason=told)
        if found:
            await audit.append(tx, now, by, "vendor.pause", f"vendor:{name}", reason=told)
        return bool(found)

    if not await db.write(in_tx):
        raise NotFound(f"there is no vendor {name}")
    return await park(db)


async def resume_vendor(db: Database, clock: Clock, name: str, *, by: str) -> int:
    """Lets its deliveries go on. Returns: deliveries that came back to their lanes. Raises: NotFound."""

    async def in_tx(tx: Tx) -> bool:
        found = await tx.rows(RESUME, name=name)
        if found:
            await audit.append(tx, clock.now_ms(), by, "vendor.resume", f"vendor:{name}")
        return bool(found)

    if not await db.write(in_tx):
        raise NotFound(f"there is no vendor {name}")
    return await unpark(db)


async def park(db: Database) -> int:
    """Moves what stands in shared lanes of vendors that are paused. Returns: how many rows."""
    async with db.read() as tx:
        rows = await tx.rows("SELECT id FROM vendors WHERE paused_at_ms IS NOT NULL ORDER BY id")
    return await _move_all(db, [(row.id, lane, parked_lane(row.id, lane)) for row in rows for lane in FIXED])


async def unpark(db: Database) -> int:
    """Brings back what is parked of vendors that are not paused. Returns: how many rows."""
    async with db.read() as tx:
        rows = await tx.rows("SELECT id FROM vendors WHERE paused_at_ms IS NULL ORDER BY id")
    return await _move_all(db, [(row.id, parked_lane(row.id, lane), lane) for row in rows for lane in FIXED])


async def _move_all(db: Database, ways: Sequence[tuple[int, int, int]]) -> int:
    """(vendor id, from lane, to lane)s, in every state. Nothing is written where nothing is to be moved."""
    if not ways:
        return 0
    async with db.read() as tx:
        x = tx.json_rows(("vendor_id", "int"), ("state", "text"), ("source", "int"), ("target", "int"))
        places = [(id_, state.value, source, target) for state in _STATES for id_, source, target in ways]
        found = await tx.rows(MOVABLE.format(x=x), rows=tx.pack(places))
    return sum([await _move(db, r.vendor_id, State(r.state), r.source, r.target) for r in found])


async def _move(db: Database, vendor_id: int, state: State, source: int, target: int) -> int:
    """In transactions of at most ROWS. The fence stays: who works on one may record it."""

    async def in_tx(tx: Tx, state: str) -> int:
        return await tx.run(MOVE, target=target, state=state, source=source, vendor_id=vendor_id, limit=ROWS)

    moved = 0
    while n := await db.write(partial(in_tx, state=state.value)):
        moved += n
        if n < ROWS:
            break
    return moved
