"""A made-up population of teachers and managers: seed -> the same roster every time.

Units carry real names: the department's table of Hải Phòng of 2023, a few of Hưng Yên, and schools named after
places of the districts in that table. Unit codes are made up in the right shape (two digits department, three
district or 000, three serial). No person is real. The roster file is gateway/sandbox/roster.py.
"""

import csv
import tomllib
from bisect import bisect
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

from gateway.sandbox.roster import StaffRow

T = TypeVar("T")

DATA = Path(__file__).parent / "data"
MANAGERS = 0.075  # 115 000 managers beside 1.4 million teachers
OTHER_PEOPLES = 0.02
WOMEN = {"MN": 0.98, "TH": 0.78, "THCS": 0.69, "THPT": 0.63}  # by the lowest level of the school

# Province code at the time of issue -> share. Codes 01..08 begin with the zero that spreadsheets lose.
SECTOR_PREFIXES = {"31": 70, "33": 14, "30": 6, "34": 4, "01": 3, "04": 1, "08": 1, "22": 1}
BIRTH_PROVINCES = {"031": 66, "033": 14, "030": 8, "034": 5, "001": 4, "022": 2, "004": 1}

WORKING = "Đang làm việc"
RETIRED = "Đã nghỉ hưu"
STATUSES = {
    WORKING: 93.5,
    "Chuyển đến": 1.5,
    "Đã chuyển đi": 1.0,
    "Đã điều động": 0.5,
    "Chờ nghỉ hưu": 0.7,
    RETIRED: 1.6,
    "Đã biệt phái": 0.5,
    "Thôi việc": 0.7,
}


class Unit(NamedTuple):
    """One school."""

    code: str
    name: str
    levels: tuple[str, ...]  # of MN, TH, THCS, THPT
    staff: int


@cache
def units() -> tuple[Unit, ...]:
    """All schools of data/units.csv."""
    with (DATA / "units.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Unit(row["unit_code"], row["unit_name"], tuple(row["levels"].split()), int(row["staff"]))
            for row in csv.DictReader(file)
        )


def population(count: int, *, today: date, seed: int = 2026) -> list[StaffRow]:
    """`count` people as of `today`, sector ids and personal numbers unique, in no particular order."""
    people = _People(Random(seed), today)
    return [people.draw() for _ in range(count)]


class _People:
    """Draws one person after the other and remembers which numbers are taken."""

    def __init__(self, random: Random, today: date) -> None:
        self._random = random
        self._today = today
        self._taken: set[str] = set()
        names = tomllib.loads((DATA / "names.toml").read_text("utf-8"))
        self._family = _chooser(random, names["family"])
        self._middle = {sex: _chooser(random, names[sex]["middle"]) for sex in ("female", "male")}
        self._given = {sex: _chooser(random, names[sex]["given"]) for sex in ("female", "male")}
        self._others: dict[str, list[str]] = {sex: names["others"][sex]["names"] for sex in ("female", "male")}
        self._unit = _chooser(random, {unit: unit.staff for unit in units()})
        self._status = _chooser(random, STATUSES)
        self._prefix = _chooser(random, SECTOR_PREFIXES)
        self._province = _chooser(random, BIRTH_PROVINCES)

    def draw(self) -> StaffRow:
        random = self._random
        unit, status = self._unit(), self._status()
        sex = "female" if random.random() < WOMEN[unit.levels[0]] else "male"
        born = self._birth_date(status, sex)
        return StaffRow(
            sector_id=self._free(lambda: f"{self._prefix()}{random.randrange(10**8):08d}"),
            full_name=self._name(sex),
            birth_date=born.isoformat(),
            gender="Nữ" if sex == "female" else "Nam",
            citizen_id=self._free(lambda: self._personal_number(sex, born)),
            unit_code=unit.code,
            unit_name=unit.name,
            role="CBQL" if random.random() < MANAGERS else "GV",
            status=status,
            status_since=self._since(status, born).isoformat(),
        )

    def _free(self, number: Callable[[], str]) -> str:
        while (found := number()) in self._taken:
            pass
        self._taken.add(found)
        return found

    def _name(self, sex: str) -> str:
        if self._random.random() < OTHER_PEOPLES:
            return self._random.choice(self._others[sex])
        return f"{self._family()} {self._middle[sex]()} {self._given[sex]()}"

    def _birth_date(self, status: str, sex: str) -> date:
        retiring = 57 if sex == "female" else 61
        if status in (RETIRED, "Chờ nghỉ hưu"):
            years = retiring + (self._random.randrange(5) if status == RETIRED else 0)
        else:
            years = self._random.randint(23, retiring - 1)
        return self._today - timedelta(days=years * 365 + self._random.randrange(1, 365))

    def _personal_number(self, sex: str, born: date) -> str:
        """Province of birth, century and sex (even: male), year, six digits."""
        digit = 2 * (born.year // 100 - 19) + (sex == "female")
        return f"{self._province()}{digit}{born.year % 100:02d}{self._random.randrange(10**6):06d}"

    def _since(self, status: str, born: date) -> date:
        """A working person began at 22 or later, over a year ago; who left did so up to 900 days ago."""
        earliest = born + timedelta(days=22 * 365)
        if status != WORKING:
            return max(earliest, self._today - timedelta(days=self._random.randint(20, 900)))
        latest = max(earliest, self._today - timedelta(days=730))
        return earliest + timedelta(days=self._random.randrange((latest - earliest).days + 1))


def _chooser(random: Random, shares: Mapping[T, float]) -> Callable[[], T]:
    """Draws keys in proportion to their shares; five times as quick as `random.choices`."""
    values, cumulative = list(shares), list(accumulate(shares.values()))
    total, last = cumulative[-1], len(values) - 1
    return lambda: values[min(bisect(cumulative, random.random() * total), last)]
