"""A roster file in the place of the sector database."""

from datetime import date

import pytest

from gateway.identity.roster import Roster, read_role
from gateway.model.completion import Role
from gateway.model.errors import ConfigError
from gateway.model.person import IdentifierType, LookupKey

HEAD = "sector_id,full_name,birth_date,gender,citizen_id,unit_code,unit_name,role,status,status_since"
SECTOR = LookupKey(IdentifierType.SECTOR, "3101234567")


def test_a_person_is_found_by_code_and_by_either_card():
    """Twelve digits are a personal number, nine an old card; dates may be written either way."""
    roster = Roster(
        [
            HEAD,
            "3101234567,Nguyễn Thị Hòa,12/03/1985,Nữ,031185012345,31000717,THPT,GV,Đang làm việc,2010-09-01",
            "3155500011,Trần Văn Dũng,1979-04-05,Nam,031909090,31000717,THPT,CBQL,Đã nghỉ hưu,01/01/2026",
        ]
    )
    personal = LookupKey(IdentifierType.PERSONAL, "031185012345")
    card = LookupKey(IdentifierType.OLD_CARD, "031909090")
    found = roster.answers([SECTOR, personal, card])
    assert [answer.hits[0].sector_id for answer in found.values()] == ["3101234567", "3101234567", "3155500011"]
    assert found[SECTOR].hits[0].birth_date == date(1985, 3, 12)
    assert found[card].hits[0].status_since == date(2026, 1, 1)
    assert found[card].hits[0].role is Role.MANAGER
    assert [person.sector_id for person in roster.born_on(date(1985, 3, 12))] == ["3101234567"]
    assert roster.born_on(None) == []


def test_two_lines_of_one_code_are_two_hits():
    """A duplicate file is never chosen between."""
    roster = Roster([HEAD, "3101234567,A,,,,,,,,", "3101234567,A,,,,,,,,"])
    assert len(roster.answers([SECTOR])[SECTOR].hits) == 2


def test_nobody_is_an_answer_too():
    """Each key is answered, so an empty answer means not found and not unasked."""
    assert Roster([HEAD]).answers([SECTOR])[SECTOR].hits == ()


def test_a_byte_order_mark_and_other_columns_do_no_harm():
    """Excel writes a mark first, and exports bring columns of their own in any order."""
    roster = Roster(["\ufefffull_name, sector_id,note", "Sùng,3101234567,x"])
    assert roster.answers([SECTOR])[SECTOR].hits[0].full_name == "Sùng"


def test_faults_name_line_and_column_and_never_a_value():
    """What cannot be used is told, and the other lines are used."""
    roster = Roster(
        [HEAD, "310123,Bí Mật,,,,,,,,", "3101234567,A,1985-13-01,,12,,,,,x", "3155500011,B,,,,,,,,"]
    )
    assert roster.faults == [
        "line 2: sector_id is not a 10-digit identifier; the line is left out",
        "line 3: birth_date is not a date yyyy-mm-dd or dd/mm/yyyy",
        "line 3: status_since is not a date yyyy-mm-dd or dd/mm/yyyy",
        "line 3: citizen_id has neither 12 nor 9 digits",
    ]


@pytest.mark.parametrize("lines", [[], ["a,b"], ["sector_id,name"]])
def test_a_file_without_the_needed_columns_is_refused(lines):
    """Without code and name nothing can be compared; the message names what is missing."""
    with pytest.raises(ConfigError, match="missing columns"):
        Roster(lines)


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("GV", Role.TEACHER),
        ("giao_vien", Role.TEACHER),
        (" CBQL ", Role.MANAGER),
        ("Nhân viên", None),
        (None, None),
    ],
)
def test_roles_are_read_as_codes_or_words(text, role):
    """An unknown role is no role, never a guess."""
    assert read_role(text) is role
