"""The people the sandbox's sector database knows: a CSV file -> StaffRow, all codes kept as text.

Columns: sector_id, full_name, birth_date, gender, citizen_id, unit_code, unit_name, role, status, status_since.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from gateway.model.errors import ConfigError


@dataclass(frozen=True, slots=True)
class StaffRow:
    """One line of a roster: the person's file, as text; an empty text means the file does not state it."""

    sector_id: str
    full_name: str
    birth_date: str = ""  # yyyy-mm-dd
    gender: str = ""
    citizen_id: str = ""  # 12 digits, or an old identity card of 9
    unit_code: str = ""
    unit_name: str = ""
    role: str = ""  # GV or CBQL; anything else is staff without a BDTX role
    status: str = "Đang làm việc"
    status_since: str = ""  # yyyy-mm-dd


COLUMNS = tuple(field.name for field in fields(StaffRow))
REQUIRED = ("sector_id", "full_name")
DATES = ("birth_date", "status_since")


def read_roster(path: Path) -> list[StaffRow]:
    """All people of a roster file (UTF-8, with or without a byte-order mark), in file order.

    Raises: ConfigError naming the file and the line (never a value) when a column or a date is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_rows(csv.DictReader(file, strict=True), path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not a readable UTF-8 CSV file ({type(error).__name__})") from error


def write_roster(path: Path, people: Iterable[StaffRow]) -> None:
    """Writes people in the form that `read_roster` reads."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([getattr(person, column) for column in COLUMNS] for person in people)


def changed(person: StaffRow, changes: dict[str, str]) -> StaffRow:
    """The person with some columns replaced. Raises: ValueError naming the column that is wrong."""
    row = {column: getattr(person, column) for column in COLUMNS}
    if unknown := sorted(changes.keys() - row.keys()):
        raise ValueError(f"no such column: {', '.join(unknown)}")
    return to_row(row | changes)


def to_row(row: dict[str, str]) -> StaffRow:
    """Raises: ValueError naming the column that is empty or no date."""
    for column in REQUIRED:
        if not row.get(column):
            raise ValueError(f"{column} is empty")
    for column in DATES:
        if row.get(column):
            try:
                date.fromisoformat(row[column])
            except ValueError:
                raise ValueError(f"{column} is not a date of the form yyyy-mm-dd") from None
    return StaffRow(**row)


def _rows(reader: "csv.DictReader[str]", path: Path) -> Iterator[StaffRow]:
    found = tuple(reader.fieldnames or ())
    if sorted(found) != sorted(COLUMNS):
        raise ConfigError(
            f"{path}: expected the columns {', '.join(COLUMNS)}; found {', '.join(found) or 'none'}"
        )
    for row in reader:
        if None in row or None in row.values():
            raise ConfigError(f"{path}, line {reader.line_num}: not {len(COLUMNS)} columns")
        try:
            yield to_row(row)
        except ValueError as error:
            raise ConfigError(f"{path}, line {reader.line_num}: {error}") from None
