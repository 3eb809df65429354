"""The duty that moves cases: an import of units, a day on which one begins or ends, a source's department.

Scope is as of today, so each row carries the codes of today; a pass over all rows writes only what differs.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import structlog

from gateway.bdtx.places import Place, place_of
from gateway.bdtx.unit_store import VERSION, UnitRegister
from gateway.model.clock import Clock, day_number, local_date
from gateway.stages.cases.follow import Source, sources_in, units_of
from gateway.stages.cases.rows import place_in
from gateway.storage.cursors import keep_cursor, read_cursor
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

log = structlog.get_logger(__name__)

CURSOR_NAME = "cases.places"
BATCH = 1_000
SETTLED_MS = 10_000  # every process has read them by then; an import writes in several transactions
_SHARE = 3
PAGE = f"""
SELECT delivery_id, vendor_id, claimed_unit, registry_unit, school_code, commune_code, department_code
FROM cases WHERE delivery_id > :after ORDER BY delivery_id LIMIT {BATCH}"""


class Pass(NamedTuple):
    """One pass over all cases: for which units, departments of sources and day, how far; `after` None: done."""

    version: str = "?"
    day: int = 0
    after: int | None = None


class ReparentCases:
    """The duty of moving. One instance per process."""

    name = "cases.places"
    every_s = 10.0

    def __init__(self, db: Database, clock: Clock, register: UnitRegister, *, ttl_ms: int) -> None:
        self._db = db
        self._clock = clock
        self._register = register
        self._ttl_ms = ttl_ms

    async def run(self, lease: Lease) -> None:
        """Finishes the pass under way, or begins one when the units are others than at the last."""
        now = self._clock.now_ms()
        async with self._db.read() as tx:
            units = await tx.rows(VERSION)
            found = await read_cursor(tx, CURSOR_NAME)
            sources = await sources_in(tx)
        done = Pass(*orjson.loads(found.value)) if found else Pass()
        wanted = Pass(_version(str(units[0].value) if units else "", sources), day_number(now))
        if done == wanted or (units and now - units[0].at_ms < SETTLED_MS):
            return
        under_way = done if done[:2] == wanted[:2] else wanted._replace(after=0)
        while under_way.after is not None:
            began = time.monotonic()
            under_way = await self._turn(lease, under_way, under_way.after)
            if under_way.after is not None:
                await asyncio.sleep(_SHARE * (time.monotonic() - began))
        log.info("cases.placed", day=wanted.day)

    async def _turn(self, lease: Lease, under_way: Pass, after: int) -> Pass:
        units = await self._register.current()
        today = local_date(self._clock.now_ms())
        async with self._db.read() as tx:
            rows = await tx.rows(PAGE, after=after)
            sources = await sources_in(tx)
        places: dict[tuple[str | None, str | None, str | None], Place] = {}
        moved: list[tuple[int, str | None, Place]] = []
        for row in rows:
            key = (row.claimed_unit, row.registry_unit, sources[row.vendor_id].department)
            if key not in places:
                places[key] = place_of(units, units_of(units, *key, today), today)
            if places[key] != (row.school_code, row.commune_code, row.department_code):
                moved.append((row.delivery_id, row.registry_unit, places[key]))
        reached = under_way._replace(after=_last(rows))
        await self._save(lease, moved, reached)
        return reached

    async def _save(self, lease: Lease, moved: Sequence[tuple[int, str | None, Place]], reached: Pass) -> None:
        async def in_tx(tx: Tx) -> None:
            now = self._clock.now_ms()
            await hold_in(tx, lease, now, self._ttl_ms)
            await place_in(tx, moved)
            await keep_cursor(tx, CURSOR_NAME, orjson.dumps(list(reached)).decode(), now)

        await self._db.write(in_tx)


def _version(units: str, sources: Mapping[int, Source]) -> str:
    stated = [f"{id_}={source.department}" for id_, source in sources.items() if source.department]
    return " ".join((units, *stated))


def _last(rows: Sequence[Any]) -> int | None:
    return rows[-1].delivery_id if len(rows) == BATCH else None
