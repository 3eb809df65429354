"""Deadlines as letters state them, and the moment from which on something is too late.

"trước ngày 23/4" ends with 22/4; "chậm nhất ngày 23/4" includes the day; a time of day is taken as it is. All
in Việt Nam's time. A department or commune may set an earlier date for its units; a later one has no effect.
Source: letters of the ministry and of departments, which use both wordings.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.bdtx.school_years import is_school_year
from gateway.bdtx.units import Units
from gateway.model.clock import ICT, Clock, local_date
from gateway.model.errors import ConfigError, NotFound
from gateway.storage import audit
from gateway.storage.engine import Database, Tx


class DeadlineKind(StrEnum):
    """What has to be done by then."""

    IDENTIFIER = "identifier"  # identifiers updated on the LMS
    SELF_EVALUATION = "self_evaluation"
    BDTX_REPORT = "bdtx_report"
    TEMIS_EXTRACT = "temis_extract"  # the department takes its report out of TEMIS
    PUBLICATION = "publication"


class Wording(StrEnum):
    """How the letter puts it."""

    BEFORE = "before"  # trước ngày
    BY = "by"  # chậm nhất ngày


_STATED = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2}))?")
INSERT = """
INSERT INTO deadlines (kind, unit_code, school_year, at_ms, stated, wording, made_by, made_at_ms)
VALUES (:kind, :unit, :year, :at, :stated, :wording, :by, :now) RETURNING id"""
UPCOMING = """
SELECT id, kind, unit_code, school_year, at_ms, stated, wording, made_by, told_at_ms
FROM deadlines WHERE at_ms > :after AND removed_at_ms IS NULL ORDER BY at_ms, id"""
REMOVE = "UPDATE deadlines SET removed_at_ms = :now WHERE id = :id AND removed_at_ms IS NULL RETURNING id"


@dataclass(frozen=True, slots=True)
class Deadline:
    """One deadline. `at_ms` is the first moment that is too late."""

    id: int
    kind: DeadlineKind
    unit_code: str | None  # None: everybody
    school_year: str
    at_ms: int
    stated: str
    wording: Wording
    made_by: str
    told_at_ms: int | None = None


def too_late_from(stated: str, wording: Wording) -> int:
    """`2026-04-23` or `2026-04-23T17:00`, Việt Nam's time -> the first millisecond that is too late.

    Raises: ConfigError when it is no such day.
    """
    match = _STATED.fullmatch(stated.strip())
    try:
        if match is None:
            raise ValueError
        year, month, day = int(match[1]), int(match[2]), int(match[3])
        has_time = match[4] is not None
        at = datetime(year, month, day, int(match[4] or 0), int(match[5] or 0), tzinfo=ICT)
    except ValueError:
        raise ConfigError("a deadline is a day, or a moment in Việt Nam: 2026-04-23T17:00") from None
    if wording is Wording.BY:
        # The day, or the minute, still counts.
        at += timedelta(minutes=1) if has_time else timedelta(days=1)
    return int(at.timestamp() * 1000)


def in_force(
    deadlines: Iterable[Deadline], units: Units, unit_code: str, kind: DeadlineKind, school_year: str, now: int
) -> Deadline | None:
    """The deadline that holds for a unit: the earliest of everybody's, its own and its upper offices'."""
    path = {unit.code for unit in units.path_at(unit_code, local_date(now))} | {unit_code}
    held = [
        d
        for d in deadlines
        if d.kind is kind and d.school_year == school_year and (d.unit_code is None or d.unit_code in path)
    ]
    return min(held, key=lambda d: (d.at_ms, d.id), default=None)


async def add_deadline(
    db: Database,
    clock: Clock,
    units: Units,
    kind: DeadlineKind,
    school_year: str,
    stated: str,
    wording: Wording,
    *,
    unit_code: str | None = None,
    by: str,
) -> Deadline:
    """Raises: ConfigError for what is no date or no school year, and for a date later than the one above."""
    at_ms, now = too_late_from(stated, wording), clock.now_ms()
    if not is_school_year(school_year):
        raise ConfigError("a school year is two consecutive years: 2025-2026")
    if unit_code is not None:
        if not units.versions(unit_code):
            raise NotFound(f"there is no unit {unit_code}")
        others = [d for d in await upcoming(db, 0) if d.unit_code != unit_code]
        above = in_force(others, units, unit_code, kind, school_year, now)
        if above is not None and at_ms > above.at_ms:
            raise ConfigError(f"a unit may set an earlier date; {above.stated} is in force for it already")

    async def in_tx(tx: Tx) -> Deadline:
        told = stated.strip()
        [row] = await tx.rows(
            INSERT,
            kind=kind.value,
            unit=unit_code,
            year=school_year,
            at=at_ms,
            stated=told,
            wording=wording.value,
            by=by,
            now=now,
        )
        await audit.append(tx, now, by, "deadline.add", f"deadline:{row.id}", kind=kind.value, stated=told)
        return Deadline(int(row.id), kind, unit_code, school_year, at_ms, told, wording, by)

    return await db.write(in_tx)


async def remove_deadline(db: Database, clock: Clock, id_: int, *, by: str) -> None:
    """Takes a deadline back; it stays in the table. Raises: NotFound."""

    async def in_tx(tx: Tx) -> bool:
        now = clock.now_ms()
        found = await tx.rows(REMOVE, id=id_, now=now)
        if found:
            await audit.append(tx, now, by, "deadline.remove", f"deadline:{id_}")
        return bool(found)

    if not await db.write(in_tx):
        raise NotFound(f"there is no deadline {id_}")


async def upcoming(db: Database, after_ms: int) -> list[Deadline]:
    """Deadlines that are too late only after `after_ms`, the nearest first."""
    async with db.read() as tx:
        rows: Sequence[Any] = await tx.rows(UPCOMING, after=after_ms)
    return [
        Deadline(
            row.id,
            DeadlineKind(row.kind),
            row.unit_code,
            row.school_year,
            row.at_ms,
            row.stated,
            Wording(row.wording),
            row.made_by,
            row.told_at_ms,
        )
        for row in rows
    ]
