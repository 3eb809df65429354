"""Who has to act, by name: the unit in charge today, whatever the claim and the completion's date say."""

from datetime import date

import pytest

from gateway.bdtx.units import Change, Edge, Level, Unit, Units
from gateway.model.reasons import OWNERS, Owner, explain
from gateway.model.verdict import Finding, Verdict
from gateway.stages.owners import Naming

TODAY = date(2026, 11, 20)
ENDED, BEGAN = date(2025, 6, 30), date(2025, 7, 1)
UNITS = Units(
    [
        Unit("31", "Sở GDĐT Hải Phòng", Level.DEPARTMENT, contact="Phòng Tổ chức"),
        Unit("31312", "Phòng GDĐT An Dương", Level.DISTRICT, "31", valid_to=ENDED),
        Unit("11581", "UBND phường An Dương", Level.COMMUNE, "31", BEGAN, contact="Phòng Văn hóa - Xã hội"),
        Unit("31312401", "TH An Đồng", Level.SCHOOL, "31312", valid_to=ENDED, teaches=("TH",)),
        Unit("31312402", "TH An Dương", Level.SCHOOL, "11581", BEGAN, teaches=("TH",), contact="Văn phòng"),
        Unit("31000701", "THPT An Dương", Level.SCHOOL, "31", teaches=("THPT",)),
    ],
    [Edge("31312401", "31312402", Change.MERGE, BEGAN)],
)
NAMING = Naming(UNITS, TODAY)


def test_the_school_is_named_with_its_contact():
    """An admin reads whose desk it is, not a kind of desk."""
    found = NAMING.named(Owner.SCHOOL, "31312402")
    assert found.label("vi") == "Quản trị trường: TH An Dương (31312402)"
    assert found.label("en") == "School admin: TH An Dương (31312402)"
    assert found.contact == "Văn phòng"


def test_a_merged_school_answers_under_its_name_of_today():
    """A claim of before the merger is worked on by whoever is there now."""
    assert NAMING.named(Owner.SCHOOL, "31312401").unit.code == "31312402"


@pytest.mark.parametrize(("school", "office"), [("31312401", "11581"), ("31000701", "31")])
def test_the_unit_above_is_never_a_district_office(school, office):
    """Up to THCS the commune decides, for THPT the department; the districts ended on 2025-06-30."""
    found = NAMING.named(Owner.UPPER_UNIT, school)
    assert found.unit.code == office
    assert found.label("vi") == f"{found.unit.name} ({office})"


@pytest.mark.parametrize("code", [None, "99999999"])
def test_an_unknown_school_leaves_the_kind_of_owner(code):
    """Nobody is named by guess; the text still says who acts."""
    found = NAMING.named(Owner.SCHOOL, code)
    assert (found.unit, found.label("vi"), found.contact) == (None, OWNERS["school"]["vi"], None)
    assert found.told("en") == {"owner": "school", "label": "School admin", "unit": None}


def test_the_side_of_a_finding_decides_who_acts():
    """A birth date missing in the LMS is the learner's; missing on file, the school's."""
    sent = NAMING.of(Finding.holds("attribute.birth_date_missing", side="sent"), "31312402")
    on_file = NAMING.of(Finding.holds("attribute.birth_date_missing", side="on_file"), "31312402")
    assert (sent.owner, sent.unit) == (Owner.LEARNER, None)
    assert (on_file.owner, on_file.unit.code) == (Owner.SCHOOL, "31312402")


def test_texts_name_the_office_in_charge():
    """`{upper_unit}` of a reason's next step is this commune."""
    found = NAMING.of(Finding.holds("registry.status_unclear", date="2026-01-05"), "31312402")
    assert "UBND phường An Dương" in " ".join(explain("registry.status_unclear", "vi", **found.fill()))


def test_a_verdict_names_the_owner_of_what_holds():
    """Warnings beside it have owners of their own; a verified claim asks nothing of anybody."""
    holds = Finding.holds("registry.status_unclear", date="2026-01-05")
    verdict = Verdict(
        verified=False,
        reason=holds.code,
        findings=(Finding.warns("attribute.unit_mismatch"), holds),
        policy_version="p",
    )
    assert NAMING.of_verdict(verdict, "31312402").unit.code == "11581"
    verified = Verdict(verified=True, sector_id="3100000001", findings=(), policy_version="p")
    assert NAMING.of_verdict(verified, "31312402") is None
