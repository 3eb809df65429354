"""The balance line by line: per vendor, course and day, each of which must close by itself.

Received comes from the ledger, the states from the rows, both in one snapshot (queue/balance.py). Courses are
the numbers of model/course_number.py until somebody names them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.model.course_number import course_number
from gateway.queue.balance import Sheet
from gateway.queue.vendors import names_in
from gateway.storage.engine import Database

BY = ("vendor", "course", "day")

LEDGER = {
    "sqlite": """
SELECT i.vendor_id, {day} AS day, i.kind, CAST(c.key AS integer) AS course, SUM(c.value) AS n
FROM intake i, json_each(i.courses) c WHERE i.day BETWEEN :first AND :last GROUP BY 1, 2, 3, 4""",
    "postgresql": """
SELECT i.vendor_id, {day} AS day, i.kind, CAST(c.key AS bigint) AS course, SUM(CAST(c.value AS bigint)) AS n
FROM intake i, jsonb_each_text(CAST(i.courses AS jsonb)) c
WHERE i.day BETWEEN :first AND :last GROUP BY 1, 2, 3, 4""",
}
LEDGER_BY_DAY = """
SELECT i.vendor_id, {day} AS day, i.kind, 0 AS course, SUM(i.n) AS n
FROM intake i WHERE i.day BETWEEN :first AND :last GROUP BY 1, 2, 3"""
ROWS = """
SELECT d.vendor_id, {day} AS day, d.state, d.kind, {course} AS course, COUNT(*) AS n
FROM deliveries d WHERE d.day BETWEEN :first AND :last GROUP BY 1, 2, 3, 4, 5"""
MISSING = """
SELECT x.event_id FROM {x} WHERE NOT EXISTS (
    SELECT 1 FROM deliveries d WHERE d.vendor_id = :vendor_id AND d.event_id = x.event_id)"""


class Key(NamedTuple):
    """What a line is about; None where the balance is not drawn by it. `course` 0: none was stated."""

    vendor: str
    course: int | None
    day: int | None  # yyyymmdd in Việt Nam


@dataclass(frozen=True, slots=True)
class Named:
    """A course as its vendor calls it."""

    course_id: str
    title: str | None
    module_code: str | None


async def sheets(
    db: Database, by: Sequence[str] = BY, *, first_day: int = 0, last_day: int = 99_991_231
) -> dict[Key, Sheet]:
    """One sheet for each vendor, and each course and day if `by` says so, ordered by key."""
    day = {"i": "i.day", "d": "d.day"} if "day" in by else {"i": "0", "d": "0"}
    has_course = "course" in by
    found: dict[Key, Sheet] = {}
    async with db.read() as tx:
        names = await names_in(tx)

        def sheet(row: Any) -> Sheet:
            key = Key(names[row.vendor_id], row.course if has_course else None, row.day or None)
            return found.setdefault(key, Sheet())

        ledger = (LEDGER[tx.dialect] if has_course else LEDGER_BY_DAY).format(day=day["i"])
        for row in await tx.rows(ledger, first=first_day, last=last_day):
            sheet(row).arrived[row.kind] += int(row.n)
        rows = ROWS.format(day=day["d"], course="d.course" if has_course else "0")
        for row in await tx.rows(rows, first=first_day, last=last_day):
            if row.kind == "completion":
                sheet(row).states[row.state] += int(row.n)
            else:
                sheet(row).withdrawals += int(row.n)
    return {
        key: found[key] for key in sorted(found, key=lambda key: (key.vendor, key.course or 0, key.day or 0))
    }


async def named_courses(db: Database) -> dict[int, Named]:
    """Course number -> how its vendor calls it, of every course that was looked at so far."""
    async with db.read() as tx:
        rows = await tx.rows("SELECT vendor_id, course_key, title, module_code FROM courses")
    return {
        course_number(row.vendor_id, row.course_key): Named(row.course_key, row.title, row.module_code)
        for row in rows
    }


async def missing_events(db: Database, vendor_id: int, event_ids: Iterable[str]) -> list[str]:
    """Those of a vendor's event ids that never arrived here, in order of id."""
    wanted = sorted(set(event_ids))
    missing: list[str] = []
    for start in range(0, len(wanted), 1_000):
        async with db.read() as tx:
            x = tx.json_rows(("event_id", "text"))
            part = tx.pack([(event_id,) for event_id in wanted[start : start + 1_000]])
            rows = await tx.rows(MISSING.format(x=x), rows=part, vendor_id=vendor_id)
        missing += sorted(row.event_id for row in rows)
    return missing
