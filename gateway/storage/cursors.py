"""Small things that outlive a process, by name: how far something was read, what was counted or seen last."""

from typing import NamedTuple

from gateway.storage.engine import Tx

READ = "SELECT value, at_ms FROM cursors WHERE name = :name"
KEEP = """
INSERT INTO cursors (name, value, at_ms) VALUES (:name, :value, :at)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms"""


class Cursor(NamedTuple):
    """What is kept under a name. What `at_ms` means, each keeper says: mostly when it was written."""

    value: str
    at_ms: int


async def read_cursor(tx: Tx, name: str) -> Cursor | None:
    """None where nothing was ever kept."""
    found = await tx.rows(READ, name=name)
    return Cursor(found[0].value, int(found[0].at_ms)) if found else None


async def keep_cursor(tx: Tx, name: str, value: str, at_ms: int) -> None:
    """Instead of what was there."""
    await tx.run(KEEP, name=name, value=value, at=at_ms)
