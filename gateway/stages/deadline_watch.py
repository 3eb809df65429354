"""The duty of watching deadlines: how many results will miss one at the present rate, and those go first.

    deadline, what waits in its units, the rate ─▶ forecast ─▶ alert, once a day
                                                └▶ what is due already moves to the deadline lane, nearest first

Counted is all that waits in the units concerned, of whatever school year: which year a completion belongs to is
known only once it is judged.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from gateway.bdtx.deadlines import Deadline, upcoming
from gateway.bdtx.places import of_unit
from gateway.bdtx.unit_store import UnitRegister
from gateway.model.clock import DAY_MS, MINUTE_MS, SECOND_MS, Clock, local_date
from gateway.queue.alerts import Alert, Severity, raise_in
from gateway.queue.lanes import DEADLINE, VENDOR
from gateway.storage.cursors import keep_cursor, read_cursor
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

ROW = "deadlines"
HORIZON_MS = 30 * DAY_MS  # a forecast is made from then on
NEAR_MS = 7 * DAY_MS  # alerts and precedence from then on
PATIENCE_MS = MINUTE_MS  # what has waited less needs no precedence
ROWS = 1_000
AT_ONCE = 20  # transactions of one turn
PAGE = 50

_IN_FLIGHT = "('accepted', 'verified')"
COUNT_ALL = "SELECT COUNT(*) AS n FROM deliveries WHERE state = '{state}' AND due_at_ms IS NOT NULL"
COUNT = """
SELECT COUNT(CASE WHEN c.state <> 'held' THEN 1 END) AS waiting,
       COUNT(CASE WHEN c.state = 'held' THEN 1 END) AS held
FROM cases c WHERE c.{column} = :code AND c.state IN ('accepted', 'held', 'verified') AND c.settled = 0"""
# `+ 0`: what waits is sorted, instead of walking all that ever came by its id.
AT_RISK = f"""
SELECT c.delivery_id FROM cases c
WHERE c.{{column}} = :code AND c.state IN ('accepted', 'held', 'verified') AND c.delivery_id + 0 > :after
ORDER BY c.delivery_id + 0 LIMIT {PAGE}"""
AT_RISK_ALL = f"""
SELECT d.id AS delivery_id FROM deliveries d
WHERE d.state IN ('accepted', 'held', 'verified') AND d.due_at_ms IS NOT NULL AND d.id + 0 > :after
ORDER BY d.id + 0 LIMIT {PAGE}"""
# Only what is due and in a vendor's lane: leased rows are due later, and other lanes have their own precedence.
PROMOTE = f"""
UPDATE deliveries SET lane = {DEADLINE}, due_at_ms = :since WHERE id IN (
    SELECT d.id FROM cases c JOIN deliveries d ON d.id = c.delivery_id
    WHERE c.{{column}} = :code AND c.state IN {_IN_FLIGHT}
    AND d.state IN {_IN_FLIGHT} AND d.lane >= {VENDOR} AND d.due_at_ms <= :now AND d.received_at_ms <= :before
    AND d.vendor_id NOT IN (SELECT id FROM vendors WHERE paused_at_ms IS NOT NULL) LIMIT {ROWS})
AND due_at_ms <= :now"""
TOLD = "UPDATE deadlines SET told_at_ms = :now WHERE id = :id"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is known of one deadline. `late` of the waiting ones miss it at the present rate; so do all held."""

    deadline_id: int
    waiting: int
    held: int
    late: int
    rate_per_s: float


def forecast(deadline: Deadline, waiting: int, held: int, rate_per_s: float, now_ms: int) -> Forecast:
    """At the present rate: what cannot be delivered in the time that is left."""
    left_s = max(0, deadline.at_ms - now_ms) / SECOND_MS
    late = max(0, waiting - int(rate_per_s * left_s))
    return Forecast(deadline.id, waiting, held, late, rate_per_s)


async def read_forecasts(db: Database) -> dict[int, Forecast]:
    """As the leader made them within the last minute, by deadline."""
    async with db.read() as tx:
        found = await read_cursor(tx, ROW)
    return {one["deadline_id"]: Forecast(**one) for one in orjson.loads(found.value)} if found else {}


async def forecast_of_unit(
    db: Database, clock: Clock, register: UnitRegister, deadline: Deadline, unit_code: str, rate_per_s: float
) -> Forecast:
    """A unit's own number, for its admin: what waits in it and below."""
    waiting, held = await _count(db, register, clock, unit_code)
    return forecast(deadline, waiting, held, rate_per_s, clock.now_ms())


async def at_risk(
    db: Database, clock: Clock, register: UnitRegister, unit_code: str | None, *, after: int = 0
) -> list[int]:
    """0..50 ids of deliveries that wait in a unit, or everywhere, above `after`."""
    column, code = await _scope(register, clock, unit_code)
    async with db.read() as tx:
        if column is None:
            rows = await tx.rows(AT_RISK_ALL, after=after)
        else:
            rows = await tx.rows(AT_RISK.format(column=column), code=code, after=after)
    return [row.delivery_id for row in rows]


class DeadlineWatch:
    """Looks once a minute. One instance per process."""

    name = "deadlines"
    every_s = 60.0

    def __init__(
        self, db: Database, clock: Clock, register: UnitRegister, rate: Callable[[], float], *, ttl_ms: int
    ) -> None:
        self._db = db
        self._clock = clock
        self._register = register
        self._rate = rate  # deliveries a second, lately
        self._ttl_ms = ttl_ms

    async def run(self, lease: Lease) -> None:
        """Forecasts, alerts, precedence. Raises: LeaseLost."""
        now = self._clock.now_ms()
        deadlines = [d for d in await upcoming(self._db, now) if d.at_ms <= now + HORIZON_MS]
        made = []
        for deadline in deadlines:
            waiting, held = await _count(self._db, self._register, self._clock, deadline.unit_code)
            made.append(forecast(deadline, waiting, held, self._rate(), now))
        await self._keep(lease, deadlines, made, now)
        for deadline in deadlines:  # the nearest first
            if deadline.at_ms <= now + NEAR_MS:
                await self._promote(deadline)

    async def _keep(self, lease: Lease, deadlines: list[Deadline], made: list[Forecast], now: int) -> None:
        if not deadlines and not await read_forecasts(self._db):
            return
        value = orjson.dumps([asdict(one) for one in made]).decode()
        missed = [
            (d, f)
            for d, f in zip(deadlines, made, strict=True)
            if (f.late or f.held) and d.at_ms <= now + NEAR_MS and (d.told_at_ms or 0) <= now - DAY_MS
        ]

        async def in_tx(tx: Tx) -> None:
            await hold_in(tx, lease, now, self._ttl_ms)
            await keep_cursor(tx, ROW, value, now)
            await raise_in(tx, now, [_alert(d, f) for d, f in missed])
            for d, _ in missed:
                await tx.run(TOLD, id=d.id, now=now)

        await self._db.write(in_tx)

    async def _promote(self, deadline: Deadline) -> None:
        """Of a deadline for everybody nobody goes before anybody else."""
        column, code = await _scope(self._register, self._clock, deadline.unit_code)
        if column is None:
            return
        sql = PROMOTE.format(column=column)

        async def in_tx(tx: Tx) -> int:
            now = self._clock.now_ms()
            # Due since the deadline came near: so the lane is in the order of deadlines, and always due.
            since = min(now, deadline.at_ms - NEAR_MS)
            return await tx.run(sql, code=code, now=now, since=since, before=now - PATIENCE_MS)

        for _ in range(AT_ONCE):
            if await self._db.write(in_tx) < ROWS:
                break


async def _count(db: Database, register: UnitRegister, clock: Clock, unit_code: str | None) -> tuple[int, int]:
    column, code = await _scope(register, clock, unit_code)
    async with db.read() as tx:
        if column is not None:
            [row] = await tx.rows(COUNT.format(column=column), code=code)
            return int(row.waiting), int(row.held)
        accepted, verified, held = [
            int((await tx.rows(COUNT_ALL.format(state=state)))[0].n)
            for state in ("accepted", "verified", "held")
        ]
    return accepted + verified, held


async def _scope(register: UnitRegister, clock: Clock, unit_code: str | None) -> tuple[str | None, str | None]:
    """The column of `cases` that limits to a unit and what is under it; no column: everybody."""
    if unit_code is None:
        return None, None
    units = await register.current()
    unit = units.standing_for(unit_code, local_date(clock.now_ms()))
    found = of_unit(unit) if unit is not None else None
    # A unit that the table does not know any more has no cases: its code is nobody's school.
    return (found.column, found.code) if found is not None else ("school_code", unit_code)


def _alert(deadline: Deadline, made: Forecast) -> Alert:
    detail: dict[str, Any] = {
        "deadline": deadline.id,
        "deadline_kind": deadline.kind.value,
        "unit": deadline.unit_code,
        "at": deadline.stated,
        "late": made.late,
        "waiting": made.waiting,
        "held": made.held,
    }
    return Alert("deadline.near", Severity.WARNING, f"deadline:{deadline.id}", detail)
