"""A change outside -> exactly the held deliveries that wait for it are due at once.

No wake is lost: each is numbered in `wakes`, and a hold is written only after looking for wakes newer than
the ones its stage had seen (queue/record.py). On PostgreSQL an advisory lock orders the two.
"""

from collections.abc import Sequence

from gateway.model.clock import Clock
from gateway.model.outcomes import Wait
from gateway.queue.lanes import INTERACTIVE
from gateway.storage.engine import Database, Tx

_LOCK_KEY = 0x77616B65  # "wake"

LOG = """
INSERT INTO wakes (kind, key, cause, at_ms) SELECT x.kind, x.key, :cause, :now FROM {x}"""
DUE = """
UPDATE deliveries SET due_at_ms = :now, fence = fence + 1{lane}
WHERE state = 'held' AND id IN (SELECT w.delivery_id FROM {x} JOIN waits w ON w.kind = x.kind AND w.key = x.key)
RETURNING id"""


async def lock_against_wakes(tx: Tx, *, exclusive: bool) -> None:
    """Holds of one transaction and wakes of another never interleave. SQLite has one writer anyway."""
    if tx.dialect == "postgresql":
        shared = "" if exclusive else "_shared"
        await tx.rows(f"SELECT pg_advisory_xact_lock{shared}(:key)", key=_LOCK_KEY)


async def newest_wake(db: Database) -> int:
    """The sequence number to remember before a stage looks at anything."""
    async with db.read() as tx:
        [row] = await tx.rows("SELECT COALESCE(MAX(seq), 0) AS seq FROM wakes")
    return int(row.seq)


async def wake(
    db: Database, clock: Clock, keys: Sequence[Wait], *, cause: str, interactive: bool = False
) -> int:
    """Makes every held delivery that waits for one of `keys` due now. Returns: how many."""
    if not keys:
        return 0
    return await db.write(lambda tx: wake_in(tx, keys, clock.now_ms(), cause=cause, interactive=interactive))


async def wake_in(tx: Tx, keys: Sequence[Wait], now: int, *, cause: str, interactive: bool = False) -> int:
    """`wake` inside a transaction of the caller's, with at least one key."""
    await lock_against_wakes(tx, exclusive=True)
    x = tx.json_rows(("kind", "text"), ("key", "text"))
    rows = tx.pack(sorted({(wait.kind, wait.key) for wait in keys}))
    await tx.run(LOG.format(x=x), rows=rows, cause=cause, now=now)
    lane = f", lane = {INTERACTIVE}" if interactive else ""
    return len(await tx.rows(DUE.format(x=x, lane=lane), rows=rows, now=now))
