"""The tree of units as of a day: before and after 1 July 2025, through mergers, splits and renumbering."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bdtx.units import ALWAYS, Change, Edge, Level, Unit, Units, named_owner
from gateway.model.reasons import Owner

BEFORE = date(2025, 6, 30)
FIRST = date(2025, 7, 1)
TODAY = date(2026, 11, 20)

MINISTRY = Unit("BGDDT", "Bộ GDĐT", Level.MINISTRY)
HAI_PHONG = Unit("31", "Sở GDĐT Hải Phòng", Level.DEPARTMENT, "BGDDT")
HAI_DUONG = Unit("30", "Sở GDĐT Hải Dương", Level.DEPARTMENT, "BGDDT", valid_to=BEFORE)
AN_DUONG = Unit("312", "Phòng GDĐT huyện An Dương", Level.DISTRICT, "31")
NAM_SACH = Unit("291", "Phòng GDĐT huyện Nam Sách", Level.DISTRICT, "30")
AN_HAI = Unit("11581", "UBND phường An Hải", Level.COMMUNE, "31", FIRST)
AN_PHONG = Unit("11593", "UBND phường An Phong", Level.COMMUNE, "31", FIRST)
PRIMARY = [
    Unit("31312401", "Tiểu học An Đồng", Level.SCHOOL, "312", ALWAYS, BEFORE, ("TH",)),
    Unit("31312401", "Tiểu học An Đồng", Level.SCHOOL, "11581", FIRST, None, ("TH",)),
]
SIBLING = Unit("31312402", "Tiểu học Hồng Phong", Level.SCHOOL, "11581", ALWAYS, None, ("TH",))
HIGH = Unit("31000701", "THPT An Dương", Level.SCHOOL, "31", teaches=("THPT",))
MIXED = Unit("31000702", "THCS và THPT Nam Sơn", Level.SCHOOL, "11581", teaches=("THCS", "THPT"))
STALE = Unit("30291401", "Tiểu học Nam Sách", Level.SCHOOL, "291", teaches=("TH",))
CLOSED = Unit("31312499", "Tiểu học Bắc Sơn", Level.SCHOOL, "312", valid_to=date(2025, 8, 31), teaches=("TH",))

OFFICES = (MINISTRY, HAI_PHONG, HAI_DUONG, AN_DUONG, NAM_SACH, AN_HAI, AN_PHONG)
TREE = Units(
    [*OFFICES, *PRIMARY, SIBLING, HIGH, MIXED, STALE, CLOSED],
    [
        Edge("30", "31", Change.MERGE, FIRST),
        Edge("312", "11581", Change.SPLIT, FIRST),
        Edge("312", "11593", Change.SPLIT, FIRST),
        Edge("31312499", "31312402", Change.MERGE, date(2025, 9, 1)),
        Edge("TH00001", "31312402", Change.RENUMBER, date(2020, 1, 1)),
    ],
)  # fmt: skip


def path(code: str, day: date) -> list[str]:
    return [unit.code for unit in TREE.path_at(code, day)]


def test_a_school_keeps_its_code_while_its_parent_changes():
    """On 30 June 2025 the district is above it, on 1 July the commune."""
    assert path("31312401", BEFORE) == ["31312401", "312", "31", "BGDDT"]
    assert path("31312401", FIRST) == ["31312401", "11581", "31", "BGDDT"]
    assert TREE.unit_at("31312401", FIRST) == PRIMARY[1]


def test_a_district_ends_even_when_nobody_stated_it():
    """A file that forgot the last day of a district must not keep it in charge."""
    assert TREE.unit_at("312", BEFORE) is not None
    assert TREE.unit_at("312", FIRST) is None


def test_a_school_that_still_hangs_on_a_closed_district_climbs_to_what_stands_today():
    """The district of Hải Dương is gone and split, its department merged: Hải Phòng is above the school."""
    assert path("30291401", TODAY) == ["30291401", "31", "BGDDT"]
    assert path("30291401", BEFORE) == ["30291401", "291", "30", "BGDDT"]


def test_a_merged_school_gives_way_to_its_successor_from_that_day_on():
    """Work of today on the old code belongs to the school that took it over; history keeps the old one."""
    assert path("31312499", date(2025, 8, 31))[0] == "31312499"
    assert path("31312499", date(2025, 9, 1))[0] == "31312402"


def test_an_old_code_without_a_row_of_its_own_still_leads_somewhere():
    """Vendors go on sending codes from before a renumbering."""
    assert path("TH00001", TODAY)[0] == "31312402"
    assert TREE.renumbered("TH00001", TODAY) == "31312402"
    assert path("99999999", TODAY) == []


def test_only_a_renumbered_unit_is_the_same_institution():
    """After a merger the old school's accounts do not become accounts of the new one."""
    assert TREE.renumbered("31312499", TODAY) == "31312499"
    assert TREE.same_as("TH00001") == {"TH00001", "31312402", "31312499"}
    assert TREE.same_as("312") == {"312"}


def test_descendants_follow_the_day():
    """A district has its schools until it closes; a commune from its first day on."""
    assert set(TREE.descendants_at("312", BEFORE)) == {"31312401", "31312499"}
    assert TREE.descendants_at("312", TODAY) == ()
    assert set(TREE.descendants_at("11581", TODAY)) == {"31312401", "31312402", "31000702"}
    assert set(TREE.descendants_at("31", TODAY)) == {
        "11581", "11593", "31312401", "31312402", "31000701", "31000702", "30291401",
    }  # fmt: skip
    assert TREE.descendants_at("nowhere", TODAY) == ()


def test_the_owner_is_a_named_unit_of_today():
    """TH, THCS and MN go to the commune, THPT and GDTX to the department, whatever the school hangs on."""

    def owner(kind: Owner, code: str, day: date = TODAY) -> str | None:
        found = named_owner(TREE, kind, code, day)
        return found.code if found else None

    assert owner(Owner.SCHOOL, "31312401") == "31312401"
    assert owner(Owner.UPPER_UNIT, "31312401") == "11581"
    assert owner(Owner.UPPER_UNIT, "31000701") == "31"
    assert owner(Owner.UPPER_UNIT, "31000702") == "31"
    assert owner(Owner.UPPER_UNIT, "30291401") == "31"
    assert owner(Owner.UPPER_UNIT, "31312499") == "11581"
    assert owner(Owner.UPPER_UNIT, "31312401", BEFORE) == "312"
    assert owner(Owner.LEARNER, "31312401") is None
    assert owner(Owner.SCHOOL, "99999999") is None


def test_no_district_is_ever_named_after_june_2025():
    """Every school of the tree, every day since: the office in charge is no district's."""
    for code in TREE.codes():
        found = named_owner(TREE, Owner.UPPER_UNIT, code, FIRST)
        assert found is None or found.level is not Level.DISTRICT


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ABCDEF"),
            st.sampled_from(["A", "B", "C", "D", "E", "F", "", "Z"]),
            st.integers(0, 9),
        ),
        max_size=12,
    ),
    st.lists(
        st.tuples(st.sampled_from("ABCDEFG"), st.sampled_from("ABCDEFG"), st.sampled_from(Change)), max_size=8
    ),
    st.integers(0, 12),
)
@settings(max_examples=200, deadline=None)
def test_no_damaged_table_makes_a_question_endless(rows, edges, year):
    """Circles of parents and edges, unknown parents: every question ends, and nobody is under itself."""
    day = date(2010 + year, 1, 1)
    tree = Units(
        [
            Unit(code, code, Level.SCHOOL, parent or None, date(2010 + begins, 1, 1))
            for code, parent, begins in rows
        ],
        [Edge(source, target, change, date(2012, 1, 1)) for source, target, change in edges],
    )
    for code in "ABCDEFG":
        codes = [unit.code for unit in tree.path_at(code, day)]
        assert len(codes) == len(set(codes))
        assert code not in tree.descendants_at(code, day)
        assert code in tree.same_as(code)
        assert tree.renumbered(code, day) in "ABCDEFG"


def test_paths_and_descendants_agree_across_the_whole_country():
    """53 000 units: each is below exactly the department that its own path names."""
    departments = [Unit(f"{d:02}", f"Sở {d}", Level.DEPARTMENT, "BGDDT") for d in range(34)]
    communes = [Unit(f"{c:05}", f"Xã {c}", Level.COMMUNE, f"{c % 34:02}", FIRST) for c in range(10_000, 13_321)]
    schools = [
        Unit(f"{s:08}", f"Trường {s}", Level.SCHOOL, f"{10_000 + s % 3_321:05}", teaches=("TH",))
        for s in range(49_600)
    ]
    tree = Units([MINISTRY, *departments, *communes, *schools])
    assert len(tree) == 52_956
    under = [tree.descendants_at(f"{d:02}", TODAY) for d in range(34)]
    assert sum(len(found) for found in under) == len(communes) + len(schools)
    assert all(tree.path_at(code, TODAY)[-2].code == f"{d:02}" for d in range(34) for code in under[d])
