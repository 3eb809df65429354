"""Causes: thousands of failures and holds are a few things gone wrong. Read them, say what is done about one.

A cause is a stage, a code, what one act would cure, and what the destination said, its variable parts folded.
queue/cause_log.py keeps them up to date from the attempt log; nothing here is on the way of a delivery.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.model.cause_state import UNENDED, CauseState
from gateway.model.clock import Clock
from gateway.model.errors import NotFound
from gateway.storage import audit
from gateway.storage.engine import Database, Tx

__all__ = [
    "UNENDED",
    "Cause",
    "CauseState",
    "act",
    "cause_of",
    "deliveries_of",
    "find_cause",
    "fingerprint",
    "list_causes",
]

PAGE = 50
NOTE_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause. `waiting` deliveries stand still because of it now; `seen` attempts have failed so, ever."""

    id: int
    stage: str
    code: str
    subject: str  # `course:VENDOR_ID:COURSE_ID`, `unit:CODE`, or empty
    answer: str  # folded and redacted; empty when the destination said nothing
    http_status: int | None
    owner: str | None
    state: CauseState
    opened_at_ms: int
    first_seen_ms: int
    last_seen_ms: int
    ended_at_ms: int | None
    seen: int
    waiting: int
    people: int | None  # None: not counted yet
    units: int | None
    sample_id: int
    acted_by: str | None
    acted_at_ms: int | None
    note: str | None


_NAMES = tuple(Cause.__dataclass_fields__)
_COLUMNS = ", ".join(_NAMES)
LIST = f"""
SELECT {_COLUMNS} FROM causes
WHERE state IN (SELECT x.state FROM {{x}}) AND id > :after ORDER BY id LIMIT :limit"""
DELIVERIES = """
SELECT delivery_id FROM delivery_causes
WHERE cause_id = :cause_id AND delivery_id > :after ORDER BY delivery_id LIMIT :limit"""
ACT = """
UPDATE causes SET state = :state, acted_by = :by, acted_at_ms = :now, note = COALESCE(:note, note),
       ended_at_ms = CASE WHEN CAST(:ended AS bigint) = 1 THEN CAST(:now AS bigint) END
WHERE id = :id RETURNING id"""


def fingerprint(stage: str, code: str, subject: str, answer: str, http_status: int | None) -> bytes:
    """What makes two failures one cause: 16 bytes."""
    told = "\x1f".join((stage, code, subject, answer, str(http_status or "")))
    return hashlib.blake2b(told.encode(), digest_size=16).digest()


async def list_causes(
    db: Database, states: Collection[CauseState] = UNENDED, *, after: int = 0, limit: int = PAGE
) -> list[Cause]:
    """0..limit causes in these states with an id above `after`, ordered by id."""
    async with db.read() as tx:
        x = tx.json_rows(("state", "text"))
        packed = tx.pack([(CauseState(state).value,) for state in states])
        rows = await tx.rows(LIST.format(x=x), rows=packed, after=after, limit=limit)
    return [_cause(row) for row in rows]


async def find_cause(db: Database, id_: int) -> Cause:
    """Raises: NotFound."""
    async with db.read() as tx:
        rows = await tx.rows(f"SELECT {_COLUMNS} FROM causes WHERE id = :id", id=id_)
    if not rows:
        raise NotFound(f"there is no cause {id_}")
    return _cause(rows[0])


async def cause_of(db: Database, delivery_id: int) -> Cause | None:
    """For what a delivery waits now; None when for nothing that failed."""
    columns = ", ".join(f"c.{name}" for name in _NAMES)
    async with db.read() as tx:
        rows = await tx.rows(
            f"SELECT {columns} FROM delivery_causes l JOIN causes c ON c.id = l.cause_id "
            "WHERE l.delivery_id = :id",
            id=delivery_id,
        )
    return _cause(rows[0]) if rows else None


async def deliveries_of(db: Database, cause_id: int, *, after: int = 0, limit: int = 500) -> list[int]:
    """0..limit ids of deliveries that wait because of this cause, above `after`, ascending."""
    async with db.read() as tx:
        rows = await tx.rows(DELIVERIES, cause_id=cause_id, after=after, limit=limit)
    return [row.delivery_id for row in rows]


async def act(
    db: Database, clock: Clock, id_: int, state: CauseState, *, by: str, note: str | None = None
) -> Cause:
    """Acknowledges, resolves, ignores or opens a cause. One that returns after `resolved` opens again.

    Raises: NotFound.
    """

    async def in_tx(tx: Tx) -> Sequence[Any]:
        now = clock.now_ms()
        told = None if note is None else note[:NOTE_CHARS]
        is_ended = int(state is CauseState.RESOLVED)
        rows = await tx.rows(ACT, id=id_, state=state.value, by=by, now=now, note=told, ended=is_ended)
        if rows:
            await audit.append(tx, now, by, f"cause.{state.value}", f"cause:{id_}")
        return rows

    if not await db.write(in_tx):
        raise NotFound(f"there is no cause {id_}")
    return await find_cause(db, id_)


def _cause(row: Any) -> Cause:
    values = {name: getattr(row, name) for name in _NAMES}
    return Cause(**(values | {"state": CauseState(row.state)}))
