"""A roster file standing in for the sector database: CSV lines -> answers to look-ups and name searches.

Columns: sector_id, full_name, birth_date, gender, citizen_id, unit_code, unit_name, role, status, status_since.
The first two are required; dates are ISO or dd/mm/yyyy; citizen_id is a personal number (12) or old card (9).
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

from gateway.identity.days import read_day
from gateway.identity.identifier import Form, read
from gateway.model.completion import Role
from gateway.model.errors import ConfigError
from gateway.model.person import Answer, IdentifierType, LookupKey, Snapshot

_REQUIRED = ("sector_id", "full_name")
_NOBODY = Answer(hits=(), fetched_at_ms=0, live=False)
_CITIZEN = {Form.TWELVE: IdentifierType.PERSONAL, Form.NINE: IdentifierType.OLD_CARD}


class Roster:
    """The people of one file. `faults` names lines and columns that could not be used, never a value."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises: ConfigError when a required column is missing or the text is no CSV."""
        self.faults: list[str] = []
        found: dict[LookupKey, list[Snapshot]] = defaultdict(list)
        self._born: dict[date, list[Snapshot]] = defaultdict(list)
        reader = csv.DictReader(lines, skipinitialspace=True)
        try:
            columns = [(name or "").strip().lstrip("\ufeff") for name in reader.fieldnames or ()]
            if missing := [name for name in _REQUIRED if name not in columns]:
                raise ConfigError(f"roster: missing columns {', '.join(missing)}")
            reader.fieldnames = columns
            for row in reader:
                self._add(row, f"line {reader.line_num}", found)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"roster: not a UTF-8 CSV file ({type(error).__name__})") from error
        self._answers = {
            key: Answer(hits=tuple(hits), fetched_at_ms=0, live=False) for key, hits in found.items()
        }

    def answers(self, keys: Iterable[LookupKey]) -> dict[LookupKey, Answer]:
        """One answer for each key."""
        return {key: self._answers.get(key, _NOBODY) for key in keys}

    def born_on(self, day: date | None) -> list[Snapshot]:
        """People of this birth date: what a search by name and birth date chooses from."""
        return self._born.get(day, []) if day else []

    def _add(self, row: Mapping[str, str | None], line: str, found: dict[LookupKey, list[Snapshot]]) -> None:
        text = {name: (value or "").strip() for name, value in row.items() if isinstance(value, str)}
        reading = read(text.get("sector_id"))
        if reading.form is not Form.PLAIN10:
            self.faults.append(f"{line}: sector_id is not a 10-digit identifier; the line is left out")
            return
        person = Snapshot(
            sector_id=reading.digits,
            full_name=text.get("full_name", ""),
            birth_date=self._day(text, "birth_date", line),
            gender=text.get("gender") or None,
            unit_code=text.get("unit_code") or None,
            unit_name=text.get("unit_name") or None,
            role=read_role(text.get("role")),
            status=text.get("status") or "Đang làm việc",
            status_since=self._day(text, "status_since", line),
        )
        found[reading.keys[0]].append(person)
        if person.birth_date:
            self._born[person.birth_date].append(person)
        if citizen := text.get("citizen_id"):
            card = read(citizen)
            if kind := _CITIZEN.get(card.form):
                found[LookupKey(kind, card.digits)].append(person)
            else:
                self.faults.append(f"{line}: citizen_id has neither 12 nor 9 digits")

    def _day(self, text: Mapping[str, str], column: str, line: str) -> date | None:
        day = read_day(text.get(column, ""))
        if day is None and text.get(column):
            self.faults.append(f"{line}: {column} is not a date yyyy-mm-dd or dd/mm/yyyy")
        return day


_ROLES = {
    "gv": Role.TEACHER,
    "giáo viên": Role.TEACHER,
    "giao_vien": Role.TEACHER,
    "cbql": Role.MANAGER,
    "cán bộ quản lý": Role.MANAGER,
    "can_bo_quan_ly": Role.MANAGER,
}


def read_role(text: str | None) -> Role | None:
    """GV or CBQL, also spelled out; anything else is unknown."""
    return _ROLES.get(text.strip().casefold()) if text else None
