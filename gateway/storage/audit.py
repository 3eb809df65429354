"""The audit: acts of people and of configuration, appended in the transaction of the act and never changed.

`object` and `detail` name logins, units, files and counts, never a value of a person (docs/security.md).
"""

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Cell

MAX_DETAIL_BYTES = 4_000

APPEND = """
INSERT INTO audit (at_ms, actor, act, object, detail) VALUES (:at_ms, :actor, :act, :object, :detail)"""
READ = """
SELECT id, at_ms, actor, act, object, detail FROM audit WHERE id > :after ORDER BY id LIMIT :limit"""


FIND = """
SELECT id, at_ms, actor, act, object, detail, seal FROM audit WHERE id < :before{wanted}
ORDER BY id DESC LIMIT :limit"""
_NEWEST = 2**62


class Act(NamedTuple):
    """One row of the audit."""

    id: int
    at_ms: int
    actor: str
    act: str
    object: str
    detail: Mapping[str, Any]
    seal: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list of acts shows; everything given must hold, compared as it is."""

    actor: str | None = None
    act: str | None = None
    object: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


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


def statement(wanted: Wanted) -> tuple[str, dict[str, Cell]]:
    """The statement of `find_acts` and its parameters. Each of actor, act and object has an index."""
    sql, fill = "", dict[str, Cell]()
    for name in ("actor", "act", "object"):
        if (value := getattr(wanted, name)) is not None:
            sql += f" AND {name} = :{name}"
            fill[name] = value
    for name, sign in (("since_ms", ">="), ("until_ms", "<")):
        if (value := getattr(wanted, name)) is not None:
            sql += f" AND at_ms {sign} :{name}"
            fill[name] = value
    return FIND.format(wanted=sql), fill


async def find_acts(db: Database, wanted: Wanted, *, before: int | None = None, limit: int = 50) -> list[Act]:
    """0..limit acts with an id below `before`, the newest first."""
    sql, fill = statement(wanted)
    async with db.read() as tx:
        rows = await tx.rows(sql, before=_NEWEST if before is None else before, limit=limit, **fill)
    return [Act(r.id, r.at_ms, r.actor, r.act, r.object, orjson.loads(r.detail), r.seal) for r in rows]


def machine() -> str:
    """The actor of a command that nobody signed in for: whoever may run it on this machine."""
    try:
        return f"machine:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return "machine"
