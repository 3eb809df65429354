"""Reconciliations in storage: what we believe TEMIS shows, page by page, and what was found instead.

A page is taken over in one transaction that also moves the cursor, so a walk that dies goes on where it was and
counts nothing twice; several may walk on at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from gateway.model.clock import Clock
from gateway.model.errors import NotFound, Refused
from gateway.queue import records
from gateway.queue.attempts import note
from gateway.queue.lanes import REPLAY
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx

PAGE = 200  # records a page: one call of TEMIS
KINDS = ("missing", "different", "unexpected")
COUNTS = ("same", *KINDS, "moving", "healed")
_SCOPE = "id, started_at_ms, ended_at_ms, ended, started_by, vendor_id, module_code, since_ms, cursor, last_id"
_COLUMNS = f"{_SCOPE}, {', '.join(COUNTS)}"

BELIEVED = """
SELECT r.id, r.person_id, r.module_code, r.school_year, r.winner_id, r.sent_id, r.sent_revision,
       d.id AS delivery_id, d.vendor_id, d.event_id, d.revision, d.kind, d.state, d.changed_at_ms,
       b.id AS body_id, EXISTS (SELECT 1 FROM deliveries m WHERE m.record_id = r.id
                                AND (m.state = 'verified' OR m.unknown_since_ms IS NOT NULL)) AS moving
FROM (SELECT * FROM records WHERE id > :after AND id <= :last ORDER BY id LIMIT :limit) r
LEFT JOIN deliveries d ON d.id = COALESCE(r.sent_id, r.winner_id)
LEFT JOIN deliveries b ON b.vendor_id = d.vendor_id AND b.event_id = d.event_id AND b.revision = d.revision
                      AND b.kind = 'completion'
ORDER BY r.id"""
STARTED = f"""
INSERT INTO reconciliations (started_at_ms, started_by, vendor_id, module_code, since_ms, last_id)
SELECT :now, :by, CAST(:vendor_id AS integer), :module_code, CAST(:since AS bigint), COALESCE(MAX(id), 0)
FROM records RETURNING {_COLUMNS}"""
MOVED = f"""
UPDATE reconciliations SET cursor = :next, {", ".join(f"{name} = {name} + :{name}" for name in COUNTS)},
       ended_at_ms = CASE WHEN :next >= last_id THEN CAST(:now AS bigint) END,
       ended = CASE WHEN :next >= last_id THEN 'done' END
WHERE id = :id AND cursor = :cursor AND ended_at_ms IS NULL"""
# TEMIS has lost what it had acknowledged: the delivery goes again, unless anything has changed since the look.
REQUEUED = f"""
UPDATE deliveries SET state = 'verified', due_at_ms = :now, lane = {REPLAY}, tries = 0, claims = 0,
       reason = NULL, owner = NULL, fence = fence + 1, changed_at_ms = :now
FROM {{x}} JOIN records r ON r.id = x.record_id
WHERE deliveries.id = r.sent_id AND r.winner_id = r.sent_id AND r.sent_revision = x.sent_revision
  AND deliveries.state = 'delivered' AND deliveries.unknown_since_ms IS NULL
RETURNING deliveries.id, deliveries.record_id"""
RAISED = """
UPDATE records
SET record_revision = 1 + CASE WHEN record_revision > x.theirs THEN record_revision ELSE x.theirs END
FROM {x} WHERE records.id = x.id"""
FOUND = """
INSERT INTO discrepancies (reconciliation_id, at_ms, kind, record_id, delivery_id, fields, our_revision,
                           temis_revision, requeued)
SELECT :run, :now, x.kind, x.record_id, x.delivery_id, x.fields, x.ours, x.theirs, x.requeued FROM {x}"""
LISTED = """
SELECT f.id, f.reconciliation_id, f.at_ms, f.kind, f.record_id, f.delivery_id, f.fields, f.our_revision,
       f.temis_revision, f.requeued, d.state, r.module_code, r.school_year, v.name AS vendor
FROM discrepancies f JOIN records r ON r.id = f.record_id LEFT JOIN deliveries d ON d.id = f.delivery_id
LEFT JOIN vendors v ON v.id = d.vendor_id
WHERE f.reconciliation_id = :run AND f.id > :after ORDER BY f.id LIMIT :limit"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which records a reconciliation looks at; everything given must hold."""

    vendor_id: int | None = None
    module_code: str | None = None
    since_ms: int | None = None  # acknowledged, or last changed, since then


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One walk over the records. `ended` None: under way."""

    id: int
    started_at_ms: int
    ended_at_ms: int | None
    ended: str | None
    started_by: str
    scope: Scope
    cursor: int
    last_id: int
    counts: Mapping[str, int]

    @property
    def checked(self) -> int:
        """Records that TEMIS was asked for."""
        return sum(self.counts[name] for name in ("same", *KINDS))

    @property
    def done_share(self) -> float:
        """0 to 1, by the records walked past."""
        return 1.0 if not self.last_id else min(1.0, self.cursor / self.last_id)


@dataclass(frozen=True, slots=True)
class Believed:
    """One record, and what we believe TEMIS shows of it.

    `stands`: a result of ours; else nothing should stand there. `moving`: something is on its way, so nobody
    can say. `may_heal`: what stands is still what should.
    """

    record_id: int
    person_id: int
    module_code: str
    school_year: str
    sent_revision: int
    delivery_id: int | None
    vendor_id: int | None
    event_id: str | None
    revision: int
    body_id: int | None
    stands: bool
    moving: bool
    may_heal: bool


class Discrepancy(NamedTuple):
    """What was found at one record. `theirs`: TEMIS's revision, None when it has nothing."""

    kind: str
    record_id: int
    delivery_id: int | None
    fields: tuple[str, ...]
    ours: int
    theirs: int | None
    heal: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A discrepancy as people see it. `state`: of its delivery, now."""

    id: int
    at_ms: int
    kind: str
    record_id: int
    delivery_id: int | None
    fields: tuple[str, ...]
    our_revision: int
    temis_revision: int | None
    requeued: bool
    state: str | None
    module_code: str
    school_year: str
    vendor: str | None


async def start(db: Database, clock: Clock, by: str, scope: Scope = Scope()) -> Reconciliation:
    """Begins a walk. Raises: Refused while another one is under way."""

    async def in_tx(tx: Tx) -> Reconciliation:
        await _one_at_a_time(tx)
        if await tx.rows("SELECT 1 FROM reconciliations WHERE ended_at_ms IS NULL LIMIT 1"):
            raise Refused("a reconciliation is under way already", "reconciliation_running")
        [row] = await tx.rows(
            STARTED,
            now=clock.now_ms(),
            by=by,
            vendor_id=scope.vendor_id,
            module_code=scope.module_code,
            since=scope.since_ms,
        )
        await append(tx, clock.now_ms(), by, "reconciliation.start", f"reconciliation:{row.id}")
        if not row.last_id:
            await tx.run(
                "UPDATE reconciliations SET ended_at_ms = :now, ended = 'done' WHERE id = :id",
                now=clock.now_ms(),
                id=row.id,
            )
        return await _read(tx, row.id)

    return await db.write(in_tx)


async def cancel(db: Database, clock: Clock, id_: int, by: str) -> bool:
    """Ends a walk where it is; what it found stays. Returns: whether it was under way."""

    async def in_tx(tx: Tx) -> bool:
        now = clock.now_ms()
        sql = (
            "UPDATE reconciliations SET ended_at_ms = :now, ended = 'cancelled' "
            "WHERE id = :id AND ended_at_ms IS NULL"
        )
        if not await tx.run(sql, now=now, id=id_):
            return False
        await append(tx, now, by, "reconciliation.cancel", f"reconciliation:{id_}")
        return True

    return await db.write(in_tx)


async def find(db: Database, id_: int) -> Reconciliation:
    """Raises: NotFound."""
    async with db.read() as tx:
        return await _read(tx, id_)


async def latest(db: Database, *, before: int | None = None, limit: int = 20) -> list[Reconciliation]:
    """Newest first; `before`: only ids below this one."""
    async with db.read() as tx:
        rows = await tx.rows(
            f"SELECT {_COLUMNS} FROM reconciliations WHERE id < :before ORDER BY id DESC LIMIT :limit",
            before=before if before is not None else 2**62,
            limit=limit,
        )
    return [_reconciliation(row) for row in rows]


async def under_way(db: Database) -> Reconciliation | None:
    """The walk that is not ended, if there is one."""
    return next((run for run in await latest(db, limit=1) if run.ended is None), None)


async def first_arrival_ms(db: Database) -> int | None:
    """When the first thing ever arrived here."""
    async with db.read() as tx:
        rows = await tx.rows("SELECT at_ms FROM intake ORDER BY id LIMIT 1")
    return rows[0].at_ms if rows else None


async def newest_record(db: Database) -> int:
    """The highest record id there is."""
    async with db.read() as tx:
        [row] = await tx.rows("SELECT COALESCE(MAX(id), 0) AS id FROM records")
    return int(row.id)


async def believed(db: Database, scope: Scope, *, after: int, last: int) -> tuple[list[Believed], int]:
    """The next page of records in order of id. Returns: those in scope, and the cursor behind the page."""
    async with db.read() as tx:
        rows = await tx.rows(BELIEVED, after=after, last=last, limit=PAGE)
    behind = rows[-1].id if len(rows) == PAGE else last
    return [_believed(row) for row in rows if _in_scope(row, scope)], behind


async def take_over(
    db: Database,
    clock: Clock,
    run: Reconciliation,
    counts: Mapping[str, int],
    found: Sequence[Discrepancy],
    behind: int,
) -> Reconciliation:
    """Adds one page: counts, discrepancies, what is to be healed goes again, the cursor moves.

    Returns: the walk as it is now; when another process took this page over before, nothing is added.
    """

    async def in_tx(tx: Tx) -> Reconciliation:
        now = clock.now_ms()
        again = [d for d in found if d.heal]
        await records.lock(tx, [d.record_id for d in again])
        # First the cursor: two at the same page wait for each other here, and the second finds it moved.
        moved = await tx.run(
            MOVED,
            id=run.id,
            cursor=run.cursor,
            next=behind,
            now=now,
            **{name: counts.get(name, 0) for name in COUNTS if name != "healed"},
            healed=0,
        )
        if not moved:
            return await _read(tx, run.id)
        requeued = await _requeue(tx, again, now)
        if requeued:
            await tx.run(
                "UPDATE reconciliations SET healed = healed + :n WHERE id = :id", n=len(requeued), id=run.id
            )
        await _write(tx, run.id, found, requeued, now)
        return await _read(tx, run.id)

    return await db.write(in_tx)


async def list_discrepancies(db: Database, id_: int, *, after: int = 0, limit: int = 50) -> list[Listed]:
    """0..limit of one reconciliation with an id above `after`, in order of id."""
    async with db.read() as tx:
        rows = await tx.rows(LISTED, run=id_, after=after, limit=limit)
    return [
        Listed(
            row.id,
            row.at_ms,
            row.kind,
            row.record_id,
            row.delivery_id,
            tuple(orjson.loads(row.fields)),
            row.our_revision,
            row.temis_revision,
            bool(row.requeued),
            row.state,
            row.module_code,
            row.school_year,
            row.vendor,
        )
        for row in rows
    ]


async def send_again(db: Database, clock: Clock, discrepancy_id: int, by: str) -> int:
    """An operator decides that ours is right: the delivery goes again, above TEMIS's revision.

    Returns: the delivery's id. Raises: NotFound; Refused when the record has changed since, or nothing of ours
    should stand there.
    """

    async def in_tx(tx: Tx) -> int:
        rows = await tx.rows(
            "SELECT kind, record_id, delivery_id, our_revision, temis_revision, requeued FROM discrepancies "
            "WHERE id = :id",
            id=discrepancy_id,
        )
        if not rows:
            raise NotFound(f"there is no discrepancy {discrepancy_id}")
        row, now = rows[0], clock.now_ms()
        await records.lock(tx, [row.record_id])
        one = Discrepancy(
            row.kind, row.record_id, row.delivery_id, (), row.our_revision, row.temis_revision, heal=True
        )
        if row.requeued or row.kind == "unexpected" or not (done := await _requeue(tx, [one], now)):
            raise Refused("the record has changed since, or nothing of ours should stand", "not_resendable")
        await tx.run("UPDATE discrepancies SET requeued = 1 WHERE id = :id", id=discrepancy_id)
        await append(tx, now, by, "discrepancy.send_again", f"delivery:{row.delivery_id}", found=row.kind)
        return min(done.values())

    return await db.write(in_tx)


async def _requeue(tx: Tx, again: Sequence[Discrepancy], now: int) -> dict[int, int]:
    """Returns: record id -> delivery that goes again."""
    if not again:
        return {}
    x = tx.json_rows(("record_id", "int"), ("sent_revision", "int"))
    cells = sorted((d.record_id, d.ours) for d in again)
    done = {row.record_id: row.id for row in await tx.rows(REQUEUED.format(x=x), rows=tx.pack(cells), now=now)}
    if done:
        # A revision of its own: a write of the old one that is still on its way cannot undo this one.
        x = tx.json_rows(("id", "int"), ("theirs", "int"))
        raised = sorted((d.record_id, d.theirs or 0) for d in again if d.record_id in done)
        await tx.run(RAISED.format(x=x), rows=tx.pack(raised))
        await note(tx, sorted(done.values()), "reconcile", "healed", "verified", now, trigger="reconcile")
    return done


async def _write(
    tx: Tx, run_id: int, found: Sequence[Discrepancy], requeued: Mapping[int, int], now: int
) -> None:
    if not found:
        return
    x = tx.json_rows(
        *(("kind", "text"), ("record_id", "int"), ("delivery_id", "int"), ("fields", "text")),
        *(("ours", "int"), ("theirs", "int"), ("requeued", "int")),
    )
    cells = [
        (
            *(d.kind, d.record_id, d.delivery_id, orjson.dumps(d.fields).decode(), d.ours, d.theirs),
            int(d.record_id in requeued),
        )
        for d in found
    ]
    await tx.run(FOUND.format(x=x), rows=tx.pack(cells), run=run_id, now=now)


async def _one_at_a_time(tx: Tx) -> None:
    if tx.dialect == "postgresql":
        await tx.rows("SELECT pg_advisory_xact_lock(:key)", key=0x7265636F)  # "reco"


async def _read(tx: Tx, id_: int) -> Reconciliation:
    rows = await tx.rows(f"SELECT {_COLUMNS} FROM reconciliations WHERE id = :id", id=id_)
    if not rows:
        raise NotFound(f"there is no reconciliation {id_}")
    return _reconciliation(rows[0])


def _reconciliation(row: Any) -> Reconciliation:
    return Reconciliation(
        row.id,
        row.started_at_ms,
        row.ended_at_ms,
        row.ended,
        row.started_by,
        Scope(row.vendor_id, row.module_code, row.since_ms),
        row.cursor,
        row.last_id,
        {name: getattr(row, name) for name in COUNTS},
    )


def _in_scope(row: Any, scope: Scope) -> bool:
    return (
        (scope.vendor_id is None or row.vendor_id == scope.vendor_id)
        and (scope.module_code is None or row.module_code == scope.module_code)
        and (scope.since_ms is None or (row.changed_at_ms or 0) >= scope.since_ms)
    )


def _believed(row: Any) -> Believed:
    stands = row.sent_id is not None and row.state == "delivered" and row.kind == "completion"
    return Believed(
        record_id=row.id,
        person_id=row.person_id,
        module_code=row.module_code,
        school_year=row.school_year,
        sent_revision=row.sent_revision,
        delivery_id=row.delivery_id,
        vendor_id=row.vendor_id,
        event_id=row.event_id,
        revision=row.revision or 0,
        body_id=row.body_id,
        stands=stands,
        moving=bool(row.moving),
        may_heal=stands and row.winner_id == row.sent_id,
    )
