"""How many people a unit has by its own list, uploaded as a table: the other denominator of progress.

One row a unit with a number, or one row a person: then the rows are counted. Only numbers are kept, no person.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from gateway.bdtx.sheet_lines import ANY_ENCODING
from gateway.bdtx.sheets import parse_sheet
from gateway.bdtx.units import Units
from gateway.model.clock import Clock
from gateway.model.errors import ConfigError
from gateway.stages.cases.sight import Sight
from gateway.storage.audit import append
from gateway.storage.engine import Database, Tx

MAX_BYTES = 16 * 1024 * 1024
COLUMNS = {
    "unit": ("Mã trường", "Mã đơn vị", "Mã trường học", "Mã cơ sở giáo dục", "school code", "unit code"),
    "people": ("Số người", "Số giáo viên", "Số CBQL, GV", "Số lượng", "Tổng số", "Số học viên", "headcount"),
}
READ = "SELECT unit_code, people FROM headcounts"
SAVE = """
INSERT INTO headcounts (unit_code, people, at_ms, actor)
SELECT x.unit_code, x.people, CAST(:now AS bigint), CAST(:actor AS text) FROM {x} WHERE true
ON CONFLICT (unit_code) DO UPDATE SET
    people = excluded.people, at_ms = excluded.at_ms, actor = excluded.actor"""
_PART = 1_000


@dataclass(frozen=True, slots=True)
class Taken:
    """What an upload did. `left_out`: rows of unknown units or others' ones, or without a number."""

    units: int
    people: int
    left_out: int


def read_headcounts(content: bytes, name: str) -> tuple[dict[str, int], int]:
    """People by unit code, and how many rows say nothing. Raises: ConfigError when it is no such table."""
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{name}: larger than {MAX_BYTES // 1024 // 1024} MiB; split the file")
    sheet = parse_sheet(content, name, COLUMNS, ("unit",), ANY_ENCODING)
    counts: Counter[str] = Counter()
    left_out = 0
    for row in sheet.rows:
        code, people = row.cells["unit"].upper(), row.cells["people"].replace(".", "").replace(" ", "")
        if not code or ("people" in sheet.found and not (people.isascii() and people.isdigit())):
            left_out += 1
            continue
        counts[code] += int(people) if "people" in sheet.found else 1
    return dict(counts), left_out


class Headcounts:
    """The table `headcounts`. One instance per process."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def all(self) -> dict[str, int]:
        """Every unit that has one."""
        async with self._db.read() as tx:
            return {row.unit_code: int(row.people) for row in await tx.rows(READ)}

    async def take(self, sight: Sight, counts: Mapping[str, int], left_out: int) -> Taken:
        """Keeps those of the viewer's own units, in place of what was there; audited."""
        own = sorted((code, n) for code, n in counts.items() if sight.unit(code) and sight.covers(code))
        told = Taken(len(own), sum(n for _, n in own), left_out + len(counts) - len(own))
        for start in range(0, max(len(own), 1), _PART):
            part = own[start : start + _PART]

            async def save(tx: Tx, part: list[tuple[str, int]] = part, is_first: bool = start == 0) -> None:
                now, login = self._clock.now_ms(), sight.viewer.login
                if is_first:
                    detail = {"units": told.units, "people": told.people, "left_out": told.left_out}
                    await append(tx, now, login, "progress.headcounts", sight.viewer.unit_code or "*", **detail)
                x = tx.json_rows(("unit_code", "text"), ("people", "int"))
                await tx.run(SAVE.format(x=x), rows=tx.pack(part), now=now, actor=login)

            await self._db.write(save)
        return told


def expected_of(units: Units, counts: Mapping[str, int], code: str | None, day: date) -> int | None:
    """What the lists say of one unit: its own number, or the sum of those below; None without any."""
    if code is None or code in counts:
        return counts.get(code) if code else None
    below = [counts[one] for one in units.descendants_at(code, day) if one in counts]
    return sum(below) if below else None
