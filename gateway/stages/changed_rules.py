"""Rules that changed -> just the holds they concern are due again: the identity policy, the unit table.

    leader, every ten seconds: policy and units in force, beside those last taken note of (`cursors`) -> wakes

It needs nobody to say so: whoever imports units or starts with another policy file only does that. What is
noted is written last, so a crash in between wakes some holds twice and forgets none.
"""

from collections.abc import Iterable
from typing import Any

import orjson
import structlog

from gateway.bdtx.unit_store import codes_changed, load_units, units_version
from gateway.identity.policy import Policy
from gateway.identity.policy_changes import codes_concerned, tables_of
from gateway.model.clock import Clock
from gateway.model.outcomes import Wait
from gateway.queue.wake import wake_pages
from gateway.storage.cursors import Cursor, keep_cursor, read_cursor
from gateway.storage.engine import Database, Tx
from gateway.storage.leases import Lease, hold_in

log = structlog.get_logger(__name__)

POLICY, UNITS = "policy.noted", "units.noted"  # names of cursors


class ChangedRules:
    """The duty of noticing that holds were judged by rules of yesterday."""

    name = "changed_rules"
    every_s = 10.0

    def __init__(self, db: Database, clock: Clock, policy: Policy, *, ttl_ms: int) -> None:
        self._db = db
        self._clock = clock
        self._policy = policy
        self._ttl_ms = ttl_ms

    async def run(self, lease: Lease) -> None:
        """Costs three rows by their keys while nothing changed."""
        await self._heed_policy(lease)
        await self._heed_units(lease)

    async def _heed_policy(self, lease: Lease) -> None:
        noted = await self._noted(POLICY)
        before: dict[str, Any] = orjson.loads(noted[0]) if noted else self._kept()  # a new database
        if noted and before["version"] == self._policy.version:
            return
        codes = codes_concerned(before["tables"], self._policy)
        woken = await self._wake(lease, [Wait("policy", code) for code in codes], "policy_change")
        await self._note(lease, POLICY, orjson.dumps(self._kept()).decode(), self._clock.now_ms())
        log.info("rules.policy", version=self._policy.version, codes=len(codes), woken=woken)

    def _kept(self) -> dict[str, Any]:
        return {"version": self._policy.version, "tables": tables_of(self._policy)}

    async def _heed_units(self, lease: Lease) -> None:
        version, at_ms = await units_version(self._db)
        noted = await self._noted(UNITS) or ("", 0)
        if noted[0] == version:
            return
        changed = await codes_changed(self._db, noted[1])
        units = await load_units(self._db)
        # A merger joins chains of codes: a hold may wait for any link of it.
        codes = changed.union(*(units.same_as(code) for code in changed))
        woken = 0
        if await self._is_awaited():
            woken = await self._wake(lease, [Wait("unit", code) for code in codes], "unit_change")
        await self._note(lease, UNITS, version, at_ms)
        log.info("rules.units", codes=len(codes), woken=woken)

    async def _is_awaited(self) -> bool:
        """Whether a hold may wait for a unit: by default they only warn, and an import names 50 000."""
        if self._policy.effects["attribute.unit_mismatch"].value == "holds":
            return True
        async with self._db.read() as tx:
            return bool(await tx.rows("SELECT 1 AS one FROM waits WHERE kind = 'unit' LIMIT 1"))

    async def _wake(self, lease: Lease, waits: Iterable[Wait], cause: str) -> int:
        async def led(tx: Tx) -> None:
            await hold_in(tx, lease, self._clock.now_ms(), self._ttl_ms)

        return await wake_pages(self._db, self._clock, list(waits), cause=cause, before=led)

    async def _noted(self, name: str) -> Cursor | None:
        async with self._db.read() as tx:
            return await read_cursor(tx, name)

    async def _note(self, lease: Lease, name: str, value: str, at_ms: int) -> None:
        async def in_tx(tx: Tx) -> None:
            await hold_in(tx, lease, self._clock.now_ms(), self._ttl_ms)
            await keep_cursor(tx, name, value, at_ms)

        await self._db.write(in_tx)
