"""Jobs: long work asked for by a person, one row each, that goes on where it was after any crash.

Claimed like a delivery: a claim moves `due_at_ms` ahead and raises `fence`, and every step is written under
that fence together with what it did. So a step is done once, whoever is killed when. Who runs them:
queue/job_worker.py.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from sqlalchemy import insert

from gateway.model.clock import Clock
from gateway.model.errors import LeaseLost, NotFound
from gateway.queue.job import COLUMNS, Job, JobState, job_of
from gateway.queue.retry import MAX_UNRECORDED_CLAIMS
from gateway.security.vault import Vault, aad
from gateway.storage import tables
from gateway.storage.data_keys import load_keys_of
from gateway.storage.engine import Database, Tx

PIECE_BYTES = 1024 * 1024
_CLEARED = 5  # jobs of one transaction

ADD = f"""
INSERT INTO jobs (kind, state, owner, unit_code, params, summary, total, created_at_ms)
VALUES (:kind, 'waiting', :owner, :unit_code, :params, '{{}}', :total, :now) RETURNING {COLUMNS}"""
_PICK = "SELECT id FROM jobs WHERE kind = :kind AND due_at_ms <= :now ORDER BY due_at_ms, id LIMIT 1"
_TAKE = """state = 'running', due_at_ms = :until, fence = fence + 1, claims = claims + 1,
    started_at_ms = COALESCE(started_at_ms, :now)"""
CLAIM = {
    "sqlite": f"UPDATE jobs SET {_TAKE} WHERE id IN ({_PICK}) RETURNING {COLUMNS}",
    "postgresql": f"""WITH due AS MATERIALIZED ({_PICK} FOR UPDATE SKIP LOCKED)
    UPDATE jobs SET {_TAKE} FROM due WHERE jobs.id = due.id
    RETURNING {COLUMNS.replace("id,", "jobs.id,", 1)}""",
}
_MINE = "WHERE id = :id AND fence = :fence AND state = 'running'"
RENEW = f"UPDATE jobs SET due_at_ms = :until {_MINE}"
STEP = f"""
UPDATE jobs SET done = :done, total = CAST(:total AS integer), summary = :summary, claims = 0, note = NULL
{_MINE}"""
PUT_BACK = f"""
UPDATE jobs SET state = 'waiting', due_at_ms = :at, note = CAST(:note AS text), fence = fence + 1,
    claims = CASE WHEN :own_fault = 1 THEN claims ELSE 0 END {_MINE}"""
END = f"""
UPDATE jobs SET state = :state, note = CAST(:note AS text), due_at_ms = NULL, finished_at_ms = :now,
    fence = fence + 1 {_MINE}"""
CANCEL = """
UPDATE jobs SET state = 'cancelled', due_at_ms = NULL, finished_at_ms = :now, fence = fence + 1
WHERE id = :id AND state IN ('waiting', 'running')"""
OPEN_OF = """
SELECT COUNT(*) AS n FROM jobs WHERE owner = :owner AND kind = :kind AND state IN ('waiting', 'running')"""
OLD = """
SELECT id FROM jobs WHERE cleared_at_ms IS NULL AND created_at_ms < :before
  AND (finished_at_ms IS NOT NULL OR due_at_ms IS NULL) ORDER BY created_at_ms LIMIT :limit"""

Also = Callable[[Tx], Awaitable[None]]


class Jobs:
    """The tables `jobs` and `job_parts`. One instance per process."""

    def __init__(self, db: Database, clock: Clock, vault: Vault) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault

    async def add(
        self,
        kind: str,
        owner: str,
        *,
        unit_code: str | None = None,
        params: Mapping[str, Any] | None = None,
        blobs: Mapping[str, bytes] | None = None,
        total: int | None = None,
        also: Also | None = None,
    ) -> Job:
        """Makes a job that is due at once. `blobs` are kept sealed; `also` runs in the job's first transaction.

        A crash before all of a large blob is stored leaves a job that never becomes due, and is cleared.
        """
        pieces = [
            (name, n, content[start : start + PIECE_BYTES])
            for name, content in (blobs or {}).items()
            for n, start in enumerate(range(0, max(len(content), 1), PIECE_BYTES))
        ]

        async def make(tx: Tx) -> Job:
            [row] = await tx.rows(
                ADD,
                kind=kind,
                owner=owner,
                unit_code=unit_code,
                params=orjson.dumps(params or {}).decode(),
                total=total,
                now=self._clock.now_ms(),
            )
            await self._put(tx, row.id, pieces[:1])
            if also is not None:
                await also(tx)
            return job_of(row)

        job = await self._db.write(make)
        for piece in pieces[1:]:
            await self._db.write(partial(self._put, job_id=job.id, pieces=[piece]))
        now = self._clock.now_ms()
        sql = "UPDATE jobs SET due_at_ms = :now WHERE id = :id AND state = 'waiting'"
        await self._db.write(lambda tx: tx.run(sql, id=job.id, now=now))
        return replace(job, due_at_ms=now)

    async def claim(self, kind: str, lease_ms: int) -> Job | None:
        """Leases the job that has waited longest. Returns: None when none is due.

        One that was claimed again and again without a step is failed as `internal.crash_loop` on the way.
        """
        now = self._clock.now_ms()
        async with self._db.read() as tx:
            if not await tx.rows(_PICK, kind=kind, now=now):
                return None

        async def take(tx: Tx) -> Job | None:
            found = await tx.rows(CLAIM[tx.dialect], kind=kind, now=now, until=now + lease_ms)
            if not found:
                return None
            job = job_of(found[0])
            if job.claims <= MAX_UNRECORDED_CLAIMS:
                return job
            await _end(tx, job, JobState.FAILED, "internal.crash_loop", now)
            return None

        return await self._db.write(take)

    async def renew(self, job: Job, lease_ms: int) -> bool:
        """Holds it for `lease_ms` from now. Returns: False when it was cancelled or is another's."""
        until = self._clock.now_ms() + lease_ms
        return bool(await self._db.write(lambda tx: tx.run(RENEW, id=job.id, fence=job.fence, until=until)))

    async def step(
        self,
        job: Job,
        done: int,
        *,
        total: int | None = None,
        summary: Mapping[str, Any] | None = None,
        parts: Sequence[tuple[str, int, bytes]] = (),
        also: Also | None = None,
    ) -> Job:
        """Notes progress, keeps `parts` (name, number, at most 1 MiB) and runs `also`, in one transaction.

        Returns: the job as it is now. Raises: LeaseLost, and then nothing of it is written.
        """
        told = job.summary if summary is None else summary
        total = job.total if total is None else total

        async def in_tx(tx: Tx) -> None:
            changed = await tx.run(
                STEP,
                id=job.id,
                fence=job.fence,
                done=done,
                total=total,
                summary=orjson.dumps(told).decode(),
            )
            if not changed:
                raise LeaseLost(f"job {job.id} was cancelled or is another's")
            await self._put(tx, job.id, parts)
            if also is not None:
                await also(tx)

        await self._db.write(in_tx)
        return replace(job, done=done, total=total, summary=told, claims=0)

    async def keep(self, job: Job, name: str, content: bytes) -> None:
        """Keeps a result of any size, a piece a transaction; what a killed process left of it goes first.

        Raises: LeaseLost.
        """

        async def drop(tx: Tx) -> None:
            await tx.run("DELETE FROM job_parts WHERE job_id = :id AND name = :name", id=job.id, name=name)

        await self.step(job, job.done, also=drop)
        for n, start in enumerate(range(0, max(len(content), 1), PIECE_BYTES)):
            await self.step(job, job.done, parts=[(name, n, content[start : start + PIECE_BYTES])])

    async def put_back(self, job: Job, note: str | None, *, delay_ms: int = 0, own_fault: bool = False) -> None:
        """Not now: due again after `delay_ms`. An own fault counts: five without a step fail the job.

        Lost meanwhile: nothing happens.
        """
        at = self._clock.now_ms() + delay_ms
        fill = {"id": job.id, "fence": job.fence, "at": at, "note": note, "own_fault": int(own_fault)}
        await self._db.write(lambda tx: tx.run(PUT_BACK, **fill))

    async def finish(self, job: Job, state: JobState = JobState.DONE, note: str | None = None) -> None:
        """It is over. Raises: LeaseLost."""
        await self._db.write(lambda tx: _end(tx, job, state, note, self._clock.now_ms()))

    async def cancel(self, job_id: int, also: Also | None = None) -> bool:
        """Ends it between two steps; what is done stays done. Returns: False when it was over already."""

        async def in_tx(tx: Tx) -> bool:
            changed = await tx.run(CANCEL, id=job_id, now=self._clock.now_ms())
            if changed and also is not None:
                await also(tx)
            return bool(changed)

        return await self._db.write(in_tx)

    async def find(self, job_id: int) -> Job:
        """Raises: NotFound."""
        async with self._db.read() as tx:
            found = await tx.rows(f"SELECT {COLUMNS} FROM jobs WHERE id = :id", id=job_id)
        if not found:
            raise NotFound("there is no such job")
        return job_of(found[0])

    async def of(self, owner: str, kind: str, *, before: int | None = None, limit: int = 20) -> list[Job]:
        """0..limit jobs of one owner with an id below `before`, newest first."""
        sql = f"""SELECT {COLUMNS} FROM jobs WHERE owner = :owner AND kind = :kind AND id < :before
            ORDER BY id DESC LIMIT :limit"""
        async with self._db.read() as tx:
            rows = await tx.rows(sql, owner=owner, kind=kind, before=before or 2**62, limit=limit)
        return [job_of(row) for row in rows]

    async def open_of(self, owner: str, kind: str) -> int:
        """How many of an owner's jobs are waiting or running."""
        async with self._db.read() as tx:
            [row] = await tx.rows(OPEN_OF, owner=owner, kind=kind)
        return int(row.n)

    async def parts(self, job_id: int, name: str) -> list[bytes]:
        """The opened parts of one name in order of their numbers; none when there are none or were deleted."""
        async with self._db.read() as tx:
            rows = await tx.rows(
                "SELECT n, sealed FROM job_parts WHERE job_id = :id AND name = :name ORDER BY n",
                id=job_id,
                name=name,
            )
        sealed = [(int(row.n), bytes(row.sealed)) for row in rows]
        await load_keys_of(self._db, self._vault, [blob for _, blob in sealed])
        return [self._vault.open(blob, _place(job_id, name, n)) for n, blob in sealed]

    async def labels(self, job_ids: Sequence[int], name: str) -> dict[int, bytes]:
        """The first part of one name of each of several jobs, opened; those that have none are absent."""
        async with self._db.read() as tx:
            x = tx.json_rows(("id", "int"))
            rows = await tx.rows(
                f"SELECT p.job_id, p.sealed FROM {x} JOIN job_parts p ON p.job_id = x.id "
                "WHERE p.name = :name AND p.n = 0",
                rows=tx.pack([(id_,) for id_ in job_ids]),
                name=name,
            )
        sealed = {int(row.job_id): bytes(row.sealed) for row in rows}
        await load_keys_of(self._db, self._vault, sealed.values())
        return {id_: self._vault.open(blob, _place(id_, name, 0)) for id_, blob in sealed.items()}

    async def clear(self, before_ms: int) -> int:
        """Deletes the parts of up to 5 jobs made before `before_ms` and not at work. Returns: how many."""

        async def in_tx(tx: Tx) -> int:
            ids = sorted(row.id for row in await tx.rows(OLD, before=before_ms, limit=_CLEARED))
            rows = tx.pack([(id_,) for id_ in ids])
            x = tx.json_rows(("id", "int"))
            await tx.run(f"DELETE FROM job_parts WHERE job_id IN (SELECT x.id FROM {x})", rows=rows)
            await tx.run(
                f"UPDATE jobs SET cleared_at_ms = :now FROM {x} WHERE jobs.id = x.id",
                rows=rows,
                now=self._clock.now_ms(),
            )
            return len(ids)

        return await self._db.write(in_tx)

    async def _put(self, tx: Tx, job_id: int, pieces: Sequence[tuple[str, int, bytes]]) -> None:
        await tx.insert_many(
            insert(tables.job_parts),
            [
                {
                    "job_id": job_id,
                    "name": name,
                    "n": n,
                    "sealed": self._vault.seal(content, _place(job_id, name, n)),
                }
                for name, n, content in pieces
            ],
        )


async def _end(tx: Tx, job: Job, state: JobState, note: str | None, now: int) -> None:
    if not await tx.run(END, id=job.id, fence=job.fence, state=state.value, note=note, now=now):
        raise LeaseLost(f"job {job.id} was cancelled or is another's")


def _place(job_id: int, name: str, n: int) -> bytes:
    return aad("job_parts", "sealed", job_id, name, n)
