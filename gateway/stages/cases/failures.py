"""What fails in a viewer's units, grouped by cause: 4 812 failures are three causes, each with one thing to do.

Only the columns of one index are counted; names are unsealed for the one page that is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from gateway.bdtx.places import Within
from gateway.identity.masking import mask
from gateway.model.completion import Completion
from gateway.queue.vendors import names_in
from gateway.stages.cases.follow import CURSOR_NAME
from gateway.stages.cases.opened import open_all
from gateway.stages.cases.sight import Desk, Sight
from gateway.storage.cursors import read_cursor
from gateway.storage.engine import Database

PAGE = 50
EXPORTED = 20_000  # rows of one file; a list that is longer is cut, and says so
CAUSES = """
SELECT reason, COUNT(*) AS n, COUNT(DISTINCT account_key) AS people, COUNT(DISTINCT school_code) AS units,
       MIN(received_at_ms) AS first_ms, MAX(received_at_ms) AS last_ms, MIN(school_code) AS one_unit
FROM cases WHERE {where} reason IS NOT NULL AND settled = 0 GROUP BY reason ORDER BY n DESC, reason"""
LINES = """
SELECT c.delivery_id, c.vendor_id, c.received_at_ms, c.state, c.reason, c.person_id, c.claimed_unit,
       c.registry_unit, c.school_code, c.course_key, c.module_code, d.event_id, d.revision, d.changed_at_ms
FROM cases c JOIN deliveries d ON d.id = c.delivery_id
WHERE {where} {vendor} c.reason = :reason AND c.settled = 0 AND c.delivery_id < :before
ORDER BY c.delivery_id DESC LIMIT :limit"""
_NEWEST = 2**62


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause. `one_unit`: the school, where all of them are one school's."""

    code: str
    failures: int
    people: int
    units: int
    first_ms: int
    last_ms: int
    one_unit: str | None


@dataclass(frozen=True, slots=True)
class Learner:
    """The values as sent that a list shows; numbers are masked."""

    full_name: str | None = field(repr=False)
    birth_date: date | None = field(repr=False)
    identifier: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One failure in a list. `learner` is None for roles that see no values, and past the retention."""

    id: int
    vendor: str
    received_at_ms: int
    changed_at_ms: int
    state: str
    reason: str
    school_code: str | None
    claimed_unit: str | None
    course: str | None
    module_code: str | None
    learner: Learner | None


async def causes(db: Database, limit: Within) -> tuple[Cause, ...]:
    """What waits for somebody to act, the largest first."""
    where, fill = where_of(limit)
    async with db.read() as tx:
        rows = await tx.rows(CAUSES.format(where=where), **fill)
    return tuple(
        Cause(
            row.reason,
            int(row.n),
            int(row.people),
            int(row.units),
            row.first_ms,
            row.last_ms,
            row.one_unit if row.units == 1 else None,
        )
        for row in rows
    )


async def lines(
    desk: Desk,
    sight: Sight,
    limit: Within,
    reason: str,
    *,
    vendor_id: int | None = None,
    before: int | None = None,
    size: int = PAGE,
) -> tuple[Line, ...]:
    """0..size failures of one cause with an id below `before`, the newest first."""
    where, scope = where_of(limit, "c.")
    fill: dict[str, str | int] = {**scope}
    if vendor_id is not None:
        fill["vendor_id"] = vendor_id
    async with desk.db.read() as tx:
        sql = LINES.format(where=where, vendor="c.vendor_id = :vendor_id AND" if vendor_id is not None else "")
        rows = await tx.rows(sql, **fill, reason=reason, before=before or _NEWEST, limit=size)
        vendors = await names_in(tx)
    sent: Mapping[int, Completion] = {}
    if sight.may("case.values_sent"):  # whose the case is decides who sees what was sent; the limit says that
        sent = await open_all(desk, rows)
    return tuple(_line(row, vendors, sent.get(row.delivery_id)) for row in rows)


async def as_of(db: Database) -> int | None:
    """Up to when the lists have followed the queue; None before the first time."""
    async with db.read() as tx:
        found = await read_cursor(tx, CURSOR_NAME)
    return found.at_ms if found else None


def where_of(limit: Within, prefix: str = "") -> tuple[str, dict[str, str]]:
    """The beginning of a WHERE clause; empty without a limit."""
    if limit.column is None or limit.code is None:
        return "", {}
    return f"{prefix}{limit.column} = :scope AND", {"scope": limit.code}


def among(limit: Within) -> tuple[str, dict[str, str]]:
    """The limit as a filter of what a key finds. No index may answer it: the key's is always the better one."""
    if limit.column is None or limit.code is None:
        return "", {}
    return f"c.{limit.column} || '' = :scope AND", {"scope": limit.code}


def _line(row: Any, vendors: Mapping[int, str], sent: Completion | None) -> Line:
    learner = None
    if sent is not None:
        number = sent.claim.identifier
        learner = Learner(sent.claim.full_name, sent.claim.birth_date, mask(number) if number else None)
    return Line(
        id=row.delivery_id,
        vendor=vendors[row.vendor_id],
        received_at_ms=row.received_at_ms,
        changed_at_ms=row.changed_at_ms,
        state=row.state,
        reason=row.reason,
        school_code=row.school_code,
        claimed_unit=row.claimed_unit,
        course=sent.course.title or sent.course.course_code if sent else row.course_key,
        module_code=row.module_code,
        learner=learner,
    )
