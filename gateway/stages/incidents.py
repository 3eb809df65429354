"""The duty of keeping incident sheets: an outage from its first failure until what had waited has gone on.

    destination stops ─▶ opened ─▶ answers again: ended ─▶ nothing of before waits: settled, with the balance

One that stops again before it is settled, or soon after, is the same incident: flapping is one trouble.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.model.clock import MINUTE_MS, SECOND_MS, Clock
from gateway.model.errors import NotFound
from gateway.outbound.breaker import BreakerState
from gateway.outbound.destinations import Standing, read_standings
from gateway.queue.alerts import Alert, Severity, raise_in
from gateway.queue.balance import balance
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

SAME_MS = 5 * MINUTE_MS  # who stops again within this is still in the same trouble
PAGE = 50
_WAITS_FOR = {"temis": "verified", "registry": "accepted"}  # the state whose rows wait for it

_NAMES = """id, destination, kind, error, http_status, started_at_ms, ended_at_ms, settled_at_ms,
       waiting_at_start, waiting_most, waiting_at_end, delivered, difference"""
LIST = f"SELECT {_NAMES} FROM incidents WHERE id < :before ORDER BY id DESC LIMIT :limit"
FIND = f"SELECT {_NAMES} FROM incidents WHERE id = :id"
LATEST = """
SELECT id, ended_at_ms, settled_at_ms, last_id, from_attempt_id FROM incidents
WHERE destination = :name ORDER BY id DESC LIMIT 1"""
WAITING = "SELECT COUNT(*) AS n FROM deliveries WHERE state = '{state}' AND due_at_ms IS NOT NULL"
OPEN = """
INSERT INTO incidents (destination, kind, error, http_status, started_at_ms, waiting_at_start, waiting_most)
VALUES (:name, :kind, :error, :status, :started, :n, :n)"""
REOPEN = "UPDATE incidents SET ended_at_ms = NULL, settled_at_ms = NULL, difference = NULL WHERE id = :id"
GROW = "UPDATE incidents SET waiting_most = :n WHERE id = :id AND waiting_most < :n"
END = """
UPDATE incidents SET ended_at_ms = :now, waiting_at_end = :n,
       last_id = (SELECT COALESCE(MAX(id), 0) FROM deliveries),
       from_attempt_id = COALESCE(from_attempt_id, (SELECT COALESCE(MAX(id), 0) FROM attempts))
WHERE id = :id"""
# Rows that fail by their own fault do not keep an outage open.
LEFT = WAITING + " AND id <= :last AND tries = 0"
DELIVERED = """
SELECT COUNT(*) AS n FROM attempts WHERE id > :after AND to_state = 'delivered' AND delivery_id <= :last"""
SETTLE = """
UPDATE incidents SET settled_at_ms = :now, delivered = :delivered, difference = :difference WHERE id = :id"""


@dataclass(frozen=True, slots=True)
class Incident:
    """One sheet. `delivered` and `difference` are known once it is settled."""

    id: int
    destination: str
    kind: str  # down | refused | paused
    error: str | None
    http_status: int | None
    started_at_ms: int
    ended_at_ms: int | None
    settled_at_ms: int | None
    waiting_at_start: int
    waiting_most: int
    waiting_at_end: int | None
    delivered: int
    difference: int | None


async def list_incidents(db: Database, *, before: int = 2**31 - 1, limit: int = PAGE) -> list[Incident]:
    """0..limit incidents with an id below `before`, the latest first."""
    async with db.read() as tx:
        return [Incident(*row) for row in await tx.rows(LIST, before=before, limit=limit)]


async def find_incident(db: Database, id_: int) -> Incident:
    """Raises: NotFound."""
    async with db.read() as tx:
        rows: Sequence[Any] = await tx.rows(FIND, id=id_)
    if not rows:
        raise NotFound(f"there is no incident {id_}")
    return Incident(*rows[0])


class Incidents:
    """Looks every five seconds. One instance per process."""

    name = "incidents"
    every_s = 5.0

    def __init__(self, db: Database, clock: Clock, *, ttl_ms: int) -> None:
        self._db = db
        self._clock = clock
        self._ttl_ms = ttl_ms

    async def run(self, lease: Lease) -> None:
        """One look at each destination. Raises: LeaseLost."""
        for standing in (await read_standings(self._db)).values():
            async with self._db.read() as tx:
                found = await tx.rows(LATEST, name=standing.name)
            latest = found[0] if found else None
            if _kind(standing) is not None:
                await self._during(lease, standing, latest)
            elif latest is not None and latest.ended_at_ms is None:
                await self._write(lease, END, id=latest.id, n=await self._waiting(standing.name))
            elif latest is not None and latest.settled_at_ms is None:
                await self._try_to_settle(lease, standing.name, latest)

    async def _during(self, lease: Lease, standing: Standing, latest: Any) -> None:
        n = await self._waiting(standing.name)
        now = self._clock.now_ms()
        if latest is None or (latest.settled_at_ms is not None and now - latest.ended_at_ms > SAME_MS):
            kind = _kind(standing)
            is_ours = kind == "paused"
            await self._write(
                lease,
                OPEN,
                name=standing.name,
                kind=kind,
                error=None if is_ours else standing.error,
                status=None if is_ours else standing.http_status,
                started=(standing.paused_at_ms if is_ours else standing.since_ms) or now,
                n=n,
            )
        elif latest.ended_at_ms is not None:
            await self._write(lease, REOPEN, id=latest.id)
        else:
            async with self._db.read() as tx:
                [row] = await tx.rows("SELECT waiting_most AS n FROM incidents WHERE id = :id", id=latest.id)
            if row.n < n:
                await self._write(lease, GROW, id=latest.id, n=n)

    async def _try_to_settle(self, lease: Lease, name: str, latest: Any) -> None:
        async with self._db.read() as tx:
            [left] = await tx.rows(LEFT.format(state=_WAITS_FOR[name]), last=latest.last_id)
            if left.n:
                return
            [delivered] = await tx.rows(DELIVERED, after=latest.from_attempt_id, last=latest.last_id)
        difference = (await balance(self._db)).total.difference

        async def in_tx(tx: Tx) -> None:
            now = self._clock.now_ms()
            await hold_in(tx, lease, now, self._ttl_ms)
            told = {"delivered": delivered.n, "difference": difference}
            await tx.run(SETTLE, id=latest.id, now=now, **told)
            severity = Severity.INFO if difference == 0 else Severity.CRITICAL
            detail = told | {"incident": latest.id}
            await raise_in(tx, now, [Alert("incident.settled", severity, f"destination:{name}", detail)])

        await self._db.write(in_tx)

    async def _waiting(self, name: str) -> int:
        async with self._db.read() as tx:
            [row] = await tx.rows(WAITING.format(state=_WAITS_FOR[name]))
        return int(row.n)

    async def _write(self, lease: Lease, sql: str, **fill: int | str | None) -> None:
        async def in_tx(tx: Tx) -> None:
            now = self._clock.now_ms()
            await hold_in(tx, lease, now, self._ttl_ms)
            await tx.run(sql, **(fill | {"now": now} if ":now" in sql else fill))

        await self._db.write(in_tx)


def _kind(standing: Standing) -> str | None:
    """What keeps us from calling it; None: nothing."""
    if standing.paused_at_ms is not None:
        return "paused"
    return {BreakerState.OPEN: "down", BreakerState.PAUSED: "refused"}.get(standing.state)


def lasted_s(incident: Incident, now_ms: int) -> int:
    """Seconds from its first failure until the destination answered again, or until now."""
    return ((incident.ended_at_ms or now_ms) - incident.started_at_ms) // SECOND_MS
