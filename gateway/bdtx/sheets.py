"""Tables that people fill in: .csv, .xlsx or .xls -> rows of text under known headings, line by line.

Headings are matched by their folded text, in Vietnamese or English, in any order, within the first 40 lines, in
one row or over two or three (merged cells); a heading row repeated further down is passed over.
Source: contracts/units/README.md.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from unicodedata import combining, normalize

from gateway.bdtx.sheet_lines import UTF8, Line, read_tables
from gateway.model.errors import ConfigError

SCANNED = 40  # a title, a note and an empty line or two stand above the headings
MAX_BYTES = 64 * 1024 * 1024
_HEADING_ROWS = 3
_SERIAL_DAY_0 = date(1899, 12, 30)
_SERIALS = range(20_000, 60_001)  # 1954 to 2064; smaller numbers in a date column are no dates
_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")

Columns = Mapping[str, Sequence[str]]  # field -> the headings it may have
Places = Mapping[int, str]  # column -> field


class NoHeadings(ConfigError):
    """It is a table, but not one with the columns that are needed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file. `cells` holds every known field, empty text where nothing is written.

    `all` is the whole line as written, tidied.
    """

    line: int
    cells: Mapping[str, str]
    all: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was read. `unknown` are headings that no field has, `headings` all as written, by column."""

    rows: Sequence[Row]
    found: frozenset[str]
    unknown: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row is left out. `code` is a text key, `units.CODE` or `users.CODE`, that says cause and remedy."""

    line: int
    field: str
    code: str
    value: str = ""  # what the cell says, where that may be repeated: never a person's name


def read_sheet(path: Path, columns: Columns, required: Iterable[str]) -> Sheet:
    """The table of a file. Raises: ConfigError when it is none or lacks a required column."""
    return parse_sheet(read_file(path), path.name, columns, required)


def read_file(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a file somebody named. Raises: ConfigError when it cannot be read or is too large."""
    try:
        if path.stat().st_size > max_bytes:
            raise ConfigError(f"{path.name}: larger than {max_bytes // 1024 // 1024} MiB; split the file")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def parse_sheet(
    content: bytes, name: str, columns: Columns, required: Iterable[str], encodings: Sequence[str] = UTF8
) -> Sheet:
    """The first table in it that has the required columns. Raises: NoHeadings, ConfigError."""
    wanted = tuple(required)
    missing: NoHeadings | None = None
    for lines in read_tables(content, name, encodings):
        try:
            return _table(lines, name, columns, wanted)
        except NoHeadings as error:
            missing = missing or error
    raise missing or ConfigError(f"{name}: there is nothing in it")


def read_day(text: str) -> date | None:
    """A cell of a date column: 2025-07-01, 1/7/2025 (day first; also . and -) or a spreadsheet's serial."""
    stated = _DAY_FIRST.fullmatch(text)
    try:
        if stated:
            return date(int(stated[3]), int(stated[2]), int(stated[1]))
        if text.isdecimal() and int(text) in _SERIALS:
            return _SERIAL_DAY_0 + timedelta(days=int(text))
        return datetime.fromisoformat(text).date() if len(text) >= len("2025-07-01") else None
    except ValueError:
        return None


@lru_cache(4096)
def fold(text: str) -> str:
    """Lower case without marks, đ, punctuation or extra space: spellings of one heading compare equal."""
    bare = "".join(sign for sign in normalize("NFKD", text.casefold()) if not combining(sign)).replace("đ", "d")
    return " ".join(re.findall(r"[^\W_]+", bare))


def _table(lines: Iterator[Line], name: str, columns: Columns, wanted: Sequence[str]) -> Sheet:
    known = {fold(heading): field for field, headings in columns.items() for heading in (field, *headings)}
    above: list[list[str]] = []
    for number, cells in lines:
        above.append(cells)
        headings = _fullest(above, known)
        if set(wanted) <= set(_places(headings, known).values()):
            headings, lines = _with_lower_row(headings, lines, known, wanted)
            places = _places(headings, known)
            unknown = tuple(cell for place, cell in enumerate(headings) if cell and place not in places)
            rows = tuple(_rows(lines, places, columns))
            return Sheet(rows, frozenset(places.values()), unknown, tuple(headings))
        if number >= SCANNED:
            break
    seen = {known.get(fold(cell)) for cells in above for cell in cells}
    missing = [field for field in wanted if field not in seen]
    told = ", ".join(f"{field} ({columns[field][0]})" for field in missing or wanted)
    raise NoHeadings(f"{name}: in the first {SCANNED} lines there is no row of headings with {told}")


def _fullest(above: Sequence[Sequence[str]], known: Mapping[str, str]) -> list[str]:
    """The headings of the last row, or of it and one or two above, whichever has the most that are known."""
    heights = range(1, min(_HEADING_ROWS, len(above)) + 1)
    return max((_merged(above[-h:], known) for h in heights), key=lambda found: len(_places(found, known)))


def _merged(rows: Sequence[Sequence[str]], known: Mapping[str, str]) -> list[str]:
    """One heading for each column: the lowest that is known, or else the lowest that is written."""
    headings = []
    for place in range(max(len(cells) for cells in rows)):
        written = [cells[place] for cells in reversed(rows) if place < len(cells) and cells[place]]
        headings.append(next((text for text in written if fold(text) in known), written[0] if written else ""))
    return headings


def _with_lower_row(
    headings: list[str], lines: Iterator[Line], known: Mapping[str, str], wanted: Sequence[str]
) -> tuple[list[str], Iterator[Line]]:
    """A row of headings below merged ones belongs to them: it says nothing where the needed columns stand."""
    following = next(lines, None)
    if following is None:
        return headings, lines
    cells = following[1]
    needed = [place for place, field in _places(headings, known).items() if field in wanted]
    says_nothing = not any(cells[place] for place in needed if place < len(cells))
    if says_nothing and any(fold(cell) in known for cell in cells):
        return _merged([headings, cells], known), lines
    return headings, chain([following], lines)


def _places(headings: Sequence[str], known: Mapping[str, str]) -> dict[int, str]:
    places: dict[int, str] = {}
    for place, heading in enumerate(headings):
        field = known.get(fold(heading))
        if field is not None and field not in places.values():  # of two columns with one heading the first
            places[place] = field
    return places


def _rows(lines: Iterator[Line], places: Places, columns: Columns) -> Iterator[Row]:
    headings = {fold(heading) for field, several in columns.items() for heading in (field, *several)}
    for number, cells in lines:
        read = dict.fromkeys(columns, "")
        for place, field in places.items():
            read[field] = cells[place] if place < len(cells) else ""
        stated = [text for text in read.values() if text]
        if stated and not (len(stated) > 1 and all(fold(text) in headings for text in stated)):
            yield Row(number, read, cells)
