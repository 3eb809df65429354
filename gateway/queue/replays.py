"""Replays in storage: pauses, lineage, and how those that were set going have fared since."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.model.clock import Clock
from gateway.queue import acts
from gateway.queue.job import COLUMNS, Job, job_of
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx

KIND = "replay"

NOTE = """
INSERT INTO replayed (job_id, n, delivery_id, was_state, was_reason, at_ms)
SELECT :job, x.n, x.id, x.was_state, x.was_reason, :now FROM {x}"""
BEFORE = "SELECT d.id, d.state, d.reason FROM {x} JOIN deliveries d ON d.id = x.id ORDER BY d.id"
FARED = """
SELECT d.state, d.reason, CASE WHEN d.tries > 0 THEN 1 ELSE 0 END AS failing, COUNT(*) AS n
FROM replayed r JOIN deliveries d ON d.id = r.delivery_id
WHERE r.job_id = :job AND r.n > :after GROUP BY d.state, d.reason, 3"""
LINEAGE = """
SELECT r.job_id, r.was_state, r.was_reason, r.at_ms, j.owner FROM replayed r JOIN jobs j ON j.id = r.job_id
WHERE r.delivery_id = :id ORDER BY r.at_ms, r.job_id"""
IN_FLIGHT = """
SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM deliveries d
    WHERE d.state = :state AND d.lane = :lane AND d.due_at_ms IS NOT NULL LIMIT :limit) q"""


class Fared(NamedTuple):
    """How some of a replay's deliveries stand now. `failing`: tried again and failed, or held or dead again."""

    delivered: int
    failed: int
    voided: int
    pending: int
    by: Mapping[str, int]  # "state reason" -> how many, of those that are not delivered

    @property
    def settled(self) -> int:
        return self.delivered + self.failed + self.voided

    @property
    def failed_percent(self) -> float:
        return 100 * self.failed / self.settled if self.settled else 0.0


class Ancestor(NamedTuple):
    """One replay of a delivery, and what it had failed with until then."""

    job_id: int
    was_state: str
    was_reason: str | None
    at_ms: int
    by: str


async def set_going(tx: Tx, job: Job, ids: Sequence[int], n: int, now: int, *, verify_again: bool) -> None:
    """One page, inside the job's step: the deliveries are due again, and what they had failed with is kept."""
    x = tx.json_rows(("id", "int"))
    before = {row.id: row for row in await tx.rows(BEFORE.format(x=x), rows=tx.pack([(id_,) for id_ in ids]))}
    done = await acts.replay_in(tx, ids, now, verify_again=verify_again, trigger="bulk")
    if done:
        x = tx.json_rows(("n", "int"), ("id", "int"), ("was_state", "text"), ("was_reason", "text"))
        cells = [(n + i, id_, before[id_].state, before[id_].reason) for i, id_ in enumerate(done, 1)]
        await tx.run(NOTE.format(x=x), rows=tx.pack(cells), job=job.id, now=now)


async def fared(db: Database, job_id: int, *, after: int = 0) -> Fared:
    """How the deliveries of a replay stand now, from number `after` on."""
    async with db.read() as tx:
        rows = await tx.rows(FARED, job=job_id, after=after)
    counts = {"delivered": 0, "failed": 0, "voided": 0, "pending": 0}
    by: dict[str, int] = {}
    for row in rows:
        is_failed = row.state in ("dead", "held") or row.failing
        name = row.state if row.state in ("delivered", "voided") else "failed" if is_failed else "pending"
        counts[name] += row.n
        if name != "delivered":
            told = f"{row.state} {row.reason or ''}".rstrip()
            by[told] = by.get(told, 0) + row.n
    return Fared(**counts, by=dict(sorted(by.items(), key=lambda item: -item[1])))


async def set_going_count(db: Database, job_id: int) -> int:
    """How many deliveries a replay has set going so far."""
    async with db.read() as tx:
        [row] = await tx.rows("SELECT COALESCE(MAX(n), 0) AS n FROM replayed WHERE job_id = :id", id=job_id)
    return int(row.n)


async def lineage(db: Database, delivery_id: int) -> list[Ancestor]:
    """The replays of one delivery, oldest first."""
    async with db.read() as tx:
        rows = await tx.rows(LINEAGE, id=delivery_id)
    return [Ancestor(row.job_id, row.was_state, row.was_reason, row.at_ms, row.owner) for row in rows]


async def waiting_in_lane(db: Database, lane: int, limit: int) -> int:
    """How many of a lane are due or at work, counted up to `limit` of each state."""
    n = 0
    async with db.read() as tx:
        for state in ("accepted", "verified"):
            [row] = await tx.rows(IN_FLIGHT, state=state, lane=lane, limit=limit)
            n += int(row.n)
    return n


async def pause(db: Database, clock: Clock, job_id: int, by: str) -> bool:
    """Sets nothing further going; what is going goes on. Returns: False when it was paused already."""

    async def in_tx(tx: Tx) -> bool:
        now = clock.now_ms()
        sql = (
            "INSERT INTO replay_pauses (job_id, paused_at_ms, paused_by) VALUES (:id, :now, :by) "
            "ON CONFLICT DO NOTHING"
        )
        if not await tx.run(sql, id=job_id, now=now, by=by):
            return False
        await append(tx, now, by, "replay.pause", f"job:{job_id}")
        return True

    return await db.write(in_tx)


async def resume(db: Database, clock: Clock, job_id: int, by: str) -> bool:
    """Goes on where it was. Returns: False when it was not paused."""

    async def in_tx(tx: Tx) -> bool:
        if not await tx.run("DELETE FROM replay_pauses WHERE job_id = :id", id=job_id):
            return False
        await append(tx, clock.now_ms(), by, "replay.resume", f"job:{job_id}")
        await tx.run(
            "UPDATE jobs SET due_at_ms = :now WHERE id = :id AND state = 'waiting' AND due_at_ms IS NOT NULL",
            id=job_id,
            now=clock.now_ms(),
        )
        return True

    return await db.write(in_tx)


async def paused_by(db: Database, job_id: int) -> str | None:
    """Who paused it; None when nobody has."""
    async with db.read() as tx:
        rows = await tx.rows("SELECT paused_by FROM replay_pauses WHERE job_id = :id", id=job_id)
    return rows[0].paused_by if rows else None


async def latest(db: Database, *, before: int | None = None, limit: int = 20) -> list[Job]:
    """Replays, newest first; `before`: only ids below this one."""
    async with db.read() as tx:
        rows = await tx.rows(
            f"SELECT {COLUMNS} FROM jobs WHERE kind = :kind AND id < :before ORDER BY id DESC LIMIT :limit",
            kind=KIND,
            before=before if before is not None else 2**62,
            limit=limit,
        )
    return [job_of(row) for row in rows]
