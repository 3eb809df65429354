"""The gates of this process and the row that all processes share: breaker, a person's pause, the rate.

Once a second: what others found out is adopted, what this process found out is published. Nothing is written
while nothing changes. A process that cannot reach the row goes on by its own breaker.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

import structlog

from gateway.model.clock import SECOND_MS, Clock
from gateway.outbound.breaker import BreakerState
from gateway.outbound.destinations import Standing, publish_in, read_standings
from gateway.outbound.gate import Gate
from gateway.outbound.maintenance import windows_in
from gateway.queue.alerts import Alert, Severity, raise_in
from gateway.storage.engine import Database, Tx

log = structlog.get_logger(__name__)

EVERY_S = 1.0
BEAT_MS = 10 * SECOND_MS
ALIVE_MS = 35 * SECOND_MS
# Who tripped a breaker probes first; the others give it time to tell how that went.
PATIENCE_S = (2.0, 6.0)

BEAT = """
INSERT INTO processes (holder, started_at_ms, seen_at_ms) VALUES (:holder, :now, :now)
ON CONFLICT (holder) DO UPDATE SET seen_at_ms = excluded.seen_at_ms"""
FORGET = "DELETE FROM processes WHERE holder = :holder OR seen_at_ms < :dead"
ALIVE = "SELECT COUNT(*) AS n FROM processes WHERE seen_at_ms > :since"
_SEVERITY = {BreakerState.OPEN: Severity.WARNING, BreakerState.PAUSED: Severity.CRITICAL}


class SharedGates:
    """A worker's companion. One instance per process.

    `works` False: a process that only asks now and then. It knows what all know, and takes no share of the rate
    from those that work.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        holder: str,
        gates: Sequence[Gate],
        jitter: random.Random,
        *,
        works: bool = True,
    ) -> None:
        self._db = db
        self._clock = clock
        self._holder = holder
        self._gates = gates
        self._jitter = jitter
        self._works = works
        self._told = {gate.name: (gate.breaker.changes, False) for gate in gates}
        self._seen = dict.fromkeys(self._told, 0)
        self._beat_at_ms = 0
        self._processes = 1
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Ticks until `stop`; a tick that fails is only logged."""
        while not self._stopping.is_set():
            try:
                await self.tick()
            except Exception as error:
                log.warning("destinations.not_shared", error=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY_S)
        with suppress(Exception):  # who goes without a word is forgotten a little later
            await self._db.write(lambda tx: tx.run(FORGET, holder=self._holder, dead=0))

    def stop(self) -> None:
        self._stopping.set()

    async def tick(self) -> None:
        """One exchange with the shared rows: one query, and a write only when there is news."""
        await self._beat()
        standings = await read_standings(self._db)
        for gate in self._gates:
            standing = standings[gate.name]
            gate.paused = standing.paused_at_ms is not None
            gate.share_rate(standing.rate_per_s, self._processes)
            changes, was_probing = self._told[gate.name]
            if gate.breaker.changes != changes or (gate.is_probe and not was_probing):
                self._seen[gate.name] = await self._publish(gate)
            elif standing.version != self._seen[gate.name]:
                self._adopt(gate, standing)
                self._seen[gate.name] = standing.version
            self._told[gate.name] = (gate.breaker.changes, gate.is_probe)

    def _adopt(self, gate: Gate, standing: Standing) -> None:
        now = self._clock.now_ms()
        patience_s = self._jitter.uniform(*PATIENCE_S) if standing.is_tripped else 0.0
        wait_s = max(0, (standing.until_ms or 0) - now) / SECOND_MS + patience_s
        gate.adopt(standing.state_at(now), wait_s)

    async def _publish(self, gate: Gate) -> int:
        state, error = gate.breaker.state, gate.last_error

        async def in_tx(tx: Tx) -> int:
            now = self._clock.now_ms()
            before, version = await publish_in(
                tx,
                gate.name,
                state,
                until_ms=now + round(gate.breaker.wait_s() * SECOND_MS),
                error=error.code if error is not None else None,
                status=error.status if error is not None else None,
                holder=self._holder,
                now=now,
            )
            is_announced = any(w.destination == gate.name and w.covers(now) for w in await windows_in(tx, now))
            await raise_in(tx, now, _news(gate, before, state, now, is_announced=is_announced))
            return version

        return await self._db.write(in_tx)

    async def _beat(self) -> None:
        """Says that this process is there, where it works, and counts those that are."""
        now = self._clock.now_ms()
        if 0 <= now - self._beat_at_ms < BEAT_MS:
            return

        async def in_tx(tx: Tx) -> None:
            await tx.run(FORGET, holder="", dead=now - 10 * ALIVE_MS)
            await tx.run(BEAT, holder=self._holder, now=now)

        if self._works:
            await self._db.write(in_tx)
        async with self._db.read() as tx:
            [row] = await tx.rows(ALIVE, since=now - ALIVE_MS)
        self._processes = int(row.n) + (not self._works)
        self._beat_at_ms = now


def _news(gate: Gate, before: Standing, state: BreakerState, now: int, *, is_announced: bool) -> list[Alert]:
    """One alert when an outage begins or turns out to be another, one when it ends, whoever noticed first."""
    is_tripped = state in (BreakerState.OPEN, BreakerState.PAUSED)
    error = gate.last_error
    about = f"destination:{gate.name}"
    if is_tripped and before.state is not state:
        kind = "destination.down" if state is BreakerState.OPEN else "destination.refused"
        severity = Severity.INFO if is_announced and state is BreakerState.OPEN else _SEVERITY[state]
        detail = {"error": error.code, "status": error.status} if error is not None else {}
        return [Alert(kind, severity, about, detail | {"announced": is_announced})]
    if not is_tripped and before.is_tripped:
        lasted_s = (now - (before.since_ms or now)) // SECOND_MS
        return [Alert("destination.recovered", Severity.INFO, about, {"lasted_s": lasted_s})]
    return []
