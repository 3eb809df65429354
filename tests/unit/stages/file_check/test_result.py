"""The file that goes back: the same rows, with reason and remedy in words, safe to open anywhere."""

import io
import zipfile

import pytest
from python_calamine import CalamineWorkbook

from gateway.bdtx.workbook import guarded
from gateway.model.completion import Claim
from gateway.model.reasons import explain
from gateway.model.roles import ELSEWHERE
from gateway.stages.file_check.judging import Outcome, RowResult, with_duplicates
from gateway.stages.file_check.reading import read_people
from gateway.stages.file_check.result import IMPORT_ROWS, TEXTS, counted, write_accounts, write_result
from tests.builders import NOON

FILE = (
    "STT,Họ tên,Mã định danh\n1,=cmd|' /C calc'!A0,3312345678\n2,Lê An,33\n3,Lê Bê,3312345678\n4,C,3300000000\n"
)
OWNER = {"vi": "Quản trị trường", "en": "School admin"}
RESULTS = [
    RowResult(2, Outcome.VERIFIED),
    RowResult(3, Outcome.HELD, (("format.length", {"n": 2}),), OWNER),
    RowResult(4, Outcome.DUPLICATE, first_line=2),
    RowResult(5, Outcome.ELSEWHERE),
]


def opened(content: bytes, sheet: int = 0) -> list[list[object]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(sheet).to_python()


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_each_bad_row_has_its_reason_and_remedy_beside_what_was_written(lang):
    """The person's columns come first and unchanged; a good row says only that it is good."""
    people = read_people(FILE.encode(), "f")
    _, head, *rows = opened(write_result(people, RESULTS, lang, NOON))
    assert head[:3] == ["STT", "Họ tên", "Mã định danh"]
    assert [row[3] for row in rows] == [
        TEXTS.get(f"outcome.{name}", lang) for name in ("verified", "held", "duplicate", "elsewhere")
    ]
    assert rows[0][4:] == ["", "", ""]
    assert tuple(rows[1][4:]) == (*explain("format.length", lang, n=2), OWNER[lang])
    assert "2" in rows[2][4]
    assert rows[3][4].startswith(ELSEWHERE[lang])
    assert all(row[5] for row in rows[1:])


def test_the_summary_counts_every_row():
    """Each kind in words, and all of them together."""
    rows = opened(write_result(read_people(FILE.encode(), "f"), RESULTS, "vi", NOON), sheet=1)[1:]
    assert rows[0] == ["Tổng số", 4]
    assert sum(n for _, n in rows[1:]) == 4


@pytest.mark.parametrize("text", ["=1+1", "+84", "-2", "@SUM(A1)", "\tx", "\rx", "\n=1"])
def test_no_cell_begins_like_a_formula(text):
    """Also after the file was saved as CSV and opened again, which makes text of formulas formulas."""
    assert guarded(text) == "'" + text
    assert guarded("a" + text) == "a" + text


def test_a_name_that_is_a_formula_stays_text_in_the_file():
    """What somebody put into an LMS profile does not run in an office."""
    cells = [row[1] for row in opened(write_result(read_people(FILE.encode(), "f"), RESULTS, "vi", NOON))[2:]]
    assert cells[0] == "'=cmd|' /C calc'!A0"


def test_rows_are_counted_by_what_is_to_be_done():
    """A held row under its first reason, others under what they are."""
    assert counted(RESULTS) == {"verified": 1, "format.length": 1, "duplicate": 1, "elsewhere": 1}


def test_a_result_survives_being_kept():
    """What a step has stored says the same to the process that goes on."""
    assert [RowResult.from_json(one.to_json()) for one in RESULTS] == RESULTS


def test_of_one_identifier_only_the_first_row_is_asked_about():
    """In any of its forms; a second guess at the same person is a duplicate, not a second look."""
    sent = ["0112345678", "112345678", "00112345678", " 0112-345-678", "031085001234", None, None, "3.3E+09"]
    asked = with_duplicates([(n, Claim(lms_user_id="-", identifier=text)) for n, text in enumerate(sent)])
    assert [one.first_line for one in asked] == [None, 0, 0, 0, None, None, None, None]


def test_import_files_hold_at_most_300_people_each():
    """TEMIS takes no more at a time; nobody is left out, and dates are written as its form wants them."""
    base = {
        "birth_date": "1985-03-12",
        "gender": "Nữ",
        "status": "x",
        "unit_code": "33000717",
        "unit_name": "T",
    }
    accounts = [{"full_name": f"A {n:03}", **base} for n in range(IMPORT_ROWS + 1)]
    with zipfile.ZipFile(io.BytesIO(write_accounts(accounts, "vi"))) as packed:
        sheets = {name: opened(packed.read(name)) for name in packed.namelist()}
    assert {name: len(rows) - 1 for name, rows in sheets.items()} == {
        "temis-001.xlsx": 300,
        "temis-002.xlsx": 1,
    }
    head, first = sheets["temis-001.xlsx"][:2]
    assert dict(zip(head, first, strict=True))["Ngày sinh"] == "12/03/1985"
    assert write_accounts([], "vi") is None
