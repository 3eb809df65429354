"""The change feed of vendors: moves between states, in an order in which none can be missed.

A move is a row of `attempts` with a state. Rows commit in another order than their ids on PostgreSQL, so the
leader publishes a mark: every row up to it is committed for good. Readers never go beyond the mark, so a cursor
that has passed an id never has to come back for it. Nothing is written for the feed on the way of completions.
Source: decisions record 0032.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.model.states import State
from gateway.storage.cursors import keep_cursor, read_cursor
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

MARK = "moves"
SPAN = 50_000  # attempts looked at for one page

NEWEST = {
    "sqlite": "SELECT COALESCE(MAX(id), 0) AS newest, 0 AS horizon, 0 AS oldest FROM attempts",
    "postgresql": (
        "SELECT COALESCE(MAX(id), 0) AS newest, "
        "CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) AS horizon, "
        "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS oldest FROM attempts"
    ),
}
# The range of attempts is walked first; then each is asked whose it is.
MOVES = """
SELECT a.id, a.at_ms, a.stage, a.outcome, a.to_state, d.id AS delivery_id, d.vendor_id, d.event_id, d.revision
FROM attempts a JOIN deliveries d ON d.id = a.delivery_id
WHERE a.id > :after AND a.id <= :through AND a.to_state IS NOT NULL AND d.kind = 'completion'{whose}
ORDER BY a.id LIMIT :limit"""


@dataclass(frozen=True, slots=True)
class Move:
    """One change of state of one completion. `seq` is its place in the feed."""

    seq: int
    at_ms: int
    vendor_id: int
    delivery_id: int
    event_id: str
    revision: int
    stage: str
    outcome: str
    state: State


@dataclass(frozen=True, slots=True)
class Moves:
    """0..limit moves; `next` is the cursor after them, `more` whether to ask again at once."""

    moves: tuple[Move, ...]
    next: int
    more: bool


async def publish(db: Database, lease: Lease, now_ms: int, ttl_ms: int) -> int:
    """Moves the mark as far as it is safe. Called again and again by the leader. Returns: the mark.

    A transaction takes its number before its first row, so once all that were under way have ended, no id below
    what was seen then can appear any more. Raises: LeaseLost.
    """
    async with db.read() as tx:
        [seen] = await tx.rows(NEWEST[db.dialect])
        mark, waiting, horizon = await _marks(tx)
    before = (mark, waiting, horizon)
    if waiting > mark and seen.oldest >= horizon:
        mark = waiting
    if db.dialect == "sqlite":  # one writer: ids are in the order of commits
        mark = waiting = int(seen.newest)
    elif waiting == mark:
        waiting, horizon = int(seen.newest), int(seen.horizon)
    if (mark, waiting, horizon) != before:
        value = orjson.dumps([mark, waiting, horizon]).decode()

        async def in_tx(tx: Tx) -> None:
            await hold_in(tx, lease, now_ms, ttl_ms)
            await keep_cursor(tx, MARK, value, now_ms)

        await db.write(in_tx)
    return mark


async def read_moves(
    db: Database, *, after: int, limit: int, vendor_id: int | None = None, span: int = SPAN
) -> Moves:
    """What has moved after the cursor, up to the mark; of one vendor, or of all."""
    async with db.read() as tx:
        mark, _, _ = await _marks(tx)
        through = min(mark, after + span)
        if through <= after:
            return Moves((), after, more=False)
        whose = "" if vendor_id is None else " AND d.vendor_id = :vendor_id"
        fill = {} if vendor_id is None else {"vendor_id": vendor_id}
        rows: Sequence[Any] = await tx.rows(
            MOVES.replace("{whose}", whose), after=after, through=through, limit=limit + 1, **fill
        )
    moves = tuple(
        Move(
            row.id,
            row.at_ms,
            row.vendor_id,
            row.delivery_id,
            row.event_id,
            row.revision,
            row.stage,
            row.outcome,
            State(row.to_state),
        )
        for row in rows[:limit]
    )
    if len(rows) > limit:
        return Moves(moves, moves[-1].seq, more=True)
    return Moves(moves, through, more=through < mark)


async def newest_mark(db: Database) -> int:
    """Up to where the feed can be read now."""
    async with db.read() as tx:
        return (await _marks(tx))[0]


async def _marks(tx: Tx) -> tuple[int, int, int]:
    found = await read_cursor(tx, MARK)
    mark, waiting, horizon = orjson.loads(found.value) if found else (0, 0, 0)
    return mark, waiting, horizon
