"""The audit: acts of people and of configuration, appended in the transaction of the act and never changed.

`object` and `detail` name logins, units, files and counts, never a value of a person (docs/security.md).
"""

import getpass
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from gateway.storage.engine import Database, Tx

MAX_DETAIL_BYTES = 4_000

APPEND = """
INSERT INTO audit (at_ms, actor, act, object, detail) VALUES (:at_ms, :actor, :act, :object, :detail)"""
READ = """
SELECT id, at_ms, actor, act, object, detail FROM audit WHERE id > :after ORDER BY id LIMIT :limit"""


class Act(NamedTuple):
    """One row of the audit."""

    id: int
    at_ms: int
    actor: str
    act: str
    object: str
    detail: Mapping[str, Any]


async def append(tx: Tx, at_ms: int, actor: str, act: str, object: str, /, **detail: object) -> None:
    """Adds a row; it stands when the transaction commits, and only then."""
    told = orjson.dumps(detail, option=orjson.OPT_SORT_KEYS)
    if len(told) > MAX_DETAIL_BYTES:
        told = orjson.dumps({"left_out_bytes": len(told)})
    await tx.run(APPEND, at_ms=at_ms, actor=actor, act=act, object=object, detail=told.decode())


async def read_audit(db: Database, *, after: int = 0, limit: int = 500) -> list[Act]:
    """0..limit rows with an id above `after`, oldest first."""
    async with db.read() as tx:
        rows = await tx.rows(READ, after=after, limit=limit)
    return [Act(r.id, r.at_ms, r.actor, r.act, r.object, orjson.loads(r.detail)) for r in rows]


def machine() -> str:
    """The actor of a command that nobody signed in for: whoever may run it on this machine."""
    try:
        return f"machine:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return "machine"
