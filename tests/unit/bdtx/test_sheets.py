"""Tables as people fill them in: headings, cells and forms of file."""

import io
import re
import unicodedata
import zipfile
from datetime import date

import pytest
import xlsxwriter

from gateway.bdtx.sheet_lines import ANY_ENCODING
from gateway.bdtx.sheets import fold, parse_sheet, read_day
from gateway.model.errors import ConfigError

COLUMNS = {"code": ("Mã trường", "Mã"), "name": ("Tên trường",), "valid_from": ("Từ ngày",)}


def parsed(text: str, **kinds: str) -> list[tuple[int, dict[str, str]]]:
    sheet = parse_sheet(text.encode(kinds.get("encoding", "utf-8")), "f.csv", COLUMNS, ("code", "name"))
    return [(row.line, dict(row.cells)) for row in sheet.rows]


def workbook(rows: list[list[object]], dates: frozenset[int] = frozenset()) -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        sheet = book.add_worksheet()
        for r, row in enumerate(rows):
            for c, value in enumerate(row):
                if isinstance(value, date):
                    sheet.write_datetime(r, c, value, day)
                else:
                    sheet.write(r, c, value)
    return content.getvalue()


def test_headings_are_found_by_their_folded_text_in_any_order():
    """Case, marks, line breaks and a title above them do not matter; other columns are named, not used."""
    text = 'DANH SÁCH TRƯỜNG\n\nGhi chú;"TÊN\nTRƯỜNG";MA TRUONG\nx;THCS An Đồng;01312501\n'
    sheet = parse_sheet(text.encode("utf-8-sig"), "f.csv", COLUMNS, ("code", "name"))
    assert [(row.line, dict(row.cells)) for row in sheet.rows] == [
        (5, {"code": "01312501", "name": "THCS An Đồng", "valid_from": ""})
    ]
    assert sheet.unknown == ("Ghi chú",)
    assert sheet.found == {"code", "name"}


def test_empty_rows_and_repeated_headings_are_no_rows():
    """Files put together from pages repeat their headings."""
    assert [line for line, _ in parsed("Mã,Tên trường\n1,A\n,\nMã,Tên trường\n2,B\n")] == [2, 5]


def test_a_missing_column_is_told_by_its_usual_heading():
    """Whoever filled in the file reads which heading to add."""
    with pytest.raises(ConfigError, match="name \\(Tên trường\\)"):
        parsed("Mã\n1\n")


def test_text_that_is_not_utf8_is_refused_not_repaired():
    """A lossy code page cannot be undone."""
    with pytest.raises(ConfigError, match="UTF-8"):
        parsed("Mã,Tên trường\n1,Trường\n", encoding="utf-16")


def test_a_workbook_gives_text_whatever_its_name_says():
    """Codes typed as text keep their zeros, numbers lose `.0`, dates are dates."""
    content = workbook(
        [["Mã", "Tên trường", "Từ ngày"], ["01312501", "Hoà", date(2025, 7, 1)], [31312501, "B", 45839]]
    )
    rows = parse_sheet(content, "f.csv", COLUMNS, ("code", "name")).rows
    assert [tuple(row.cells.values()) for row in rows] == [
        ("01312501", "Hoà", "2025-07-01"),
        ("31312501", "B", "45839"),
    ]
    assert read_day("45839") == date(2025, 7, 1)


def test_a_workbook_that_declares_a_wrong_size_is_read_whole():
    """Exports of the sector database say A1:B2 over thousands of rows."""
    content = workbook([["Mã", "Tên trường"], *[[f"{n:08}", f"T{n}"] for n in range(300)]])
    shrunk = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(shrunk, "w") as after:
        for item in before.namelist():
            data = before.read(item)
            if item.endswith("sheet1.xml"):
                data = re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:B2"', data)
            after.writestr(item, data)
    assert len(parse_sheet(shrunk.getvalue(), "f.xlsx", COLUMNS, ("code", "name")).rows) == 300


def test_a_damaged_workbook_is_no_crash():
    """A cut download is told as what it is."""
    with pytest.raises(ConfigError, match="not a readable workbook"):
        parse_sheet(b"PK\x03\x04 and then nothing", "f.xlsx", COLUMNS, ("code",))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-07-01", date(2025, 7, 1)),
        ("1/7/2025", date(2025, 7, 1)),
        ("01.07.2025", date(2025, 7, 1)),
        ("1-7-2025", date(2025, 7, 1)),
        ("45839", date(2025, 7, 1)),
        ("31/02/2025", None),
        ("7/2025", None),
        ("2025", None),
        ("hôm nay", None),
        ("", None),
    ],
)
def test_dates_are_day_first_or_iso(text, day):
    """A day before a month, as everybody here writes it; what is unclear is no date."""
    assert read_day(text) == day


def test_folding_makes_spellings_of_one_heading_equal():
    """NFD, đ and punctuation are spellings only."""
    assert fold("Mã  định-danh (*)") == fold("Ma\u0303 dinh danh") == "ma dinh danh"


def test_headings_may_stand_in_two_rows_under_merged_cells():
    """Merged upwards or downwards, needed columns or others: each column has the heading a reader sees."""
    upper = [["DANH SÁCH"], ["STT", "Trường", "", "Từ ngày"], ["", "Mã trường", "Tên trường", ""]]
    lower = [["Mã", "Tên trường", "Hiệu lực", ""], ["", "", "Từ ngày", "Đến ngày"]]
    found = parse_sheet(
        workbook([*upper, [1, "01312501", "A", "1/7/2025"]]), "f.xlsx", COLUMNS, ("code", "name")
    )
    assert [tuple(row.cells.values()) for row in found.rows] == [("01312501", "A", "1/7/2025")]
    found = parse_sheet(
        workbook([*lower, ["01312501", "A", "1/7/2025", ""]]), "f.xlsx", COLUMNS, ("code", "name")
    )
    assert [tuple(row.cells.values()) for row in found.rows] == [("01312501", "A", "1/7/2025")]
    assert found.headings == ("Mã", "Tên trường", "Từ ngày", "Đến ngày")


def test_the_table_may_stand_on_another_sheet():
    """A sheet of instructions in front of it does not matter; a hidden one is never taken."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        book.add_worksheet("Hướng dẫn").write(0, 0, "Điền theo mẫu")
        for name, code in (("Cũ", "1"), ("Danh sách", "2")):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["Mã", "Tên trường"])
            sheet.write_row(1, 0, [code, "A"])
            if name == "Cũ":
                sheet.hide()
    assert [
        row.cells["code"] for row in parse_sheet(content.getvalue(), "f.xlsx", COLUMNS, ("code",)).rows
    ] == ["2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1258"])
def test_where_it_is_allowed_text_is_read_in_any_encoding_it_was_saved_in(encoding):
    """“Unicode text” and the ANSI form of a Vietnamese Windows lose nothing, so both can be read."""
    text = "Mã;Tên trường\n1;Trường Nguyễn Ái Quốc\n"
    if encoding == "cp1258":  # which writes marks as signs of their own
        text = "".join(
            c
            if _fits(c)
            else unicodedata.normalize("NFD", c)
            if _fits(unicodedata.normalize("NFD", c))
            else _split(c)
            for c in text
        )
    sheet = parse_sheet(text.encode(encoding), "f.csv", COLUMNS, ("code", "name"), ANY_ENCODING)
    assert sheet.rows[0].cells["name"] == "Trường Nguyễn Ái Quốc"


def _fits(text: str) -> bool:
    try:
        return bool(text.encode("cp1258"))
    except UnicodeEncodeError:
        return False


def _split(char: str) -> str:
    """ễ -> ê and a tone: the code page has the letter and the tone, not both in one."""
    base, *marks = unicodedata.normalize("NFD", char)
    shape, tone = [m for m in marks if m in "\u0302\u0306\u031b"], [m for m in marks if m in _TONES]
    return unicodedata.normalize("NFC", base + "".join(shape)) + "".join(tone)


_TONES = "\u0300\u0301\u0303\u0309\u0323"


def test_a_workbook_that_would_fill_the_memory_is_refused():
    """One cell in the last corner makes a reader ask for room for 17 thousand million."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Mã", "Tên trường"])
        sheet.write(1_048_575, 16_383, "x")
    with pytest.raises(ConfigError, match="far outside"):
        parse_sheet(content.getvalue(), "f.xlsx", COLUMNS, ("code",))
