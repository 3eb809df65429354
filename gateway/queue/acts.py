"""Acts of people and vendors on rows: withdraw, replay, discard, restore. They append, and erase nothing."""

from collections.abc import Sequence

from gateway.model.clock import Clock
from gateway.model.errors import NotFound
from gateway.model.states import State
from gateway.queue import records
from gateway.queue.attempts import note
from gateway.queue.lanes import REPLAY
from gateway.storage.engine import Database, Tx

WITHDRAW = """
UPDATE deliveries SET state = 'voided', reason = 'withdrawn', owner = NULL, due_at_ms = NULL,
       fence = fence + 1, changed_at_ms = :now
WHERE vendor_id = :vendor_id AND event_id = :event_id AND kind = 'completion'
  AND (state <> 'voided' OR reason IN ('superseded', 'replaced', 'discarded'))
RETURNING id, record_id"""
REPLAYED = """
UPDATE deliveries SET state = x.target, due_at_ms = :now, lane = {lane}, tries = 0, claims = 0, reason = NULL,
       owner = NULL, fence = fence + 1, changed_at_ms = :now
FROM {x} WHERE deliveries.id = x.id AND deliveries.state = x.source
RETURNING deliveries.id, deliveries.record_id"""


async def withdraw(db: Database, clock: Clock, vendor_id: int, event_id: str) -> list[int]:
    """Takes every revision of an event back; the next best result of its record returns.

    What TEMIS has, or may have, is withdrawn there too. Doing it twice changes nothing.

    Returns: ids of the deliveries voided now. Raises: NotFound when the vendor never sent this event.
    """

    async def in_tx(tx: Tx) -> list[int]:
        now = clock.now_ms()
        await records.lock(tx, (), [(vendor_id, event_id)])
        voided = await tx.rows(WITHDRAW, vendor_id=vendor_id, event_id=event_id, now=now)
        if not voided:
            known = await tx.rows(
                "SELECT 1 FROM deliveries WHERE vendor_id = :v AND event_id = :e LIMIT 1",
                v=vendor_id,
                e=event_id,
            )
            if not known:
                raise NotFound("this vendor has sent no event with this id")
        await note(tx, [row.id for row in voided], "withdraw", "withdrawn", "voided", now)
        await records.settle(tx, {row.record_id for row in voided if row.record_id is not None}, now)
        return sorted(row.id for row in voided)

    return await db.write(in_tx)


async def replay(db: Database, clock: Clock, ids: Sequence[int], *, verify_again: bool = False) -> list[int]:
    """Makes dead and held deliveries due again, in the replay lane; the attempts so far stay.

    A dead delivery that was verified is delivered again, unless `verify_again`; a held one is judged again.

    Returns: ids that were due for a replay, ascending; the others were neither dead nor held.
    """

    return await db.write(
        lambda tx: replay_in(tx, ids, clock.now_ms(), verify_again=verify_again, trigger="manual")
    )


async def replay_in(tx: Tx, ids: Sequence[int], now: int, *, verify_again: bool, trigger: str) -> list[int]:
    """`replay` inside a transaction of the caller's; `trigger` is what the attempt log says of it."""
    x = tx.json_rows(("id", "int"))
    rows = await tx.rows(
        f"SELECT d.id, d.state, d.record_id FROM {x} JOIN deliveries d ON d.id = x.id "
        "WHERE d.state IN ('dead', 'held') ORDER BY d.id",
        rows=tx.pack([(id_,) for id_ in sorted(set(ids))]),
    )
    moves = [
        (
            row.id,
            row.state,
            State.VERIFIED.value
            if row.state == "dead" and row.record_id is not None and not verify_again
            else State.ACCEPTED.value,
        )
        for row in rows
    ]
    if not moves:
        return []
    await records.lock(tx, {row.record_id for row in rows if row.record_id is not None})
    x = tx.json_rows(("id", "int"), ("source", "text"), ("target", "text"))
    done = await tx.rows(REPLAYED.format(x=x, lane=REPLAY), rows=tx.pack(moves), now=now)
    targets = {id_: target for id_, _, target in moves}
    for target in sorted(set(targets.values())):
        changed = sorted(row.id for row in done if targets[row.id] == target)
        await note(tx, changed, "replay", "replayed", target, now, trigger=trigger)
    await records.settle(tx, {row.record_id for row in done if row.record_id is not None}, now)
    return sorted(row.id for row in done)
