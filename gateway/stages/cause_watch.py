"""The duty of keeping causes up with the attempt log, off the hot path.

    attempts by id, up to the mark ─▶ failures and recoveries ─▶ causes, links, alerts, with the cursor
                                  └─▶ counts by stage and outcome, time from acceptance to TEMIS

The mark (queue/moves.py) says up to where every attempt is committed, so none is missed. Attempts that went
well are only counted by the database; rows are read of those that failed, and of those that some cause held up.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.model.clock import MINUTE_MS, SECOND_MS, Clock
from gateway.observe.metrics import Metrics
from gateway.queue.alerts import Alert, Severity, raise_in
from gateway.queue.cause_log import Ended, Failure, Opened, any_quiet, count_affected, end_quiet, take_in
from gateway.queue.moves import newest_mark
from gateway.storage.cursors import keep_cursor, read_cursor
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

CURSOR_NAME = "causes"
BATCH = 2_000  # attempts in one transaction
RATE_MS = 15 * MINUTE_MS
SAVE_MS = 10 * SECOND_MS  # how often the cursor is kept while nothing fails
OURS = "gateway"  # whose causes an operator looks at

_RANGE = "a.id > :after AND a.id <= :upto AND a.late = 0"
_FAILED = "(a.to_state IN ('held', 'dead') OR (a.to_state IS NULL AND a.stage IN ('verify', 'deliver')))"
COUNTS = f"SELECT a.stage, a.outcome, COUNT(*) AS n FROM attempts a WHERE {_RANGE} GROUP BY a.stage, a.outcome"
FAILED = f"""
SELECT a.id, a.delivery_id, a.at_ms, a.stage, a.outcome, a.http_status, a.answer, d.owner
FROM attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE {_RANGE} AND {_FAILED} ORDER BY a.id"""
WENT_ON = f"""
SELECT a.delivery_id, MAX(a.id) AS id FROM attempts a
WHERE {_RANGE} AND a.to_state IN ('verified', 'delivered', 'voided', 'accepted') AND ({{whose}})
GROUP BY a.delivery_id"""
_LINKED = "EXISTS (SELECT 1 FROM delivery_causes l WHERE l.delivery_id = a.delivery_id)"
_FAILED_NOW = "a.delivery_id IN (SELECT x.id FROM {x})"
LATENCIES = f"""
SELECT (a.at_ms - d.received_at_ms) / 100 AS tenths, COUNT(*) AS n
FROM attempts a JOIN deliveries d ON d.id = a.delivery_id
WHERE {_RANGE} AND a.to_state = 'delivered' GROUP BY 1"""
SUBJECTS = "SELECT w.delivery_id, w.key FROM {x} JOIN waits w ON w.delivery_id = x.id AND w.kind = 'course'"


class _Read(NamedTuple):
    """One batch of attempts."""

    upto: int
    failures: list[Failure]
    recovered: set[int]
    delivered: int
    is_more: bool


class CauseWatch:
    """Follows the attempts once a second. One instance per process."""

    name = "causes"
    every_s = 1.0

    def __init__(self, db: Database, clock: Clock, metrics: Metrics, *, ttl_ms: int) -> None:
        self._db = db
        self._clock = clock
        self._metrics = metrics
        self._ttl_ms = ttl_ms
        self._after = self._saved_at_ms = self._fence = 0
        self._lately: deque[tuple[int, int]] = deque()  # (when, delivered since the time before)

    async def run(self, lease: Lease) -> None:
        """Reads up to the mark, then ends what is quiet. Raises: LeaseLost."""
        await self._begin(lease)
        is_more = True
        while is_more:
            began = time.monotonic()
            is_more = await self._turn(lease)
            if is_more:  # the pipeline goes first
                await asyncio.sleep(time.monotonic() - began)
        now = self._clock.now_ms()
        async with self._db.read() as tx:
            is_quiet = await any_quiet(tx, now)
        if is_quiet:
            await self._db.write(lambda tx: self._end(tx, lease))
        await count_affected(self._db, now)

    def rate_per_s(self) -> float:
        """Deliveries that TEMIS took in a second, over the last quarter of an hour."""
        now = self._clock.now_ms()
        while self._lately and self._lately[0][0] < now - RATE_MS:
            self._lately.popleft()
        return sum(n for _, n in self._lately) / (RATE_MS / SECOND_MS)

    async def _begin(self, lease: Lease) -> None:
        if lease.fence != self._fence:  # another process may have led meanwhile
            async with self._db.read() as tx:
                found = await read_cursor(tx, CURSOR_NAME)
            self._after = int(found.value) if found else 0
            self._fence = lease.fence

    async def _turn(self, lease: Lease) -> bool:
        mark = await newest_mark(self._db)
        if mark <= self._after:
            return False
        read = await self._read(mark)
        now = self._clock.now_ms()
        if read.failures or read.recovered or now - self._saved_at_ms >= SAVE_MS:

            async def in_tx(tx: Tx) -> None:
                await hold_in(tx, lease, now, self._ttl_ms)
                opened = await take_in(tx, read.failures, read.recovered)
                await raise_in(tx, now, [one for cause in opened for one in _opened(cause)])
                await keep_cursor(tx, CURSOR_NAME, str(read.upto), now)

            await self._db.write(in_tx)
            self._saved_at_ms = now
        self._after = read.upto
        self._lately.append((now, read.delivered))
        return read.is_more

    async def _read(self, mark: int) -> _Read:
        upto = min(mark, self._after + BATCH)
        span = {"after": self._after, "upto": upto}
        async with self._db.read() as tx:
            counts = await tx.rows(COUNTS, **span)
            failed = await tx.rows(FAILED, **span)
            x = tx.json_rows(("id", "int"))
            ids = tx.pack([(id_,) for id_ in sorted({row.delivery_id for row in failed})])
            whose = f"{_LINKED} OR {_FAILED_NOW.format(x=x)}" if failed else _LINKED
            fill = {"rows": ids} if failed else {}
            went_on = await tx.rows(WENT_ON.format(whose=whose), **span, **fill)
            subjects = await tx.rows(SUBJECTS.format(x=x), rows=ids) if failed else ()
            latencies = await tx.rows(LATENCIES, **span)
        self._count(counts, latencies)
        gone = {row.delivery_id: row.id for row in went_on}
        courses = {row.delivery_id: f"course:{row.key}" for row in subjects}
        failures = [_failure(row, courses, still=gone.get(row.delivery_id, 0) < row.id) for row in failed]
        back = {f.delivery_id for f in failures if f.still}
        delivered = sum(row.n for row in latencies)
        return _Read(upto, failures, gone.keys() - back, delivered, upto < mark)

    def _count(self, counts: Sequence[Any], latencies: Sequence[Any]) -> None:
        for row in counts:
            self._metrics.attempts.labels(row.stage, row.outcome).inc(row.n)
        for row in latencies:
            for _ in range(row.n):
                self._metrics.end_to_end.observe(max(0.0, row.tenths / 10))

    async def _end(self, tx: Tx, lease: Lease) -> None:
        now = self._clock.now_ms()
        await hold_in(tx, lease, now, self._ttl_ms)
        ended = await end_quiet(tx, now)
        await raise_in(tx, now, [alert for cause in ended for alert in _ended(cause, now)])


def _failure(row: Any, courses: dict[int, str], *, still: bool) -> Failure:
    is_course = row.outcome.startswith("course.")
    return Failure(
        delivery_id=row.delivery_id,
        at_ms=row.at_ms,
        stage=row.stage,
        code=row.outcome,
        subject=courses.get(row.delivery_id, "") if is_course else "",
        answer=row.answer or "",
        http_status=None if row.http_status == 200 else row.http_status,  # answers to items came with a 200
        owner=row.owner or OURS,  # what waits for a destination is held by nobody
        still=still,
    )


def _opened(cause: Opened) -> list[Alert]:
    failure = cause.failure
    if _is_told_elsewhere(failure.code):
        return []
    kind = "cause.reopened" if cause.again else "cause.opened"
    detail = {
        "stage": failure.stage,
        "code": failure.code,
        "subject": failure.subject,
        "owner": failure.owner,
        "n": cause.n,
    }
    return [Alert(kind, _severity(failure.owner), f"cause:{cause.id}", detail)]


def _ended(cause: Ended, now: int) -> list[Alert]:
    if _is_told_elsewhere(cause.code):
        return []
    lasted_s = (now - cause.opened_at_ms) // SECOND_MS
    detail = {"stage": cause.stage, "code": cause.code, "seen": cause.seen, "lasted_s": lasted_s}
    return [Alert("cause.ended", Severity.INFO, f"cause:{cause.id}", detail)]


def _is_told_elsewhere(code: str) -> bool:
    """An outage is told of once, as the destination's (stages/shared_gates.py)."""
    return code.startswith("upstream.")


def _severity(owner: str | None) -> Severity:
    return Severity.WARNING if owner == OURS else Severity.INFO
