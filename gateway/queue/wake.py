"""A change outside -> exactly the held deliveries that wait for it are due at once.

No wake is lost: each is numbered in `wakes`, and a hold is written only after looking for wakes newer than
the ones its stage had seen (queue/record.py). On PostgreSQL an advisory lock orders the two.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from gateway.model.clock import Clock
from gateway.model.outcomes import Wait
from gateway.queue.lanes import INTERACTIVE
from gateway.storage.cursors import keep_cursor
from gateway.storage.engine import Database, Tx

_LOCK_KEY = 0x77616B65  # "wake"

LOG = """
INSERT INTO wakes (kind, key, cause, at_ms) SELECT x.kind, x.key, :cause, :now FROM {x}"""
DUE = """
UPDATE deliveries SET due_at_ms = :now, fence = fence + 1{lane}
WHERE state = 'held' AND id IN (SELECT w.delivery_id FROM {x} JOIN waits w ON w.kind = x.kind AND w.key = x.key)
RETURNING id"""
# Wakes after the one that was seen. What was pruned among them may have been for anybody: then it is PRUNED.
NEWER = """
SELECT kind, key FROM wakes WHERE seq > :seen
UNION ALL SELECT '*', '*' FROM cursors WHERE name = 'wakes.pruned' AND CAST(value AS bigint) > :seen"""
PRUNED = ("*", "*")
OLDEST = "SELECT seq, at_ms FROM wakes WHERE seq < (SELECT MAX(seq) FROM wakes) ORDER BY seq LIMIT :limit"
PRUNE = "DELETE FROM wakes WHERE seq <= :through"
PAGE = 1_000  # keys or holds in one transaction: a hundred thousand would stop everybody else
PAGE_OF = """
SELECT delivery_id FROM waits WHERE kind = :kind AND key = :key AND delivery_id > :last
ORDER BY delivery_id LIMIT :limit"""
DUE_PAGE = """
UPDATE deliveries SET due_at_ms = :now, fence = fence + 1 FROM {x}
WHERE deliveries.id = x.id AND state = 'held'"""

Before = Callable[[Tx], Awaitable[None]]


async def lock_against_wakes(tx: Tx, *, exclusive: bool) -> None:
    """Holds of one transaction and wakes of another never interleave. SQLite has one writer anyway."""
    if tx.dialect == "postgresql":
        shared = "" if exclusive else "_shared"
        await tx.rows(f"SELECT pg_advisory_xact_lock{shared}(:key)", key=_LOCK_KEY)


async def newest_wake(db: Database) -> int:
    """The sequence number to remember before a stage looks at anything."""
    return await db.look(newest_wake_in)


async def newest_wake_in(tx: Tx) -> int:
    """`newest_wake` inside a transaction of the caller's, before it claims."""
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


async def wake_pages(
    db: Database, clock: Clock, keys: Sequence[Wait], *, cause: str, before: Before | None = None
) -> int:
    """`wake` for what a great many may wait for: logged first, then the holds, a page a transaction.

    What is held while the pages turn was judged after the log, or sees it there and is due at once. `before`
    runs first in every transaction. Returns: how many were made due; one that waits for two of the keys counts
    twice.
    """
    pairs = sorted({(wait.kind, wait.key) for wait in keys})
    for start in range(0, len(pairs), PAGE):
        rows = pairs[start : start + PAGE]
        await db.write(partial(_log_page, rows=rows, now=clock.now_ms(), cause=cause, before=before))
    woken = 0
    for kind, key in pairs:
        last = 0
        while ids := await _page_of(db, kind, key, last):
            woken += await db.write(partial(_due_page, ids=ids, now=clock.now_ms(), before=before))
            last = ids[-1]
    return woken


async def _log_page(
    tx: Tx, *, rows: Sequence[tuple[str, str]], now: int, cause: str, before: Before | None
) -> None:
    if before is not None:
        await before(tx)
    await lock_against_wakes(tx, exclusive=True)
    x = tx.json_rows(("kind", "text"), ("key", "text"))
    await tx.run(LOG.format(x=x), rows=tx.pack(rows), cause=cause, now=now)


async def _page_of(db: Database, kind: str, key: str, last: int) -> list[int]:
    async with db.read() as tx:
        found = await tx.rows(PAGE_OF, kind=kind, key=key, last=last, limit=PAGE)
    return [row.delivery_id for row in found]


async def _due_page(tx: Tx, *, ids: Sequence[int], now: int, before: Before | None) -> int:
    if before is not None:
        await before(tx)
    x = tx.json_rows(("id", "int"))
    return await tx.run(DUE_PAGE.format(x=x), rows=tx.pack([(id_,) for id_ in ids]), now=now)


async def prune_wakes(db: Database, clock: Clock, keep_ms: int) -> int:
    """Deletes wakes older than `keep_ms`, but never the newest: numbers only rise. Returns: how many.

    A judgement that began before one of them and is written after (a machine that slept for days) finds the
    number of the last one deleted above what it had seen: its holds are due at once, whatever they wait for.
    """
    before, pruned = clock.now_ms() - keep_ms, 0
    while True:
        n = await db.write(partial(_prune_page, before=before))
        pruned += n
        if n < PAGE:
            return pruned


async def _prune_page(tx: Tx, *, before: int) -> int:
    old = 0
    through = None
    for row in await tx.rows(OLDEST, limit=PAGE):
        if row.at_ms >= before:
            break
        old, through = old + 1, row.seq
    if through is not None:
        await keep_cursor(tx, "wakes.pruned", str(through), before)
        await tx.run(PRUNE, through=through)
    return old
