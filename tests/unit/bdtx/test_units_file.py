"""A file of units against the tree as it is: what would be written, what is left out and why."""

from datetime import date

import pytest

from gateway.bdtx.sheets import parse_sheet
from gateway.bdtx.units import ALWAYS, DISTRICTS_END, Change, Edge, Level, Unit, Units
from gateway.bdtx.units_file import COLUMNS, REQUIRED, TEXTS, Plan, merged, plan_import
from gateway.model.texts import Texts
from gateway.sandbox.units_table import document
from tests.generated import ROOT, check

TODAY = date(2026, 11, 20)
HEAD = "code,name,level,parent,teaches,valid_from,valid_to,predecessors,successors,change\n"
TOP = "31,Sở Hải Phòng,Sở,,,,,,,\n11581,UBND phường An Dương,phường,31,,,,,,\n"


def planned(text: str, known: Units | None = None) -> Plan:
    sheet = parse_sheet((HEAD + text).encode(), "units.csv", COLUMNS, REQUIRED)
    return plan_import(sheet, known or Units(), TODAY)


def faults(text: str, known: Units | None = None) -> list[tuple[int, str, str]]:
    return [(fault.line, fault.field, fault.code) for fault in planned(text, known).faults]


def test_the_sample_in_the_contract_is_the_sandbox_and_has_no_fault():
    """Whoever starts with our example starts with one that works."""
    check("contracts/units/samples/units.csv", document())
    content = (ROOT / "contracts/units/samples/units.csv").read_bytes()
    plan = plan_import(parse_sheet(content, "units.csv", COLUMNS, REQUIRED), Units(), TODAY)
    assert (plan.faults, plan.notes) == ([], [])
    tree = merged(Units(), plan)
    assert [unit.level for unit in tree.path_at("31312401", TODAY)] == [
        Level.SCHOOL,
        Level.COMMUNE,
        Level.DEPARTMENT,
        Level.MINISTRY,
    ]


def test_the_same_file_again_changes_nothing():
    """An import may be repeated after a broken connection, or every month."""
    text = document().partition("\n")[2]
    sheet = parse_sheet(document().encode(), "units.csv", COLUMNS, REQUIRED)
    first = plan_import(sheet, Units(), TODAY)
    again = plan_import(sheet, merged(Units(), first), TODAY)
    assert again.is_empty
    assert again.same == len(first.new) == len(text.splitlines())


def test_one_bad_row_spoils_nothing_but_what_hangs_on_it():
    """The school under the unreadable commune has nowhere to hang; all others are taken."""
    plan = planned(
        TOP
        + "1159,UBND xã X,xã,31,,,,,,\n31312402,TH A,Trường,1159,TH,,,,,\n31312401,TH B,Trường,11581,TH,,,,,\n"
    )
    assert [(f.line, f.field, f.code) for f in plan.faults] == [
        (4, "code", "code_lost_zero"),
        (5, "parent", "parent_unknown"),
    ]
    assert [unit.code for unit in plan.new] == ["31", "11581", "31312401"]


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        (",Tên,Trường,11581,TH,,,,,", "code", "missing"),
        ("1312401,Tên,Trường,11581,TH,,,,,", "code", "code_lost_zero"),
        ("3.1E+07,Tên,Trường,11581,TH,,,,,", "code", "code_damaged"),
        ("Mã 5,Tên,Trường,11581,TH,,,,,", "code", "code_form"),
        ("31312401,,Trường,11581,TH,,,,,", "name", "missing"),
        ("31312401,Tên,Cụm,11581,TH,,,,,", "level", "level_unknown"),
        ("31312401,Tên,,11581,TH,,,,,", "level", "missing"),
        ("31312401,Tên,Trường,,TH,,,,,", "parent", "parent_missing"),
        ("31312401,Tên,Trường,99999,TH,,,,,", "parent", "parent_unknown"),
        ("31312401,Tên,Trường,11581,đại học,,,,,", "teaches", "teaches_unknown"),
        ("31312401,Tên,Trường,11581,TH,31/02/2025,,,,", "valid_from", "date_form"),
        ("31312401,Tên,Trường,11581,TH,2026-01-02,2026-01-01,,,", "valid_to", "ends_before_it_begins"),
        ("312,Phòng,Phòng,31,,2025-08-01,,,,", "valid_to", "district_late"),
        ("11582,Xã,xã,11581,,,,,,", "parent", "parent_below"),
        ("31312401,Tên,Trường,11581,TH,2026-01-01,,31312400,,", "change", "change_missing"),
        ("31312401,Tên,Trường,11581,TH,,,31312400,,đổi mã", "predecessors", "edge_without_day"),
        ("31312401,Tên,Trường,11581,TH,2026-01-01,,31312401,,đổi mã", "predecessors", "edge_self"),
        ("31312401,Tên,Trường,11581,TH,2026-01-01,,31312400,,biến mất", "change", "change_unknown"),
        ("31312401,Tên,Trường,11581,TH,,2026-01-01,,31312499,sáp nhập", "successors", "successor_unknown"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_line_and_column(row, field, code):
    """Every fault has a text in both languages that says what to do."""
    assert faults(TOP + row + "\n") == [(4, field, code)]
    texts = Texts.load(TEXTS)
    assert f"units.{code}" in texts.keys("vi") & texts.keys("en")


def test_every_text_of_a_fault_is_in_both_languages():
    """Nobody gets a bare key."""
    texts = Texts.load(TEXTS)
    assert texts.keys("vi") == texts.keys("en")
    assert all(texts.placeholders(key, "vi") == texts.placeholders(key, "en") for key in texts.keys("vi"))


def test_usual_beginnings_and_ends():
    """Communes begin on 1 July 2025, districts end the day before, stated or not; others have always been."""
    plan = planned(TOP + "312,Phòng GDĐT An Dương,Phòng,31,,,31/12/2030,,,\n")
    found = {unit.code: (unit.valid_from, unit.valid_to) for unit in plan.new}
    assert found == {
        "31": (ALWAYS, None),
        "11581": (date(2025, 7, 1), None),
        "312": (ALWAYS, DISTRICTS_END),
    }


def test_a_row_without_dates_means_the_version_that_is_known():
    """A plain list of today's schools corrects names; it does not write new history."""
    school = Unit("31312401", "TH An Dong", Level.SCHOOL, "11581", date(2025, 7, 1), None, ("TH",))
    known = Units(
        [
            Unit("31", "Sở Hải Phòng", Level.DEPARTMENT),
            Unit("11581", "X", Level.COMMUNE, "31", date(2025, 7, 1)),
            school,
        ]
    )
    plan = planned("31312401,Tiểu học An Đồng,Trường,11581,TH,,,,,\n", known)
    assert [(unit.name, unit.valid_from) for unit in plan.changed] == [("Tiểu học An Đồng", date(2025, 7, 1))]
    assert plan.new == []


def test_a_new_version_closes_the_one_before():
    """The next stretch of days needs no correction of the last one."""
    known = merged(Units(), planned(TOP + "31312401,TH A,Trường,11581,TH,,,,,\n"))
    after = merged(known, planned("31312401,TH B,Trường,11581,TH,2026-09-01,,,,\n", known))
    assert [unit.valid_to for unit in after.versions("31312401")] == [date(2026, 8, 31), None]
    assert planned(
        "31312401,TH A,Trường,11581,TH,,,,,\n31312401,TH B,Trường,11581,TH,2026-09-01,,,,\n", after
    ).is_empty


def test_days_that_lie_over_each_other_are_a_fault():
    """Two rows of one code must not both be true on one day."""
    rows = "31312401,A,Trường,11581,TH,,2026-09-30,,,\n31312401,B,Trường,11581,TH,2026-09-01,,,,\n"
    assert faults(TOP + rows) == [(5, "valid_from", "overlap")]


def test_a_code_twice_is_a_fault_unless_it_says_the_same():
    """Of two contents nobody can know the right one; a repeated line is harmless."""
    one, other = "31312401,A,Trường,11581,TH,,,,,\n", "31312401,B,Trường,11581,TH,,,,,\n"
    assert faults(TOP + one + other) == [(5, "code", "twice")]
    assert faults(TOP + one + one) == []


def test_changes_are_read_from_either_side():
    """A merger named at the new school, a split at the old district; several need no word for it."""
    plan = planned(
        TOP
        + "31312401,A,Trường,11581,TH,2026-09-01,,31312402 31312403,,\n"
        + "312,Phòng,Phòng,31,,,30/6/2025,,11581,sáp nhập\n"
    )
    assert plan.faults == []
    assert set(plan.edges) == {
        Edge("31312402", "31312401", Change.MERGE, date(2026, 9, 1)),
        Edge("31312403", "31312401", Change.MERGE, date(2026, 9, 1)),
        Edge("312", "11581", Change.MERGE, date(2025, 7, 1)),
    }


def test_a_school_left_under_a_district_is_taken_with_a_note():
    """Better in the tree at the wrong place than nowhere; the note says who stands in meanwhile."""
    plan = planned(TOP + "312,Phòng,Phòng,31,,,,,,\n31312401,A,Trường,312,TH,,,,,\n")
    assert plan.faults == []
    assert [(note.line, note.code, note.value) for note in plan.notes] == [(5, "parent_closed", "Sở Hải Phòng")]
