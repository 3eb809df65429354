"""Alerts: what people must be told, once for each thing. Raised in the transaction of what they tell of.

The leader writes each to the log and counts it, and sends it where the settings say (stages/alerting.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from gateway.storage.engine import Database, Tx

PAGE = 50


class Severity(StrEnum):
    """How soon somebody should look."""

    INFO = "info"  # for those outside who have to act, or the end of a trouble
    WARNING = "warning"  # an operator, today
    CRITICAL = "critical"  # an operator, now


SEVERITIES = tuple(Severity)

RAISE = """
INSERT INTO alerts (at_ms, kind, severity, object, detail, due_at_ms)
SELECT :now, x.kind, x.severity, x.object, x.detail, :now FROM {x}"""
DUE = """
SELECT id, at_ms, kind, severity, object, detail, tries FROM alerts
WHERE due_at_ms <= :now ORDER BY due_at_ms, id LIMIT :limit"""
LIST = """
SELECT id, at_ms, kind, severity, object, detail, tries FROM alerts
WHERE id < :before ORDER BY id DESC LIMIT :limit"""
SETTLE = """
UPDATE alerts SET tries = alerts.tries + 1, due_at_ms = x.due, sent_at_ms = x.sent
FROM {x} WHERE alerts.id = x.id"""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `detail` names codes, counts and times, never a person."""

    kind: str
    severity: Severity
    object: str
    detail: Mapping[str, Any]
    id: int = 0
    at_ms: int = 0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one try to tell: `due_at_ms` None: not again; `sent_at_ms` None: not sent."""

    id: int
    due_at_ms: int | None
    sent_at_ms: int | None


async def raise_in(tx: Tx, now: int, alerts: Sequence[Alert]) -> None:
    """Raises alerts; they stand when the transaction commits, and only then."""
    if not alerts:
        return
    x = tx.json_rows(("kind", "text"), ("severity", "text"), ("object", "text"), ("detail", "text"))
    cells = [
        (a.kind, a.severity.value, a.object, orjson.dumps(a.detail, option=orjson.OPT_SORT_KEYS).decode())
        for a in alerts
    ]
    await tx.run(RAISE.format(x=x), rows=tx.pack(cells), now=now)


async def due(db: Database, now: int, *, limit: int = PAGE) -> list[Alert]:
    """0..limit alerts that are to be told now, oldest first."""
    async with db.read() as tx:
        return [_alert(row) for row in await tx.rows(DUE, now=now, limit=limit)]


async def recent(db: Database, *, before: int = 2**62, limit: int = PAGE) -> list[Alert]:
    """0..limit alerts with an id below `before`, the newest first."""
    async with db.read() as tx:
        return [_alert(row) for row in await tx.rows(LIST, before=before, limit=limit)]


async def settle(db: Database, told: Sequence[Told]) -> None:
    """Notes what became of tries to tell."""
    if not told:
        return

    async def in_tx(tx: Tx) -> None:
        x = tx.json_rows(("id", "int"), ("due", "int"), ("sent", "int"))
        cells = sorted((one.id, one.due_at_ms, one.sent_at_ms) for one in told)
        await tx.run(SETTLE.format(x=x), rows=tx.pack(cells))

    await db.write(in_tx)


def _alert(row: Any) -> Alert:
    return Alert(
        row.kind, Severity(row.severity), row.object, orjson.loads(row.detail), row.id, row.at_ms, row.tries
    )
