"""Files of people as offices keep them: every way of getting one wrong that was seen, read or told."""

import io
from datetime import date
from pathlib import Path

import pytest
import xlsxwriter

from gateway.identity.damage import is_damaged
from gateway.model.completion import Role
from gateway.stages.file_check import reading
from gateway.stages.file_check.reading import FileRefused, read_people

SAMPLES = Path(__file__).parent / "samples"
HEAD = ["STT", "Họ và tên", "Ngày sinh", "Mã định danh"]


def workbook(*rows: list[object]) -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet, day = book.add_worksheet(), book.add_format({"num_format": "dd/mm/yyyy"})
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                if isinstance(cell, date):
                    sheet.write_datetime(r, c, cell, day)
                elif cell is not None:
                    sheet.write(r, c, cell)
    return content.getvalue()


def people(content: bytes) -> list[tuple]:
    """(line, identifier, name, birth date) of each person read."""
    return [
        (row.line, row.claim.identifier, row.claim.full_name, row.claim.birth_date)
        for row in read_people(content, "f").rows
    ]


def test_a_workbook_with_a_title_numbers_and_dates():
    """Codes typed as numbers lose no digit that is there, dates are dates as cells, serials and text."""
    content = workbook(
        ["DANH SÁCH GIÁO VIÊN"],
        [],
        HEAD,
        [1, "Nguyễn Thị Hòa", date(1985, 3, 12), 3312345678],
        [2, "Trần Văn Bình", 31118, "0112345678"],
        [3, "Lê An", "5.6.1990", 112345678.0],
    )
    assert people(content) == [
        (4, "3312345678", "Nguyễn Thị Hòa", date(1985, 3, 12)),
        (5, "0112345678", "Trần Văn Bình", date(1985, 3, 12)),
        (6, "112345678", "Lê An", date(1990, 6, 5)),  # the lost zero is for the judge to tell
    ]


def test_an_old_xls_file_is_read():
    """Made by a program of 2003: merged title, a line break in a heading, a number for a code."""
    assert people((SAMPLES / "people.xls").read_bytes()) == [
        (4, "3312345678", "Nguyễn Thị Hòa", date(1985, 3, 12)),
        (5, "0112345678", "Trần Văn Bình", date(1990, 6, 5)),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_files_in_the_ways_excel_saves_them(encoding, delimiter):
    """Whatever the delimiter and encoding, marks and leading zeros come through."""
    lines = [HEAD, ["1", "Nguyễn Thị Hòa", "12/03/1985", "0112345678"]]
    text = "\r\n".join(delimiter.join(cells) for cells in lines)
    assert people(text.encode(encoding)) == [(2, "0112345678", "Nguyễn Thị Hòa", date(1985, 3, 12))]


@pytest.mark.parametrize(
    "headings",
    [
        "Mã định danh Bộ GD&ĐT,HỌ VÀ TÊN,Ngày tháng năm sinh",
        "ma dinh danh,ho ten,ngay sinh",
        "Mã CBGVNV,Họ tên,NTNS",
        "sector id,full name,date of birth",
        "M· ®Þnh danh,Hä vµ tªn,Ngµy sinh",
        "Maõ ñònh danh,Hoï vaø teân,Ngaøy sinh",
    ],
)
def test_headings_in_many_spellings(headings):
    """Vietnamese and English, with and without marks, and in the fonts of before Unicode."""
    content = f"{headings}\n3312345678,Nguyễn An,12/03/1985\n".encode()
    assert people(content) == [(2, "3312345678", "Nguyễn An", date(1985, 3, 12))]


def test_text_in_an_old_font_is_read_and_seen_to_be_damaged():
    """A file typed in TCVN3 and saved as ANSI: its headings are found, its names kept as they came."""
    content = "M· ®Þnh danh,Hä vµ tªn\n3312345678,NguyÔn ThÞ Hßa\n".encode("cp1252")
    [(_, identifier, name, _)] = people(content)
    assert identifier == "3312345678"
    assert is_damaged(name)


def test_what_is_no_person_is_passed_over_and_counted():
    """Column numbers, a sample, totals, signatures, empty lines and repeated headings."""
    content = workbook(
        HEAD,
        ["(1)", "(2)", "(3)", "(4)"],
        [1, "Nguyễn Thị Hòa", "12/03/1985", "3312345678"],
        [None, None, None, None],
        HEAD,
        [2, "Trần Văn Bình", "5/6/1990", "3312345679"],
        ["Tổng cộng: 2 người"],
        [None, "Người lập biểu"],
    )
    found = read_people(content, "f")
    assert [row.line for row in found.rows] == [3, 6]
    assert found.passed_over == {
        "numbering": 1,
        "total": 1,
    }  # the line of totals says nothing in a known column


def test_a_sample_line_is_passed_over_only_below_the_headings():
    """“VD” in the first line is the form's own example."""
    sample = ["VD", "Nguyễn Văn A", "01/01/1980", "0123456789"]
    found = read_people(workbook(HEAD, sample, [1, "Lê An", "5/6/1990", "3312345678"]), "f")
    assert ([row.line for row in found.rows], found.passed_over) == ([3], {"sample": 1})


def test_a_person_without_a_code_stays_in_the_list():
    """Whoever has no identifier yet is what the check is for, also one called Tổng."""
    content = workbook(HEAD, [1, "Lê An", "5/6/1990", None], ["Tổng", "Tổng Văn Bê", "5/6/1990", "3312345678"])
    assert [row[1] for row in people(content)] == [None, "3312345678"]


def test_names_in_two_columns_are_put_together():
    """With headings of their own, or under one merged heading."""
    own = workbook(["Họ và tên đệm", "Tên", "Mã định danh"], ["Nguyễn Thị", "Hòa", "3312345678"])
    merged = workbook(["Họ và tên", None, "Mã định danh"], *[["Nguyễn Thị", "Hòa", "3312345678"]] * 2)
    assert people(own)[0][2] == people(merged)[0][2] == "Nguyễn Thị Hòa"


def test_a_note_beside_the_name_is_no_part_of_it():
    """A column without heading is taken for a given name only when single words stand in all of it."""
    rows = [["Nguyễn Thị Hòa", "chuyển đến 2024", "3312345678"], ["Lê An", "", "3312345679"]]
    assert people(workbook(["Họ và tên", None, "Mã định danh"], *rows))[0][2] == "Nguyễn Thị Hòa"


def test_a_personal_number_stands_in_where_there_is_no_sector_code():
    """By the column's own heading, or for the one person without the other."""
    only = workbook(["Họ tên", "Số CCCD"], ["Lê An", "031085001234"])
    both = workbook(["Họ tên", "Mã định danh", "CCCD"], ["Lê An", "", "031085001234"], ["B", "33", "1"])
    assert people(only)[0][1] == people(both)[0][1] == "031085001234"
    assert people(both)[1][1] == "33"


def test_unit_role_and_an_unreadable_date_are_kept():
    """The judge is told what the file says, and a date that is none is kept as written."""
    content = workbook(
        [*HEAD, "Mã trường", "Vai trò"], [1, "Lê An", "tháng 5/1990", "3312345678", "01312501", "Giáo viên"]
    )
    [row] = read_people(content, "f").rows
    claim = row.claim
    assert (claim.birth_date, claim.birth_date_sent) == (None, "tháng 5/1990")
    assert (claim.unit_code, claim.role) == ("01312501", Role.TEACHER)
    assert row.cells == ["1", "Lê An", "tháng 5/1990", "3312345678", "01312501", "Giáo viên"]


@pytest.mark.parametrize(
    ("content", "fault", "error"),
    [
        (b"Ho ten\nLe An\n", "headings", "identifier"),
        (b"x", "headings", "headings"),
        (b"", "headings", "headings"),
        (b"Ma dinh danh,Ho ten\n", "nobody", "no person"),
        (b"PK\x03\x04 cut", "unreadable", "not a readable workbook"),
        (b"x" * (reading.MAX_BYTES + 1), "size", "16 MiB"),
    ],
)
def test_what_is_no_such_file_is_told(content, fault, error):
    """One sentence says what is missing; nothing of the file is repeated."""
    with pytest.raises(FileRefused, match=error) as refused:
        read_people(content, "f")
    assert refused.value.fault == fault


def test_a_file_without_names_is_refused():
    """An identifier alone proves nothing: the name must stand beside it."""
    with pytest.raises(FileRefused, match="full_name"):
        read_people(b"Ma dinh danh\n3312345678\n", "f")


def test_the_limit_of_rows_is_told(monkeypatch):
    """One more than allowed is refused as a whole, with both figures."""
    monkeypatch.setattr(reading, "MAX_ROWS", 2)
    lines = "".join(f"331234567{n},Le An\n" for n in range(3))
    with pytest.raises(FileRefused, match="3 people; at most 2"):
        read_people(f"Ma dinh danh,Ho ten\n{lines}".encode(), "f")
