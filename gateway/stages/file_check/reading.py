"""A file of people as offices keep them -> claims, line by line; what is no person is passed over and counted.

Codes stay as written, also those that a spreadsheet has shortened: the judge says what became of them.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.bdtx.sheet_lines import ANY_ENCODING
from gateway.bdtx.sheets import NoHeadings, Row, Sheet, fold, parse_sheet, read_day
from gateway.model.completion import Claim, Role
from gateway.model.errors import ConfigError

MAX_ROWS = 50_000
MAX_BYTES = 16 * 1024 * 1024
_CELL = 500  # characters of a cell that are kept

_DATA: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("headings.toml").read_text("utf-8"))
COLUMNS: Mapping[str, Sequence[str]] = _DATA["columns"]
# What must be there, the usual first: a name in one column or two, a sector or a personal number.
_REQUIRED = (
    ("identifier", "full_name"),
    ("identifier", "given_name"),
    ("personal_number", "full_name"),
    ("personal_number", "given_name"),
)
_STARTS = tuple(fold(words) for words in _DATA["passed_over"]["starts"])
_SAMPLES = tuple(fold(words) for words in _DATA["passed_over"]["samples"])
_ROLES = {fold(word): Role(role) for role, words in _DATA["roles"].items() for word in words}
_COLUMN_NUMBER = re.compile(r"\(?(\d{1,2})\)?")


class FileRefused(ConfigError):
    """`fault` is a key of texts: size, unreadable, headings, nobody or rows."""

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One line that says a person. `cells` are the file's own, in its order."""

    line: int
    cells: Sequence[str]
    claim: Claim


@dataclass(frozen=True, slots=True)
class PeopleFile:
    """What was read. `passed_over`: how many lines were no person, by kind (`total`, `sample`, `numbering`)."""

    headings: Sequence[str]
    rows: Sequence[PersonRow]
    passed_over: Mapping[str, int] = field(default_factory=dict)


def read_people(content: bytes, name: str) -> PeopleFile:
    """Raises: FileRefused when it is no such file, too large or has no person in it."""
    if len(content) > MAX_BYTES:
        raise FileRefused("size", f"{name}: larger than {MAX_BYTES // 1024 // 1024} MiB; split the file")
    sheet = _sheet(content, name)
    passed_over: Counter[str] = Counter()
    width = max([len(sheet.headings), *(len(row.all) for row in sheet.rows)])
    has_split_name = _has_name_under_merged_heading(sheet)
    rows = []
    for place, row in enumerate(sheet.rows):
        if kind := _is_no_person(row, is_first=place == 0):
            passed_over[kind] += 1
            continue
        cells = [cell[:_CELL] for cell in (*row.all, *[""] * (width - len(row.all)))]
        rows.append(PersonRow(row.line, cells, _claim(row, sheet, has_split_name)))
    if not rows:
        raise FileRefused("nobody", f"{name}: there is no person below the headings")
    if len(rows) > MAX_ROWS:
        raise FileRefused("rows", f"{name}: {len(rows)} people; at most {MAX_ROWS} in one file")
    headings = [*sheet.headings, *[""] * (width - len(sheet.headings))]
    return PeopleFile(headings, rows, passed_over)


def _sheet(content: bytes, name: str) -> Sheet:
    first: NoHeadings | None = None
    for required in _REQUIRED:
        try:
            return parse_sheet(content, name, COLUMNS, required, ANY_ENCODING)
        except NoHeadings as error:
            first = first or error
        except ConfigError as error:
            raise FileRefused("unreadable", str(error)) from None
    raise FileRefused("headings", str(first))


def _is_no_person(row: Row, *, is_first: bool) -> str | None:
    stated = [cell for cell in row.all if cell]
    if len(stated) > 2 and _counts_up(stated):
        return "numbering"
    if is_first and any(_starts(fold(cell), _SAMPLES) for cell in stated):
        return "sample"
    cells = row.cells
    is_named = cells["identifier"] or cells["personal_number"] or cells["birth_date"]
    if not is_named and stated and _starts(fold(stated[0]), _STARTS):
        return "total"
    return None


def _starts(text: str, words: Iterable[str]) -> bool:
    return any(text == word or text.startswith(word + " ") for word in words)


def _counts_up(cells: Sequence[str]) -> bool:
    """A line of column numbers below the headings: (1) (2) (3)."""
    numbers = [match for cell in cells if (match := _COLUMN_NUMBER.fullmatch(cell))]
    values = [int(match[1]) for match in numbers]
    return len(values) == len(cells) and values == list(range(values[0], values[0] + len(values)))


def _has_name_under_merged_heading(sheet: Sheet) -> bool:
    """“Họ và tên” merged over two columns: the one on the right has no heading, and single words in it."""
    place = _place_of("full_name", sheet)
    if place is None or place + 1 >= len(sheet.headings) or sheet.headings[place + 1]:
        return False
    right = [row.all[place + 1] for row in sheet.rows if len(row.all) > place + 1 and row.all[place + 1]]
    return len(right) * 2 > len(sheet.rows) and all(text.replace("'", "").isalpha() for text in right)


def _place_of(field: str, sheet: Sheet) -> int | None:
    folded = {fold(heading) for heading in (field, *COLUMNS[field])}
    return next((n for n, heading in enumerate(sheet.headings) if fold(heading) in folded), None)


def _claim(row: Row, sheet: Sheet, has_split_name: bool) -> Claim:
    cells = {name: text[:_CELL] for name, text in row.cells.items()}
    born = read_day(cells["birth_date"])
    given = cells["given_name"]
    if has_split_name:
        place = (_place_of("full_name", sheet) or 0) + 1
        given = row.all[place] if place < len(row.all) else ""
    return Claim(
        lms_user_id=str(row.line),
        identifier=cells["identifier"] or cells["personal_number"] or None,
        full_name=f"{cells['full_name']} {given}".strip() or None,
        birth_date=born,
        birth_date_sent=None if born else cells["birth_date"] or None,
        unit_code=cells["unit_code"] or None,
        role=_ROLES.get(fold(cells["role"])),
    )
