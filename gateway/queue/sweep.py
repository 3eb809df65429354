"""Pulls in rows that are due later than anything here ever waits: a process with a wrong clock left them there.

A lease or a retry is written as a moment. One written by a clock that was years ahead would outlast everybody.
"""

from functools import partial

from gateway.model.clock import Clock
from gateway.model.states import State
from gateway.queue.lanes import FIXED
from gateway.queue.retry import LONGEST_MS
from gateway.storage.engine import Database, Tx

ROWS = 1_000  # a write transaction stays short
_STATES = (State.ACCEPTED, State.HELD, State.VERIFIED)

FAR = """
SELECT d.id FROM {x} JOIN deliveries d ON d.state = x.state AND d.lane = x.lane AND d.due_at_ms > :latest
LIMIT :limit"""
PULL_IN = """
UPDATE deliveries SET due_at_ms = :now FROM {x} WHERE deliveries.id = x.id AND deliveries.due_at_ms > :latest"""


async def sweep(db: Database, clock: Clock) -> int:
    """Makes such rows due now. Returns: how many.

    The fence stays: who still works on one may record it, and one that was sent is read back first as ever.
    """
    pulled_in = 0
    while ids := await _far(db, clock):
        pulled_in += await db.write(partial(_pull_in, ids=ids, now=clock.now_ms()))
    return pulled_in


async def _far(db: Database, clock: Clock) -> list[int]:
    async with db.read() as tx:
        lanes = [*FIXED, *(row.lane for row in await tx.rows("SELECT lane FROM vendors"))]
        x = tx.json_rows(("state", "text"), ("lane", "int"))
        places = [(state.value, lane) for state in _STATES for lane in lanes]
        found = await tx.rows(
            FAR.format(x=x), rows=tx.pack(places), latest=clock.now_ms() + LONGEST_MS, limit=ROWS
        )
    return sorted(row.id for row in found)


async def _pull_in(tx: Tx, ids: list[int], now: int) -> int:
    x = tx.json_rows(("id", "int"))
    return await tx.run(
        PULL_IN.format(x=x), rows=tx.pack([(id_,) for id_ in ids]), now=now, latest=now + LONGEST_MS
    )
