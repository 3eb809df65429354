"""Check again: what one learner, or one cause in one's units, has held is asked about live and judged anew."""

from collections.abc import Sequence

from gateway.bdtx.places import Within
from gateway.queue.lanes import INTERACTIVE
from gateway.stages.cases.failures import among, where_of
from gateway.stages.cases.reading import Case
from gateway.stages.cases.sight import Desk, Sight
from gateway.storage.audit import append
from gateway.storage.engine import Tx

PART = 500
AT_MOST = 20_000  # of one cause at once: the sector database has a budget
OF_LEARNER = """
SELECT c.delivery_id AS id FROM cases c WHERE {where} c.account_key = :key AND c.state = 'held'
ORDER BY c.delivery_id LIMIT 500"""
OF_CAUSE = f"""
SELECT delivery_id AS id FROM cases WHERE {{where}} reason = :reason AND settled = 0 AND delivery_id > :after
ORDER BY delivery_id LIMIT {PART}"""
DUE = """
UPDATE deliveries SET due_at_ms = :now, fence = fence + 1{lane} FROM {x}
WHERE deliveries.id = x.id AND deliveries.state = 'held' RETURNING deliveries.id"""


async def recheck(desk: Desk, sight: Sight, case: Case) -> int:
    """This case and whatever else the learner's account has held in the viewer's units. Returns: how many."""
    limit = sight.limit
    assert limit is not None  # the case was read
    ids = {case.id}
    if case.account_key is not None:
        where, fill = among(limit)
        async with desk.db.read() as tx:
            rows = await tx.rows(OF_LEARNER.format(where=where), **fill, key=case.account_key)
        ids |= {row.id for row in rows}

    async def in_tx(tx: Tx) -> int:
        woken = await _due(desk, tx, sorted(ids), interactive=True)
        about = f"delivery:{case.id}"
        await append(tx, desk.clock.now_ms(), sight.viewer.login, "case.recheck", about, woken=woken)
        return woken

    return await desk.db.write(in_tx)


async def recheck_cause(desk: Desk, sight: Sight, limit: Within, reason: str) -> int:
    """Every failure of one cause within `limit`, in the lane of its vendor. Returns: how many."""
    where, fill = where_of(limit)
    woken, after = 0, 0
    while woken < AT_MOST:
        async with desk.db.read() as tx:
            rows = await tx.rows(OF_CAUSE.format(where=where), **fill, reason=reason, after=after)
        if not rows:
            break
        ids, after = [row.id for row in rows], rows[-1].id

        async def in_tx(tx: Tx, ids: Sequence[int] = ids) -> int:
            return await _due(desk, tx, ids, interactive=False)

        woken += await desk.db.write(in_tx)

    async def note(tx: Tx) -> None:
        about = f"cause:{reason}"
        unit = limit.code or "all"
        await append(tx, desk.clock.now_ms(), sight.viewer.login, "case.recheck", about, unit=unit, woken=woken)

    await desk.db.write(note)
    return woken


async def _due(desk: Desk, tx: Tx, ids: Sequence[int], *, interactive: bool) -> int:
    lane = f", lane = {INTERACTIVE}" if interactive else ""
    sql = DUE.format(x=tx.json_rows(("id", "int")), lane=lane)
    return len(await tx.rows(sql, rows=tx.pack([(id_,) for id_ in ids]), now=desk.clock.now_ms()))
