"""Discards: an operator says, with a reason, that a delivery is not wanted; and takes that back.

Nothing is deleted. What TEMIS has, or may have, is not discarded but withdrawn by its vendor.
"""

from collections.abc import Sequence
from typing import Any

from gateway.model.clock import Clock
from gateway.queue import records
from gateway.queue.attempts import note
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx

MOST = 500  # in one transaction; callers go page by page

FOUND = """
SELECT d.id, d.state, d.reason, d.owner, d.record_id FROM {x} JOIN deliveries d ON d.id = x.id
WHERE d.state IN ('accepted', 'held', 'verified', 'dead') AND d.unknown_since_ms IS NULL
  AND d.kind = 'completion' ORDER BY d.id"""
KEPT = """
INSERT INTO discards (delivery_id, was_state, was_reason, was_owner, why, discarded_by, at_ms)
SELECT x.id, x.was_state, x.was_reason, x.was_owner, :why, :by, :now FROM {x} WHERE true
ON CONFLICT (delivery_id) DO UPDATE SET was_state = excluded.was_state, was_reason = excluded.was_reason,
    was_owner = excluded.was_owner, why = excluded.why, discarded_by = excluded.discarded_by,
    at_ms = excluded.at_ms"""
VOIDED = """
UPDATE deliveries SET state = 'voided', reason = 'discarded', owner = NULL, due_at_ms = NULL,
       fence = fence + 1, changed_at_ms = :now
FROM {x} WHERE deliveries.id = x.id AND deliveries.state = x.was_state AND deliveries.unknown_since_ms IS NULL
RETURNING deliveries.id, deliveries.record_id"""
DISCARDED = """
SELECT d.id, d.record_id, k.was_state, k.was_reason, k.was_owner
FROM {x} JOIN deliveries d ON d.id = x.id JOIN discards k ON k.delivery_id = d.id
WHERE d.state = 'voided' AND d.reason = 'discarded' ORDER BY d.id"""
RESTORED = """
UPDATE deliveries SET state = x.was_state, reason = x.was_reason, owner = x.was_owner,
       due_at_ms = CASE WHEN x.was_state <> 'dead' THEN CAST(:now AS bigint) END,
       tries = 0, claims = 0, fence = fence + 1, changed_at_ms = :now
FROM {x} WHERE deliveries.id = x.id AND deliveries.state = 'voided' AND deliveries.reason = 'discarded'
RETURNING deliveries.id, deliveries.record_id"""


async def discard(db: Database, clock: Clock, ids: Sequence[int], why: str, by: str) -> list[int]:
    """Voids up to MOST deliveries that TEMIS cannot have; the next best result of their records stands.

    Returns: ids discarded, ascending; the others are finished, on their way, or unknown.
    """

    async def in_tx(tx: Tx) -> list[int]:
        now = clock.now_ms()
        found = await _rows(tx, FOUND, ids)
        if not found:
            return []
        await records.lock(tx, {row.record_id for row in found if row.record_id is not None})
        x = tx.json_rows(("id", "int"), ("was_state", "text"), ("was_reason", "text"), ("was_owner", "text"))
        packed = tx.pack([(row.id, row.state, row.reason, row.owner) for row in found])
        gone = await tx.rows(VOIDED.format(x=x), rows=packed, now=now)
        done = sorted(row.id for row in gone)
        kept = tx.pack([(row.id, row.state, row.reason, row.owner) for row in found if row.id in set(done)])
        await tx.run(KEPT.format(x=x), rows=kept, why=why, by=by, now=now)
        await note(tx, done, "operator", "discarded", "voided", now, trigger="manual")
        await records.settle(tx, {row.record_id for row in gone if row.record_id is not None}, now)
        await append(tx, now, by, "delivery.discard", _object(done), ids=done, why=why)
        return done

    return await db.write(in_tx)


async def restore(db: Database, clock: Clock, ids: Sequence[int], by: str) -> list[int]:
    """Brings up to MOST discarded deliveries back to the state they were in; what was due is due at once.

    Returns: ids restored, ascending; the others were not discarded.
    """

    async def in_tx(tx: Tx) -> list[int]:
        now = clock.now_ms()
        found = await _rows(tx, DISCARDED, ids)
        if not found:
            return []
        await records.lock(tx, {row.record_id for row in found if row.record_id is not None})
        x = tx.json_rows(("id", "int"), ("was_state", "text"), ("was_reason", "text"), ("was_owner", "text"))
        packed = tx.pack([(row.id, row.was_state, row.was_reason, row.was_owner) for row in found])
        back = await tx.rows(RESTORED.format(x=x), rows=packed, now=now)
        done = sorted(row.id for row in back)
        states = {row.id: row.was_state for row in found}
        for state in sorted({states[id_] for id_ in done}):
            here = [id_ for id_ in done if states[id_] == state]
            await note(tx, here, "operator", "restored", state, now, trigger="manual")
        await records.settle(tx, {row.record_id for row in back if row.record_id is not None}, now)
        await append(tx, now, by, "delivery.restore", _object(done), ids=done)
        return done

    return await db.write(in_tx)


async def _rows(tx: Tx, sql: str, ids: Sequence[int]) -> Sequence[Any]:
    x = tx.json_rows(("id", "int"))
    packed = tx.pack([(id_,) for id_ in sorted(set(ids))[:MOST]])
    return await tx.rows(sql.format(x=x), rows=packed)


def _object(ids: Sequence[int]) -> str:
    return f"delivery:{ids[0]}" if len(ids) == 1 else "deliveries"
