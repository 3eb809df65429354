"""Who sees whose people. The rule above all: no school ever sees a sibling's person."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bdtx.scope import (
    CaseUnits,
    OnFile,
    Viewer,
    case_unit,
    may_manage_user,
    may_see,
    may_see_case,
    on_file,
)
from gateway.bdtx.units import ALWAYS, Change, Edge, Level, Unit, Units
from gateway.model.roles import ROLES, Reach, RoleName

BEFORE = date(2025, 6, 30)
FIRST = date(2025, 7, 1)
TODAY = date(2026, 11, 20)

TREE = Units(
    [
        Unit("BGDDT", "Bộ GDĐT", Level.MINISTRY),
        Unit("31", "Sở Hải Phòng", Level.DEPARTMENT, "BGDDT"),
        Unit("33", "Sở Hưng Yên", Level.DEPARTMENT, "BGDDT"),
        Unit("312", "Phòng An Dương", Level.DISTRICT, "31"),
        Unit("11581", "UBND phường An Dương", Level.COMMUNE, "31", FIRST),
        Unit("11593", "UBND phường An Phong", Level.COMMUNE, "31", FIRST),
        Unit("S1", "TH 1", Level.SCHOOL, "312", ALWAYS, BEFORE, ("TH",)),
        Unit("S1", "TH 1", Level.SCHOOL, "11581", FIRST, None, ("TH",)),
        Unit("S2", "TH 2", Level.SCHOOL, "312", ALWAYS, BEFORE, ("TH",)),
        Unit("S2", "TH 2", Level.SCHOOL, "11581", FIRST, None, ("TH",)),
        Unit("S3", "TH 3", Level.SCHOOL, "11593", ALWAYS, None, ("TH",)),
        Unit("OLD", "TH cũ", Level.SCHOOL, "312", ALWAYS, date(2025, 8, 31), ("TH",)),
        Unit("UNI", "ĐHSP", Level.ORGANISER),
    ],
    [Edge("OLD", "S1", Change.MERGE, date(2025, 9, 1)), Edge("S0", "S2", Change.RENUMBER, date(2024, 1, 1))],
)


def user(unit: str | None, role: str = "unit_admin", vendor: int | None = None) -> Viewer:
    return Viewer("login", RoleName(role), unit, vendor)


def seen_by(unit: str, day: date = TODAY) -> set[str]:
    return {code for code in TREE.codes() if may_see(TREE, user(unit), code, day)}


def test_a_unit_sees_itself_and_what_is_under_it():
    """Today's tree: commune and department, and the closed school through the one that took it over."""
    assert seen_by("S1") == {"S1", "OLD"}
    assert seen_by("S2") == {"S2"}
    assert seen_by("11581") == {"11581", "S1", "S2", "OLD"}
    assert seen_by("31") == {"31", "312", "11581", "11593", "S1", "S2", "S3", "OLD"}
    assert seen_by("33") == {"33"}
    assert seen_by("BGDDT") == set(TREE.codes())


def test_an_account_of_a_district_reaches_its_history_only():
    """The district's queue is somebody else's since 1 July 2025; what it saw before, it may still read."""
    assert seen_by("312", BEFORE) == {"312", "S1", "S2", "OLD"}
    assert seen_by("312", FIRST) == set()
    assert seen_by("11581", BEFORE) == set()


def test_an_account_follows_a_renumbered_unit_but_not_a_merged_one():
    """A new number is the same school; after a merger the old admin is not admin of the new school."""
    assert seen_by("S0") == {"S2"}
    assert seen_by("OLD") == set()
    assert seen_by("nowhere") == set()


def test_a_case_belongs_to_the_claimed_unit_until_it_is_verified():
    """Claiming a code must not move the case to the school of whoever has that code."""
    claimed = CaseUnits(claimed="S1", department="31", registry="S3")
    assert case_unit(TREE, claimed, TODAY) == "S1"
    assert case_unit(TREE, CaseUnits("S1", "31", "S3", is_verified=True), TODAY) == "S3"
    assert case_unit(TREE, CaseUnits(None, "31"), TODAY) == "31"
    assert case_unit(TREE, CaseUnits("no such unit", "31"), TODAY) == "31"
    assert case_unit(TREE, CaseUnits("S1", "31", "no such unit", is_verified=True), TODAY) == "S1"
    assert case_unit(TREE, CaseUnits(None, None), TODAY) is None


def test_a_code_that_hits_a_stranger_shows_nothing_of_the_stranger():
    """The school sees its own case and one sentence; the commune above both sees the values."""
    case = CaseUnits(claimed="S1", department="31", registry="S2")
    assert may_see_case(TREE, user("S1"), case, TODAY)
    assert on_file(TREE, user("S1"), case, TODAY) is OnFile.ELSEWHERE
    assert on_file(TREE, user("11581"), case, TODAY) is OnFile.SHOWN
    assert not may_see_case(TREE, user("S2"), case, TODAY)
    assert on_file(TREE, user("S2"), case, TODAY) is OnFile.WITHHELD
    nobody_found = CaseUnits(claimed="S1", department="31")
    assert on_file(TREE, user("S1"), nobody_found, TODAY) is OnFile.ELSEWHERE


def test_a_case_that_nobody_claimed_is_the_departments():
    """No school sees people whose school is not known."""
    case = CaseUnits(None, "31")
    assert may_see_case(TREE, user("31"), case, TODAY)
    assert not any(may_see_case(TREE, user(code), case, TODAY) for code in ("S1", "11581", "33"))


def test_other_roles_see_by_what_they_are_for():
    """A university its courses, a vendor its own items, an operator all cases; none of them values on file."""
    case = CaseUnits("S1", "31", "S1", is_verified=True, vendor_id=1, organiser="UNI")
    seers = [user("UNI", "organiser"), user(None, "vendor", 1), user(None, "operator")]
    assert all(may_see_case(TREE, viewer, case, TODAY) for viewer in seers)
    assert {on_file(TREE, viewer, case, TODAY) for viewer in seers} == {OnFile.WITHHELD}
    others = [user("S1", "organiser"), user(None, "vendor", 2), user(None, "vendor"), user(None, "auditor")]
    assert not any(may_see_case(TREE, viewer, case, TODAY) for viewer in others)
    unowned = CaseUnits("S1", "31")
    assert not may_see_case(TREE, user(None, "vendor"), unowned, TODAY)
    assert not may_see_case(TREE, user(None, "organiser"), unowned, TODAY)


def test_accounts_are_made_from_above():
    """A department for communes and schools, a commune for its schools; nobody beside or above."""

    def may(unit: str | None, target: str, role: str = "unit_admin", own_role: str = "unit_admin") -> bool:
        return may_manage_user(TREE, user(unit, own_role), RoleName(role), target, TODAY)

    assert may("31", "11581")
    assert may("31", "S1")
    assert may("11581", "S1")
    assert may("11581", "OLD")
    refused = [
        ("11581", "S3"),
        ("11581", "11593"),
        ("11581", "11581"),
        ("11581", "31"),
        ("S1", "S1"),
        ("33", "S1"),
    ]
    assert not any(may(unit, target) for unit, target in refused)
    assert not may("S1", "OLD")
    assert not may("312", "S1")
    assert not may("31", "S1", role="operator")
    assert not may("31", "S1", role="auditor")
    assert not may("31", "S1", own_role="viewer")
    assert may(None, "S3", role="operator", own_role="operator")


@st.composite
def trees(draw):
    """One department, communes, schools that move, merge, split or get another number on some days."""
    communes = [f"C{n}" for n in range(draw(st.integers(1, 3)))]
    units = [Unit("31", "Sở", Level.DEPARTMENT)]
    units += [Unit(code, code, Level.COMMUNE, "31", FIRST) for code in communes]
    days = st.sampled_from([date(2025, 9, 1), date(2026, 1, 1), date(2026, 9, 1)])
    schools = [f"S{n}" for n in range(draw(st.integers(2, 6)))]
    for code in schools:
        moved = draw(days)
        units.append(Unit(code, code, Level.SCHOOL, draw(st.sampled_from(communes)), ALWAYS, None))
        if draw(st.booleans()):
            parent = draw(st.sampled_from(communes))
            ends = draw(st.sampled_from([None, date(2026, 10, 1)]))
            units.append(Unit(code, code, Level.SCHOOL, parent, moved, ends))
    edges = [
        Edge(source, target, draw(st.sampled_from(Change)), date(2026, 10, 2))
        for source in schools
        for target in schools
        if source != target and draw(st.integers(0, 5)) == 0
    ]
    return Units(units, edges), schools


@given(trees(), st.data())
@settings(max_examples=300, deadline=None)
def test_no_school_ever_sees_a_siblings_person(made, data):
    """Whatever merged, split or moved: a school's user sees values on file of its own school's people only."""
    units, schools = made
    day = data.draw(st.sampled_from([BEFORE, FIRST, date(2026, 1, 1), date(2026, 10, 2), TODAY]))
    unit_roles = [role for role in RoleName if ROLES[role].scope is Reach.UNIT]
    viewer = Viewer("x", data.draw(st.sampled_from(unit_roles)), data.draw(st.sampled_from(schools)))
    any_unit = st.sampled_from([*schools, "31", "C0", "elsewhere", None])
    case = CaseUnits(data.draw(any_unit), data.draw(any_unit), data.draw(any_unit), data.draw(st.booleans()))
    if on_file(units, viewer, case, day) is OnFile.SHOWN:
        own = units.renumbered(viewer.unit_code, day)
        found = units.standing_for(case.registry, day)
        assert found is not None
        assert found.code == own
        assert case.registry in units.same_as(own)
    for school in schools:
        if may_see(units, viewer, school, day) and units.unit_at(school, day):
            assert school == units.renumbered(viewer.unit_code, day)


@given(trees(), st.data())
@settings(max_examples=100, deadline=None)
def test_what_a_unit_sees_is_what_is_under_it(made, data):
    """Scope by path and lists by descendants are one tree: no list shows what a page would refuse."""
    units, _ = made
    day = data.draw(st.sampled_from([BEFORE, FIRST, date(2026, 1, 1), date(2026, 10, 2), TODAY]))
    for own in units.codes():
        viewer = Viewer("x", RoleName.VIEWER, own)
        if units.unit_at(own, day) is None:
            continue
        valid = {
            code for code in units.codes() if units.unit_at(code, day) and may_see(units, viewer, code, day)
        }
        assert valid == {own, *units.descendants_at(own, day)}
