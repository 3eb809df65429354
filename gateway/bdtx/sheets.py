"""Tables that people fill in: .csv, .xlsx or .xls -> rows of text under known headings, line by line.

Headings are matched by their folded text, in Vietnamese or English, in any order, within the first 40 lines;
a heading row repeated further down is passed over. Source: contracts/units/README.md.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from io import BytesIO, StringIO
from pathlib import Path
from unicodedata import combining, normalize

from gateway.model.errors import ConfigError

SCANNED = 40  # a title, a note and an empty line or two stand above the headings
MAX_BYTES = 64 * 1024 * 1024
_SERIAL_DAY_0 = date(1899, 12, 30)
_SERIALS = range(20_000, 60_001)  # 1954 to 2064; smaller numbers in a date column are no dates
_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_SPREADSHEET_NUMBER = re.compile(r"(\d+)\.0+")

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx, .xls

Columns = Mapping[str, Sequence[str]]  # field -> the headings it may have


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file. `cells` holds every known field, empty text where nothing is written."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was read. `unknown` are headings that no field has."""

    rows: Sequence[Row]
    found: frozenset[str]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row is left out. `code` is a text key, `units.CODE` or `users.CODE`, that says cause and remedy."""

    line: int
    field: str
    code: str
    value: str = ""  # what the cell says, where that may be repeated: never a person's name


def read_sheet(path: Path, columns: Columns, required: Iterable[str]) -> Sheet:
    """The first sheet of a file. Raises: ConfigError when it is no table or lacks a required column."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path.name}: larger than {MAX_BYTES // 1024 // 1024} MiB; split the file")
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    return parse_sheet(content, path.name, columns, required)


def parse_sheet(content: bytes, name: str, columns: Columns, required: Iterable[str]) -> Sheet:
    """The same of bytes; a workbook is known by its first bytes, whatever its name says."""
    lines = (
        _workbook(content, name) if content[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0") else _csv(content, name)
    )
    known = {fold(heading): field for field, headings in columns.items() for heading in (field, *headings)}
    wanted = tuple(required)
    above: list[str] = []
    for number, cells in lines:
        places: dict[int, str] = {}
        for place, cell in enumerate(cells):
            field = known.get(fold(cell))
            if field is not None and field not in places.values():  # of two columns with one heading the first
                places[place] = field
        if set(wanted) <= set(places.values()):
            unknown = tuple(cell for place, cell in enumerate(cells) if cell and place not in places)
            return Sheet(tuple(_rows(lines, places, columns)), frozenset(places.values()), unknown)
        above += [cell for cell in cells if cell]
        if number >= SCANNED:
            break
    missing = [field for field in wanted if field not in {known.get(fold(cell)) for cell in above}]
    told = ", ".join(f"{field} ({columns[field][0]})" for field in missing or wanted)
    raise ConfigError(f"{name}: in the first {SCANNED} lines there is no row of headings with {told}")


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


def _rows(lines: Iterator[tuple[int, list[str]]], places: Mapping[int, str], columns: Columns) -> Iterator[Row]:
    headings = {fold(heading) for field, several in columns.items() for heading in (field, *several)}
    for number, cells in lines:
        read = dict.fromkeys(columns, "")
        for place, field in places.items():
            read[field] = cells[place] if place < len(cells) else ""
        stated = [text for text in read.values() if text]
        if stated and not (len(stated) > 1 and all(fold(text) in headings for text in stated)):
            yield Row(number, read)


def _csv(content: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: the text is not UTF-8; save it as “CSV UTF-8”, or send the .xlsx") from None
    head = text[:4096]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            yield reader.line_num, [_tidy(cell) for cell in cells]
    except csv.Error as error:
        raise ConfigError(f"{name}: line {reader.line_num} is no CSV ({error})") from None


def _workbook(content: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    from python_calamine import CalamineError, CalamineWorkbook  # only when a workbook is read

    try:
        sheet = CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError, IndexError) as error:
        raise ConfigError(f"{name}: not a readable workbook ({type(error).__name__})") from None
    for number, cells in enumerate(rows, start=1):
        yield number, [_cell(cell) for cell in cells]


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return _tidy(str(value))


def _tidy(text: str) -> str:
    """NFC, one space for any, and the `.0` that a spreadsheet puts behind a code taken away."""
    tidy = " ".join(normalize("NFC", text).replace("\u200b", "").replace("\ufeff", "").split())
    number = _SPREADSHEET_NUMBER.fullmatch(tidy)
    return number[1] if number else tidy
