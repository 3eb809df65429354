"""Bytes of a .csv, .xlsx or .xls -> its tables, each as numbered lines of text cells; nothing is repaired.

A file may hold several: every sheet of a workbook, and a text in each encoding that it could be in. Who reads
takes the first in which the headings are found (bdtx/sheets.py).
"""

import csv
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from io import BytesIO, StringIO
from typing import TYPE_CHECKING
from unicodedata import normalize

from gateway.model.errors import ConfigError

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

Line = tuple[int, list[str]]

UTF8 = ("utf-8-sig",)
# What Windows programs here have saved over the years. 1252 is what files in TCVN3 or VNI fonts really are.
ANY_ENCODING = (*UTF8, "utf-16", "cp1258", "cp1252")

_XLSX, _XLS = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MAX_UNPACKED = 512 * 1024 * 1024
_MAX_CELLS = 20_000_000  # of the smallest rectangle around all cells: the reader makes room for each
_REFERENCE = re.compile(rb'<c r="([A-Z]{1,3})([0-9]{1,7})"')
_SPREADSHEET_NUMBER = re.compile(r"(\d+)\.0+")


def read_tables(content: bytes, name: str, encodings: Sequence[str] = UTF8) -> Iterator[Iterator[Line]]:
    """The tables of a file, the likeliest first; a workbook is known by its first bytes.

    Raises: ConfigError when it is none of the kinds, or larger inside than it may be.
    """
    if content[:4] in (_XLSX, _XLS):
        yield from _workbook(content, name)
        return
    texts = list(_texts(content, encodings))
    if not texts:
        raise ConfigError(f"{name}: the text is not UTF-8; save it as “CSV UTF-8”, or send the .xlsx")
    for text in texts:
        yield _csv(text, name)


def tidy(text: str) -> str:
    """NFC, one space for any, and the `.0` that a spreadsheet puts behind a code taken away."""
    tidy = " ".join(normalize("NFC", text).replace("\u200b", "").replace("\ufeff", "").split())
    number = _SPREADSHEET_NUMBER.fullmatch(tidy)
    return number[1] if number else tidy


def _texts(content: bytes, encodings: Sequence[str]) -> Iterator[str]:
    for encoding in encodings:
        if (encoding == "utf-16") != content.startswith(_UTF16) and encoding not in UTF8:
            continue
        try:
            yield content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding in UTF8:  # text that reads as UTF-8 is UTF-8
            return


def _csv(text: str, name: str) -> Iterator[Line]:
    head = text[:4096]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            yield reader.line_num, [tidy(cell) for cell in cells]
    except csv.Error as error:
        raise ConfigError(f"{name}: line {reader.line_num} is no CSV ({error})") from None


def _workbook(content: bytes, name: str) -> Iterator[Iterator[Line]]:
    from python_calamine import (
        CalamineError,
        CalamineWorkbook,
        SheetVisibleEnum,
    )  # only when a workbook is read

    try:
        _refuse_bombs(content, name)
        book = CalamineWorkbook.from_filelike(BytesIO(content))
        visible = [sheet.name for sheet in book.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
        for sheet in visible or book.sheet_names:
            yield _sheet(book, sheet)
    except (CalamineError, OSError, ValueError, IndexError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{name}: not a readable workbook ({type(error).__name__})") from None


def _sheet(book: "CalamineWorkbook", sheet: str) -> Iterator[Line]:
    rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    for number, cells in enumerate(rows, start=1):
        yield number, [_cell(cell) for cell in cells]


def _refuse_bombs(content: bytes, name: str) -> None:
    """A small file can unpack into one that fills the memory, and one cell far out does so as well."""
    if content[:4] != _XLSX:
        return  # .xls cannot say more than 65 536 rows of 256 cells
    with zipfile.ZipFile(BytesIO(content)) as parts:
        if sum(part.file_size for part in parts.infolist()) > _MAX_UNPACKED:
            raise ConfigError(f"{name}: too large when unpacked; split the file")
        for part in parts.namelist():
            if not part.startswith("xl/worksheets/") or not part.endswith(".xml"):
                continue
            width, height = b"", 0
            for column, row in _REFERENCE.findall(parts.read(part)):
                width, height = max(width, column, key=lambda c: (len(c), c)), max(height, int(row))
            if _column(width) * height > _MAX_CELLS:
                raise ConfigError(f"{name}: a cell stands far outside the table; copy the table to a new sheet")


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return tidy(str(value))
