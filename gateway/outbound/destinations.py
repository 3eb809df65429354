"""What all processes know of a destination: a person's pause, the rate chosen, how its breaker stands.

One row for each in `destinations`; a destination without a row has never had anything to tell.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.model.clock import Clock
from gateway.model.errors import NotFound
from gateway.model.texts import Lang
from gateway.outbound.breaker import BreakerState
from gateway.storage import audit
from gateway.storage.engine import Database, Tx

TOLD: Mapping[str, Mapping[str, str]] = MappingProxyType(
    tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
)
NAMES = tuple(TOLD)
REASON_CHARS = 500

READ = """
SELECT name, paused_at_ms, paused_by, paused_reason, rate_milli, state, since_ms, until_ms, error, http_status,
       holder, version
FROM destinations ORDER BY name"""
PUBLISH = """
INSERT INTO destinations (name, state, since_ms, until_ms, error, http_status, holder, version)
VALUES (:name, :state, :since, :until, :error, :status, :holder, 1)
ON CONFLICT (name) DO UPDATE SET
    state = excluded.state, since_ms = excluded.since_ms, until_ms = excluded.until_ms, error = excluded.error,
    http_status = excluded.http_status, holder = excluded.holder, version = destinations.version + 1
RETURNING version"""
PAUSE = """
INSERT INTO destinations (name, paused_at_ms, paused_by, paused_reason) VALUES (:name, :now, :by, :reason)
ON CONFLICT (name) DO UPDATE SET
    paused_at_ms = COALESCE(destinations.paused_at_ms, excluded.paused_at_ms),
    paused_by = excluded.paused_by, paused_reason = excluded.paused_reason"""
RESUME = """
UPDATE destinations SET paused_at_ms = NULL, paused_by = NULL, paused_reason = NULL, rate_milli = :rate
WHERE name = :name"""


@dataclass(frozen=True, slots=True)
class Standing:
    """One destination. `state` and what follows are the breakers'; a pause by a person stands beside it."""

    name: str
    paused_at_ms: int | None = None
    paused_by: str | None = None
    paused_reason: str | None = None
    rate_per_s: float | None = None  # chosen at resume; None: as configured
    state: BreakerState = BreakerState.CLOSED
    since_ms: int | None = None
    until_ms: int | None = None  # nobody calls before this moment
    error: str | None = None
    http_status: int | None = None
    holder: str | None = None
    version: int = 0

    def state_at(self, now_ms: int) -> BreakerState:
        """How its breaker stands; a delay that is over is none."""
        is_over = self.state is BreakerState.DELAYED and (self.until_ms or 0) <= now_ms
        return BreakerState.CLOSED if is_over else self.state

    @property
    def is_tripped(self) -> bool:
        return self.state in (BreakerState.OPEN, BreakerState.PAUSED)


def contact(name: str, lang: Lang, configured: str = "") -> str:
    """Whom people may ask about a destination; empty where nobody has said."""
    return configured or TOLD[name][f"contact_{lang}"]


async def read_standings(db: Database) -> dict[str, Standing]:
    """Every destination by name, also those without a row."""
    async with db.read() as tx:
        return await standings_in(tx)


async def standing_of(db: Database, name: str) -> Standing:
    """One destination. Raises: NotFound for a name that is no destination."""
    _check(name)
    return (await read_standings(db))[name]


async def standings_in(tx: Tx) -> dict[str, Standing]:
    """`read_standings` inside a transaction of the caller's."""
    found = {row.name: _standing(row) for row in await tx.rows(READ)}
    return {name: found.get(name, Standing(name)) for name in NAMES}


async def publish_in(
    tx: Tx,
    name: str,
    state: BreakerState,
    *,
    until_ms: int,
    error: str | None,
    status: int | None,
    holder: str,
    now: int,
) -> tuple[Standing, int]:
    """Writes how the breaker stands. Returns: how it stood before, and the version of the row now."""
    before = (await standings_in(tx))[name]
    is_same_outage = before.is_tripped and state in (BreakerState.OPEN, BreakerState.PAUSED)
    since = None if state is BreakerState.CLOSED else before.since_ms if is_same_outage else now
    [row] = await tx.rows(
        PUBLISH,
        name=name,
        state=state.value,
        since=since,
        until=until_ms,
        error=error,
        status=status,
        holder=holder,
    )
    return before, int(row.version)


async def pause(db: Database, clock: Clock, name: str, *, by: str, reason: str) -> Standing:
    """Stops every call to a destination until a person resumes it; nothing that waits is lost.

    Raises: NotFound for a name that is no destination.
    """
    _check(name)

    async def in_tx(tx: Tx) -> Standing:
        now, told = clock.now_ms(), reason[:REASON_CHARS]
        await tx.run(PAUSE, name=name, now=now, by=by, reason=told)
        await audit.append(tx, now, by, "destination.pause", f"destination:{name}", reason=told)
        return (await standings_in(tx))[name]

    return await db.write(in_tx)


async def resume(
    db: Database, clock: Clock, name: str, *, by: str, rate_per_s: float | None = None
) -> Standing:
    """Lets calls go on, at the rate given or as configured. Not paused: only the rate changes.

    Raises: NotFound for a name that is no destination.
    """
    _check(name)
    milli = None if rate_per_s is None else max(1, round(rate_per_s * 1000))

    async def in_tx(tx: Tx) -> Standing:
        now = clock.now_ms()
        await tx.run("INSERT INTO destinations (name) VALUES (:name) ON CONFLICT (name) DO NOTHING", name=name)
        await tx.run(RESUME, name=name, rate=milli)
        await audit.append(tx, now, by, "destination.resume", f"destination:{name}", rate_milli=milli)
        return (await standings_in(tx))[name]

    return await db.write(in_tx)


def _check(name: str) -> None:
    if name not in TOLD:
        raise NotFound(f"{name}: no such destination (there are: {', '.join(NAMES)})")


def _standing(row: Any) -> Standing:
    return Standing(
        name=row.name,
        paused_at_ms=row.paused_at_ms,
        paused_by=row.paused_by,
        paused_reason=row.paused_reason,
        rate_per_s=None if row.rate_milli is None else row.rate_milli / 1000,
        state=BreakerState(row.state),
        since_ms=row.since_ms,
        until_ms=row.until_ms,
        error=row.error,
        http_status=row.http_status,
        holder=row.holder,
        version=row.version,
    )
