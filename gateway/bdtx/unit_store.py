"""Units in storage: loaded whole into memory (about 53 000 of them), written by an import."""

import hashlib
from datetime import date
from functools import partial

from gateway.bdtx.units import Change, Edge, Level, Unit, Units
from gateway.bdtx.units_file import Plan
from gateway.model.clock import Clock
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx
from gateway.storage.rows import Kind

READ = "SELECT code, valid_from, valid_to, name, level, parent_code, teaches, contact FROM units ORDER BY code"
READ_EDGES = "SELECT source_code, target_code, change, on_day FROM unit_edges ORDER BY source_code, target_code"
VERSION = "SELECT value, at_ms FROM cursors WHERE name = 'units'"
RAISE_VERSION = """
INSERT INTO cursors (name, value, at_ms) VALUES ('units', '1', :now)
ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(cursors.value AS bigint) + 1 AS text),
  at_ms = CASE WHEN excluded.at_ms > cursors.at_ms THEN excluded.at_ms ELSE cursors.at_ms + 1 END
RETURNING at_ms"""
CHANGED_UNITS = "SELECT DISTINCT code FROM units WHERE changed_at_ms > :since"
CHANGED_EDGES = """
SELECT source_code AS code FROM unit_edges WHERE changed_at_ms > :since
UNION SELECT target_code FROM unit_edges WHERE changed_at_ms > :since"""
WRITE = """
INSERT INTO units (code, valid_from, valid_to, name, level, parent_code, teaches, contact, changed_at_ms)
SELECT x.code, x.valid_from, x.valid_to, x.name, x.level, x.parent_code, x.teaches, x.contact,
       CAST(:now AS bigint)
FROM {x} WHERE true
ON CONFLICT (code, valid_from) DO UPDATE SET valid_to = excluded.valid_to, name = excluded.name,
  level = excluded.level, parent_code = excluded.parent_code, teaches = excluded.teaches,
  contact = excluded.contact, changed_at_ms = excluded.changed_at_ms"""
WRITE_EDGES = """
INSERT INTO unit_edges (source_code, target_code, change, on_day, changed_at_ms)
SELECT x.source_code, x.target_code, x.change, x.on_day, CAST(:now AS bigint) FROM {x} WHERE true
ON CONFLICT (source_code, target_code) DO UPDATE SET change = excluded.change, on_day = excluded.on_day,
  changed_at_ms = excluded.changed_at_ms"""
_REREAD_MS = 5_000
_PART = 1_000
_LEVELS = {level.value: level for level in Level}
_CHANGES = {change.value: change for change in Change}


class UnitRegister:
    """The units as this process knows them; looked at every five seconds, read again when they changed.

    A look is one row by its key: each transaction of an import raises the version there.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._looked_at_ms: int | None = None
        self._as_of_wake: int | None = None
        self._version = ""
        self._units = Units()

    async def current(self, *, as_of_wake: int | None = None) -> Units:
        """`as_of_wake`: the newest wake the caller knows. A change of units is followed by a wake, so what was
        looked at before a newer one is looked at again: else a hold could be written by units of yesterday.
        """
        now = self._clock.now_ms()
        is_old = self._looked_at_ms is None or now - self._looked_at_ms >= _REREAD_MS
        if is_old or (as_of_wake is not None and as_of_wake != self._as_of_wake):
            version, _ = await units_version(self._db)
            if version != self._version:  # read before the units: what comes in between is read next time
                self._units = await load_units(self._db)
                self._version = version
            self._looked_at_ms, self._as_of_wake = now, as_of_wake
        return self._units


async def units_version(db: Database) -> tuple[str, int]:
    """What every transaction that writes units changes, and when the last one was; empty before the first."""
    async with db.read() as tx:
        found = await tx.rows(VERSION)
    return (found[0].value, int(found[0].at_ms)) if found else ("", 0)


async def codes_changed(db: Database, since_ms: int) -> frozenset[str]:
    """Codes of units, and of what they became, written after `since_ms`: a time that `units_version` told."""
    async with db.read() as tx:
        rows = [*await tx.rows(CHANGED_UNITS, since=since_ms), *await tx.rows(CHANGED_EDGES, since=since_ms)]
    return frozenset(row.code for row in rows)


async def load_units(db: Database) -> Units:
    """All units of all times."""
    async with db.read() as tx:
        rows = await tx.rows(READ)
        edges = await tx.rows(READ_EDGES)
    days: dict[int, date] = {}

    def day(number: int) -> date:
        return days.get(number) or days.setdefault(number, _day(number))

    return Units(
        (
            Unit(
                row.code,
                row.name,
                _LEVELS[row.level],
                row.parent_code,
                day(row.valid_from),
                None if row.valid_to is None else day(row.valid_to),
                tuple(row.teaches.split()),
                row.contact,
            )
            for row in rows
        ),
        (Edge(row.source_code, row.target_code, _CHANGES[row.change], day(row.on_day)) for row in edges),
    )


async def save(db: Database, clock: Clock, plan: Plan, *, actor: str, file: str, content: bytes) -> None:
    """Writes a plan, at most 1 000 rows a transaction, parents first; the audit row goes with the first.

    A run that was cut short is finished by running the same file again.
    """
    order = list(Level)
    units = sorted((*plan.new, *plan.changed), key=lambda u: (order.index(u.level), u.code, u.valid_from))
    edges = sorted(plan.edges, key=lambda edge: (edge.source, edge.target))
    now = clock.now_ms()

    async def first(tx: Tx) -> None:
        await append(
            tx,
            now,
            actor,
            "units.import",
            file,
            sha256=hashlib.sha256(content).hexdigest(),
            new=len(plan.new),
            changed=len(plan.changed),
            same=plan.same,
            edges=len(edges),
            left_out=len(plan.faults),
        )
        await _write(tx, units[:_PART], now)

    await db.write(first)
    for start in range(_PART, len(units), _PART):
        await db.write(partial(_write, units=units[start : start + _PART], now=now))
    for start in range(0, len(edges), _PART):
        await db.write(partial(_join, edges=edges[start : start + _PART], now=now))


async def _write(tx: Tx, units: list[Unit], now: int) -> None:
    if units:
        rows = tx.pack([_row(unit) for unit in units])
        await tx.run(WRITE.format(x=tx.json_rows(*_COLUMNS)), rows=rows, now=await _raised(tx, now))


async def _join(tx: Tx, edges: list[Edge], now: int) -> None:
    rows = [(edge.source, edge.target, edge.change.value, _number(edge.on)) for edge in edges]
    sql = WRITE_EDGES.format(x=tx.json_rows(*_EDGE_COLUMNS))
    await tx.run(sql, rows=tx.pack(rows), now=await _raised(tx, now))


async def _raised(tx: Tx, now: int) -> int:
    """A new version. Returns: the time to write; the row is locked, so it is later than any written before."""
    [row] = await tx.rows(RAISE_VERSION, now=now)
    return int(row.at_ms)


_COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("code", "text"), ("valid_from", "int"), ("valid_to", "int"), ("name", "text"), ("level", "text"),
    ("parent_code", "text"), ("teaches", "text"), ("contact", "text"),
)  # fmt: skip
_EDGE_COLUMNS: tuple[tuple[str, Kind], ...] = (
    ("source_code", "text"),
    ("target_code", "text"),
    ("change", "text"),
    ("on_day", "int"),
)


def _row(unit: Unit) -> tuple[str | int | None, ...]:
    return (
        unit.code,
        _number(unit.valid_from),
        None if unit.valid_to is None else _number(unit.valid_to),
        unit.name,
        unit.level.value,
        unit.parent,
        " ".join(unit.teaches),
        unit.contact,
    )


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def _day(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)
