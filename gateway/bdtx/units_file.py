"""A file of units and the tree as it is -> what an import would do, and the rows that it leaves out.

Codes stay text. One bad row never spoils the file: it is listed with line, field, cause and remedy, and so is
what hangs on it. Source: contracts/units/README.md.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

from gateway.bdtx.sheets import Fault, Row, Sheet, fold, read_day
from gateway.bdtx.units import (
    ALWAYS,
    COMMUNES_BEGIN,
    DISTRICTS_END,
    Change,
    Edge,
    Level,
    Unit,
    Units,
)

COLUMNS = {
    "code": ("Mã đơn vị", "Mã", "Mã trường", "unit code"),
    "name": ("Tên đơn vị", "Tên", "Tên trường", "unit name"),
    "level": ("Cấp", "Cấp đơn vị", "Loại đơn vị"),
    "parent": ("Mã đơn vị cấp trên", "Mã cấp trên", "Đơn vị cấp trên", "parent code"),
    "teaches": ("Cấp học", "levels taught"),
    "valid_from": ("Hiệu lực từ ngày", "Từ ngày", "Hiệu lực từ", "from"),
    "valid_to": ("Hiệu lực đến ngày", "Đến ngày", "Hiệu lực đến", "to"),
    "predecessors": ("Mã đơn vị trước", "Đơn vị trước", "predecessor"),
    "successors": ("Mã đơn vị sau", "Đơn vị sau", "successor"),
    "change": ("Hình thức thay đổi", "Thay đổi"),
    "contact": ("Liên hệ", "Đầu mối liên hệ", "Thông tin liên hệ"),
}
REQUIRED = ("code", "name", "level")
TEXTS = Path(__file__).parent / "texts"

_LEVELS = {
    Level.MINISTRY: "bộ, bộ gdđt, bộ giáo dục và đào tạo",
    Level.DEPARTMENT: "sở, sở gdđt, sở giáo dục và đào tạo, tỉnh, thành phố",
    Level.DISTRICT: "phòng, phòng gdđt, phòng giáo dục và đào tạo, huyện, quận, thị xã",
    Level.COMMUNE: "xã, phường, đặc khu, ubnd xã, ubnd phường, ubnd đặc khu, phòng văn hóa xã hội",
    Level.SCHOOL: "trường, trường học, cơ sở giáo dục, trung tâm",
    Level.ORGANISER: "đơn vị tổ chức, trường đại học, university",
}
LEVELS = {fold(word): level for level, words in _LEVELS.items() for word in (level, *words.split(","))}
_CHANGES = {
    Change.MERGE: "sáp nhập, hợp nhất",
    Change.SPLIT: "chia tách, tách, chia",
    Change.RENUMBER: "đổi mã, đổi tên",
}
CHANGES = {fold(word): change for change, words in _CHANGES.items() for word in (change, *words.split(","))}
_TEACHES = {
    "mn": "MN", "mam non": "MN", "th": "TH", "tieu hoc": "TH", "thcs": "THCS", "thpt": "THPT", "gdtx": "GDTX",
}  # fmt: skip
_ORDER = ("MN", "TH", "THCS", "THPT", "GDTX")
# Codes of these levels have this many digits; fewer means that a spreadsheet took a leading zero away.
_WIDTHS = {Level.DEPARTMENT: 2, Level.COMMUNE: 5, Level.SCHOOL: 8}
_CODE = re.compile(r"[0-9A-Z][0-9A-Z._-]{0,31}")
_DAMAGED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.I)
_SEVERAL = re.compile(r"[;,\s]+")
_MAX_NAME = 200
_DAY = timedelta(days=1)

Complain = Callable[..., None]  # (field, code, value)


@dataclass(frozen=True, slots=True)
class Entry:
    """One readable row."""

    line: int
    unit: Unit
    edges: tuple[Edge, ...] = ()


@dataclass(slots=True)
class Plan:
    """What an import would write. `edges` are only those that are new or changed."""

    new: list[Unit] = field(default_factory=list)
    changed: list[Unit] = field(default_factory=list)
    same: int = 0
    edges: list[Edge] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)  # taken, and still worth a look

    @property
    def is_empty(self) -> bool:
        return not (self.new or self.changed or self.edges)


def plan_import(sheet: Sheet, known: Units, today: date) -> Plan:
    """Every row of the file against the tree as it is; nothing is written."""
    plan = Plan()
    entries = [entry for row in sheet.rows if (entry := _entry(row, known, plan.faults))]
    entries = _without_doubles(entries, plan.faults)
    taken: dict[str, list[Unit]] = {}
    levels = list(Level)
    for entry in sorted(entries, key=lambda one: (levels.index(one.unit.level), one.line)):
        fault = _placed(entry, taken, known)
        if fault:
            plan.faults.append(fault)
            continue
        taken.setdefault(entry.unit.code, []).append(entry.unit)
        _weigh(entry, known, plan)
    _join([entry for entry in entries if entry.unit in taken.get(entry.unit.code, ())], taken, known, plan)
    after = merged(known, plan)
    plan.notes += [note for entry in entries for note in _notes(entry, after, today)]
    plan.faults.sort(key=lambda fault: fault.line)
    return plan


def merged(known: Units, plan: Plan) -> Units:
    """The tree as it will be once the plan is written."""
    written = {(unit.code, unit.valid_from): unit for unit in (*plan.new, *plan.changed)}
    kept = [
        unit
        for code in known.codes()
        for unit in known.versions(code)
        if (code, unit.valid_from) not in written
    ]
    edges = {(e.source, e.target): e for code in known.codes() for side in known.edges_of(code) for e in side}
    edges |= {(e.source, e.target): e for e in plan.edges}
    return Units([*kept, *written.values()], edges.values())


def _entry(row: Row, known: Units, faults: list[Fault]) -> Entry | None:
    cells = row.cells
    wrong: list[Fault] = []

    def fault(field: str, code: str, value: str = "") -> None:
        wrong.append(Fault(row.line, field, code, value))

    level = LEVELS.get(fold(cells["level"]))
    if level is None:
        fault("level", "level_unknown" if cells["level"] else "missing", cells["level"])
    code = cells["code"].upper()
    if trouble := code_trouble(code, level):
        fault("code", trouble, cells["code"])
    if not cells["name"] or len(cells["name"]) > _MAX_NAME:
        fault("name", "missing" if not cells["name"] else "name_long")
    parent = cells["parent"].upper() or None
    if parent and (trouble := code_trouble(parent, None)):
        fault("parent", trouble, parent)
    begins = _day(cells["valid_from"], "valid_from", fault)
    ends = _day(cells["valid_to"], "valid_to", fault)
    teaches = _teaches(cells["teaches"], fault)
    change = CHANGES.get(fold(cells["change"]))
    if cells["change"] and change is None:
        fault("change", "change_unknown", cells["change"])
    if wrong or level is None:
        faults += wrong
        return None
    unit = Unit(
        code=code,
        name=cells["name"],
        level=level,
        parent=parent,
        valid_from=begins or _usual_beginning(code, level, ends, known),
        valid_to=DISTRICTS_END if level is Level.DISTRICT and (ends is None or ends > DISTRICTS_END) else ends,
        teaches=teaches if level is Level.SCHOOL else (),
        contact=cells["contact"] or None,
    )
    if unit.valid_to is not None and unit.valid_to < unit.valid_from:
        is_late = level is Level.DISTRICT and unit.valid_from > DISTRICTS_END
        faults.append(Fault(row.line, "valid_to", "district_late" if is_late else "ends_before_it_begins"))
        return None
    edges = _edges(row, unit, change, faults)
    return None if edges is None else Entry(row.line, unit, edges)


def code_trouble(code: str, level: Level | None) -> str | None:
    """What is wrong with a code as written, or None. Leading zeros are missed, never put back."""
    if not code:
        return "missing"
    if _DAMAGED.fullmatch(code):
        return "code_damaged"
    if not _CODE.fullmatch(code):
        return "code_form"
    is_short = level in _WIDTHS and code.isdigit() and len(code) < _WIDTHS[level]
    return "code_lost_zero" if is_short else None


def _day(text: str, name: str, fault: Complain) -> date | None:
    day = read_day(text)
    if text and day is None:
        fault(name, "date_form", text)
    return day


def _teaches(text: str, fault: Complain) -> tuple[str, ...]:
    words = [fold(word) for word in re.split(r"[;,&+/-]", text) if word.strip()]
    if any(word not in _TEACHES for word in words):
        words = [word for part in words for word in part.split()]
    if unknown := [word for word in words if word not in _TEACHES]:
        fault("teaches", "teaches_unknown", unknown[0])
        return ()
    found = {_TEACHES[word] for word in words}
    return tuple(one for one in _ORDER if one in found)


def _usual_beginning(code: str, level: Level, ends: date | None, known: Units) -> date:
    """Without a stated beginning: the version that is known, or a commune's first day, or always."""
    versions = known.versions(code)
    if versions and ends is None and all(version.valid_from != ALWAYS for version in versions):
        return versions[-1].valid_from
    return COMMUNES_BEGIN if level is Level.COMMUNE and (ends is None or ends >= COMMUNES_BEGIN) else ALWAYS


def _edges(row: Row, unit: Unit, change: Change | None, faults: list[Fault]) -> tuple[Edge, ...] | None:
    found: list[Edge] = []
    for name in ("predecessors", "successors"):
        codes = [code for code in _SEVERAL.split(row.cells[name].upper()) if code]
        if not codes:
            continue
        is_before = name == "predecessors"
        how = change or ((Change.MERGE if is_before else Change.SPLIT) if len(codes) > 1 else None)
        day = unit.valid_from if is_before else unit.valid_to and unit.valid_to + _DAY
        bad = next((code for code in codes if not _CODE.fullmatch(code) or code == unit.code), None)
        if bad:
            faults.append(Fault(row.line, name, "edge_self" if bad == unit.code else "code_form", bad))
            return None
        if how is None or day is None or day == ALWAYS:
            missing = ("change", "change_missing") if how is None else (name, "edge_without_day")
            faults.append(Fault(row.line, *missing))
            return None
        found += [
            Edge(code, unit.code, how, day) if is_before else Edge(unit.code, code, how, day) for code in codes
        ]
    return tuple(found)


def _without_doubles(entries: Sequence[Entry], faults: list[Fault]) -> list[Entry]:
    """One entry for each code and beginning. The same line twice is harmless, another content is not."""
    first: dict[tuple[str, date], Entry] = {}
    for entry in entries:
        before = first.setdefault((entry.unit.code, entry.unit.valid_from), entry)
        if before is not entry and (before.unit, before.edges) != (entry.unit, entry.edges):
            faults.append(Fault(entry.line, "code", "twice", str(before.line)))
    return list(first.values())


def _placed(entry: Entry, taken: dict[str, list[Unit]], known: Units) -> Fault | None:
    """Whether the parent is there and above, and the days do not lie over another version's."""
    unit = entry.unit
    if unit.parent is not None:
        above = [*taken.get(unit.parent, ()), *known.versions(unit.parent)]
        if not above:
            return Fault(entry.line, "parent", "parent_unknown", unit.parent)
        if not all(parent.level.is_above(unit.level) for parent in above):
            return Fault(entry.line, "parent", "parent_below", unit.parent)
    elif unit.level not in (Level.MINISTRY, Level.DEPARTMENT, Level.ORGANISER):
        return Fault(entry.line, "parent", "parent_missing")
    others = {version.valid_from: version for version in known.versions(unit.code)}
    others |= {version.valid_from: version for version in taken.get(unit.code, ())}
    for other in others.values():
        if other.valid_from == unit.valid_from:
            continue
        earlier, later = sorted((other, unit), key=lambda version: version.valid_from)
        is_closed_by_us = later is unit and other in known.versions(unit.code)
        if not is_closed_by_us and earlier.valid_to is not None and earlier.valid_to >= later.valid_from:
            return Fault(entry.line, "valid_from", "overlap")
    return None


def _weigh(entry: Entry, known: Units, plan: Plan) -> None:
    before = next((v for v in known.versions(entry.unit.code) if v.valid_from == entry.unit.valid_from), None)
    if before is None:
        plan.new.append(entry.unit)
    elif _as_stored(entry.unit, known) == before:
        plan.same += 1
    else:
        plan.changed.append(entry.unit)


def _as_stored(unit: Unit, known: Units) -> Unit:
    """As the tree shows it: without a stated end, it ends where the next version of its code begins."""
    later = [v.valid_from for v in known.versions(unit.code) if v.valid_from > unit.valid_from]
    return replace(unit, valid_to=min(later) - _DAY) if later and unit.valid_to is None else unit


def _join(entries: Sequence[Entry], taken: dict[str, list[Unit]], known: Units, plan: Plan) -> None:
    """Edges between units that are there. What something came from may be unknown: old codes still arrive."""
    stored = {
        (e.source, e.target): e for entry in entries for side in known.edges_of(entry.unit.code) for e in side
    }
    fresh: dict[tuple[str, str], Edge] = {}
    for entry in entries:
        for edge in entry.edges:
            if edge.target not in taken and not known.versions(edge.target):
                plan.faults.append(Fault(entry.line, "successors", "successor_unknown", edge.target))
            elif stored.get((edge.source, edge.target)) != edge:
                fresh.setdefault((edge.source, edge.target), edge)
    plan.edges = list(fresh.values())


def _notes(entry: Entry, after: Units, today: date) -> Iterator[Fault]:
    unit = entry.unit
    if unit.level is not Level.SCHOOL or not unit.is_valid_on(today):
        return
    if unit.parent and after.unit_at(unit.parent, today) is None:
        stand_in = after.standing_for(unit.parent, today)
        yield Fault(entry.line, "parent", "parent_closed", stand_in.name if stand_in else "–")
    if not unit.teaches:
        yield Fault(entry.line, "teaches", "teaches_missing")
