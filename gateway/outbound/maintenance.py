"""Maintenance windows: times at which a destination's owner has announced that it will not answer.

A window tells people and quietens alerts; whether calls are made is the breaker's business all the same.
"""

from dataclasses import dataclass
from typing import Any

from gateway.model.clock import Clock
from gateway.model.errors import ConfigError, NotFound
from gateway.outbound.destinations import NAMES, REASON_CHARS
from gateway.storage import audit
from gateway.storage.engine import Database, Tx

INSERT = """
INSERT INTO maintenance (destination, from_ms, to_ms, reason, made_by, made_at_ms)
VALUES (:destination, :start, :until, :reason, :by, :now) RETURNING id"""
LIST = """
SELECT id, destination, from_ms, to_ms, reason, made_by FROM maintenance
WHERE to_ms > :now AND removed_at_ms IS NULL ORDER BY from_ms, id"""
REMOVE = """
UPDATE maintenance SET removed_at_ms = :now WHERE id = :id AND removed_at_ms IS NULL RETURNING destination"""


@dataclass(frozen=True, slots=True)
class Window:
    """One announced window, [from_ms, to_ms)."""

    id: int
    destination: str
    from_ms: int
    to_ms: int
    reason: str
    made_by: str

    def covers(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms < self.to_ms


async def add_window(
    db: Database, clock: Clock, destination: str, from_ms: int, to_ms: int, *, reason: str, by: str
) -> Window:
    """Raises: NotFound for no destination of ours; ConfigError for a window that is over or ends first."""
    if destination not in NAMES:
        raise NotFound(f"{destination}: no such destination (there are: {', '.join(NAMES)})")
    if to_ms <= max(from_ms, clock.now_ms()):
        raise ConfigError("a maintenance window ends after it begins, and not in the past")
    told = reason[:REASON_CHARS]

    async def in_tx(tx: Tx) -> Window:
        now = clock.now_ms()
        [row] = await tx.rows(
            INSERT, destination=destination, start=from_ms, until=to_ms, reason=told, by=by, now=now
        )
        await audit.append(tx, now, by, "maintenance.add", f"maintenance:{row.id}", destination=destination)
        return Window(int(row.id), destination, from_ms, to_ms, told, by)

    return await db.write(in_tx)


async def remove_window(db: Database, clock: Clock, id_: int, *, by: str) -> None:
    """Takes a window back; what was announced stays in the table. Raises: NotFound."""

    async def in_tx(tx: Tx) -> bool:
        now = clock.now_ms()
        found = await tx.rows(REMOVE, id=id_, now=now)
        if found:
            await audit.append(tx, now, by, "maintenance.remove", f"maintenance:{id_}")
        return bool(found)

    if not await db.write(in_tx):
        raise NotFound(f"there is no maintenance window {id_}")


async def windows(db: Database, now_ms: int) -> list[Window]:
    """Windows that have not ended, the earliest first."""
    async with db.read() as tx:
        return await windows_in(tx, now_ms)


async def windows_in(tx: Tx, now_ms: int) -> list[Window]:
    """`windows` inside a transaction of the caller's."""
    return [_window(row) for row in await tx.rows(LIST, now=now_ms)]


def _window(row: Any) -> Window:
    return Window(row.id, row.destination, row.from_ms, row.to_ms, row.reason, row.made_by)
