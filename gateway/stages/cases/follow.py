"""The duty that keeps `cases` up with the queue: new and changed deliveries -> rows, off the hot path.

    deliveries by id (new ones) ┐
                                ├─▶ what was sent, unsealed once ─▶ keys, place ─▶ cases, with the cursors
    attempts by id (changes)    ┘

Ids of PostgreSQL may commit late: what was read is looked through once more a minute later.
"""

import asyncio
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

import orjson
import structlog

from gateway.bdtx.places import department_of, place_of
from gateway.bdtx.scope import CaseUnits
from gateway.bdtx.unit_store import UnitRegister
from gateway.bdtx.units import Units
from gateway.identity.accounts import Accounts
from gateway.identity.snapshots import Snapshots
from gateway.model.clock import MINUTE_MS, SECOND_MS, Clock, local_date
from gateway.model.completion import Completion
from gateway.model.errors import KeyMissing, SealBroken
from gateway.model.states import Kind, State
from gateway.observe.metrics import Metrics
from gateway.queue import payloads
from gateway.security.blind import BlindIndex
from gateway.security.vault import Vault
from gateway.stages.cases.keys import keys_of
from gateway.stages.cases.rows import CaseRow, write_in
from gateway.storage.cursors import keep_cursor, read_cursor
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

log = structlog.get_logger(__name__)

CURSOR_NAME = "cases"
BATCH = 250
LATE_COMMIT_MS = MINUTE_MS  # as long as a statement may take at most: nothing commits later than that
STAMP_MS = 5_000  # how often an idle duty says that it has read to the end
_SHARE = 7  # for each second of work so many of rest: the pipeline goes first
_YIELD_AT = 50  # completions unsealed before other tasks get their turn
_UNIT_CODE = re.compile(r"[0-9A-Za-z._-]{1,32}")

_WANTED = "d.id, d.vendor_id, d.event_id, d.revision, d.kind, d.received_at_ms, d.state, d.reason, d.person_id"
NEW = f"SELECT {_WANTED} FROM deliveries d WHERE d.id > :after ORDER BY d.id LIMIT {BATCH}"
NEWEST_CHANGE = f"""
SELECT COALESCE(MAX(id), :after) AS id FROM (
    SELECT id FROM attempts WHERE id > :after ORDER BY id LIMIT {4 * BATCH}) AS page"""
_DIFFERS = """(c.state <> d.state OR c.person_id IS DISTINCT FROM d.person_id
    OR d.state IN ('held', 'dead') AND c.reason IS DISTINCT FROM d.reason)"""
CHANGED = f"""
SELECT {_WANTED} FROM deliveries d JOIN cases c ON c.delivery_id = d.id
WHERE d.id IN (SELECT delivery_id FROM attempts WHERE id > :after AND id <= :upto) AND {_DIFFERS}
ORDER BY d.id"""
MISSED = f"""
SELECT {_WANTED} FROM deliveries d LEFT JOIN cases c ON c.delivery_id = d.id
WHERE d.id > :after AND d.id <= :upto AND d.kind = 'completion' AND c.delivery_id IS NULL
ORDER BY d.id LIMIT {BATCH}"""


class Source(NamedTuple):
    """One vendor. `department`: whose cases its are when the claim names no unit; None: not stated."""

    name: str
    department: str | None


class Read(NamedTuple):
    """How far has been read: ids of deliveries and attempts, and what is to be looked through once more.

    `again_*` .. `look_*` is looked through at `look_at_ms`; then `look_*` .. here is the next stretch.
    """

    delivery: int = 0
    attempt: int = 0
    again_delivery: int = 0
    again_attempt: int = 0
    look_delivery: int = 0
    look_attempt: int = 0
    look_at_ms: int = 0


class FollowCases:
    """The duty of following. One instance per process."""

    name = "cases"
    every_s = 1.0

    def __init__(
        self,
        db: Database,
        clock: Clock,
        vault: Vault,
        blind: BlindIndex,
        accounts: Accounts,
        snapshots: Snapshots,
        register: UnitRegister,
        metrics: Metrics,
        *,
        ttl_ms: int,
    ) -> None:
        self._db = db
        self._clock = clock
        self._vault = vault
        self._blind = blind
        self._accounts = accounts
        self._snapshots = snapshots
        self._register = register
        self._metrics = metrics
        self._ttl_ms = ttl_ms

    async def run(self, lease: Lease) -> None:
        """Reads to the end, resting in between. Raises: LeaseLost."""
        is_more = True
        while is_more:
            began = time.monotonic()
            is_more = await self._turn(lease)
            if is_more:
                await asyncio.sleep(_SHARE * (time.monotonic() - began))
        async with self._db.read() as tx:
            found = await read_cursor(tx, CURSOR_NAME)
        if found:
            self._metrics.cases_lag.set(max(0, self._clock.now_ms() - found.at_ms) / SECOND_MS)

    async def _turn(self, lease: Lease) -> bool:
        """One batch of each kind, committed with how far it was read. Returns: whether there may be more."""
        began = self._clock.now_ms()
        async with self._db.read() as tx:
            read, complete_ms = await _cursor(tx)
            new = await tx.rows(NEW, after=read.delivery)
            [newest] = await tx.rows(NEWEST_CHANGE, after=read.attempt)
            # Changes of what is not followed yet come with it: it is read as it is by then.
            changed = await tx.rows(CHANGED, after=read.attempt, upto=newest.id)
            missed = await self._missed(tx, read, began)
            is_more = len(new) == BATCH or newest.id >= read.attempt + 4 * BATCH or len(missed) == BATCH
        rows = await self._rows({row.id: row for row in (*missed, *changed, *new)}.values())
        after = _advanced(read, new[-1].id if new else read.delivery, newest.id, began, settled=not missed)
        if rows or after != read or complete_ms < began - STAMP_MS:
            await self._save(lease, rows, after, complete_ms if is_more else began)
        return is_more

    async def _missed(self, tx: Tx, read: Read, now: int) -> Sequence[Any]:
        """What was committed after its neighbours had been read."""
        if now < read.look_at_ms:
            return ()
        missing = await tx.rows(MISSED, after=read.again_delivery, upto=read.look_delivery)
        changed = await tx.rows(CHANGED, after=read.again_attempt, upto=read.look_attempt)
        return [*missing, *changed]

    async def _save(self, lease: Lease, rows: Sequence[CaseRow], read: Read, at_ms: int) -> None:
        async def in_tx(tx: Tx) -> None:
            await hold_in(tx, lease, self._clock.now_ms(), self._ttl_ms)
            await write_in(tx, rows)
            await keep_cursor(tx, CURSOR_NAME, orjson.dumps(list(read)).decode(), at_ms)

        await self._db.write(in_tx)

    async def _rows(self, found: Iterable[Any]) -> list[CaseRow]:
        wanted = [row for row in found if row.kind == Kind.COMPLETION]
        if not wanted:
            return []
        bodies = await payloads.load(self._db, self._vault, [row.id for row in wanted])
        verified = {row.person_id for row in wanted if is_verified(row)}
        files = await self._snapshots.files(verified) if verified else {}
        async with self._db.read() as tx:
            sources = await sources_in(tx)
        units = await self._register.current()
        today = local_date(self._clock.now_ms())
        rows = []
        for n, row in enumerate(wanted):
            if n % _YIELD_AT == _YIELD_AT - 1:
                await asyncio.sleep(0)
            file = files.get(row.person_id) if is_verified(row) else None
            sent = self._opened(row, bodies)
            rows.append(
                self._row(row, sources[row.vendor_id], sent, file.unit_code if file else None, units, today)
            )
        return rows

    def _opened(self, row: Any, bodies: dict[int, bytes]) -> Completion | None:
        """None for what is past its retention or cannot be opened: it is found by its receipt and event."""
        if row.id not in bodies:
            return None
        try:
            return payloads.open_body(self._vault, row.vendor_id, row.event_id, row.revision, bodies[row.id])[0]
        except (KeyMissing, SealBroken) as error:
            log.error("cases.unreadable", delivery=row.id, code=error.code)
            return None

    def _row(
        self,
        row: Any,
        source: Source,
        sent: Completion | None,
        registry_unit: str | None,
        units: Units,
        today: date,
    ) -> CaseRow:
        claimed = claimed_unit(sent) if sent else None
        case = units_of(units, claimed, registry_unit, source.department, today)
        bare = CaseRow(
            delivery_id=row.id,
            vendor_id=row.vendor_id,
            received_at_ms=row.received_at_ms,
            state=row.state,
            reason=row.reason if row.state in (State.HELD, State.DEAD) else None,
            person_id=row.person_id,
            claimed_unit=claimed,
            registry_unit=registry_unit,
            place=place_of(units, case, today),
        )
        if sent is None:
            return bare
        return replace(
            bare,
            account_key=self._accounts.account(row.vendor_id, source.name, sent.claim.lms_user_id).key,
            keys=keys_of(self._blind, sent),
            course_key=sent.course.course_id,
            module_code=sent.course.module_hint,
        )


async def sources_in(tx: Tx) -> dict[int, Source]:
    """All sources by id, as they are now: their terms may change at any time."""
    rows = await tx.rows("SELECT id, name, department FROM vendors ORDER BY id")
    return {row.id: Source(row.name, row.department) for row in rows}


def units_of(
    units: Units, claimed: str | None, registry_unit: str | None, of_source: str | None, today: date
) -> CaseUnits:
    """What decides whose case it is. A registry unit is only kept once the person is verified."""
    department = department_of(units, claimed, of_source, today)
    return CaseUnits(claimed, department, registry_unit, is_verified=registry_unit is not None)


def claimed_unit(sent: Completion) -> str | None:
    """The unit that the vendor claimed; None for what cannot be a code."""
    code = (sent.claim.unit_code or "").strip().upper()
    return code if _UNIT_CODE.fullmatch(code) else None


def is_verified(row: Any) -> bool:
    """Whether the person of a row of `deliveries` stands: also while TEMIS refuses, not while judged again."""
    if row.person_id is None:
        return False
    if row.state == State.HELD:
        return str(row.reason).startswith("temis.")
    return bool(row.state != State.ACCEPTED)


async def _cursor(tx: Tx) -> tuple[Read, int]:
    found = await read_cursor(tx, CURSOR_NAME)
    return (Read(*orjson.loads(found.value)), found.at_ms) if found else (Read(), 0)


def _advanced(read: Read, delivery: int, attempt: int, now: int, *, settled: bool) -> Read:
    """How far it is now. A stretch is looked through a second time once nothing in it can commit any more."""
    after = read._replace(delivery=delivery, attempt=attempt)
    if now < read.look_at_ms or not settled:
        return after
    if (
        (read.look_delivery, read.look_attempt)
        == (delivery, attempt)
        == (
            read.again_delivery,
            read.again_attempt,
        )
    ):
        return after
    return Read(
        delivery, attempt, read.look_delivery, read.look_attempt, delivery, attempt, now + LATE_COMMIT_MS
    )
