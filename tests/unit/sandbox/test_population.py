"""The made-up population: the same each time, and shaped like the real one."""

import re
from collections import Counter
from datetime import date

import pytest

from gateway.sandbox.population import BIRTH_PROVINCES, STATUSES, WORKING, population, units
from gateway.sandbox.roster import COLUMNS, StaffRow, read_roster, write_roster

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def people() -> list[StaffRow]:
    return population(10_000, today=TODAY)


def test_the_same_seed_gives_the_same_people(people: list[StaffRow]) -> None:
    """A demo that is told about can be run again; another seed is another population."""
    assert population(200, today=TODAY) == people[:200]
    assert population(200, today=TODAY, seed=1) != people[:200]


def test_identifiers_have_their_shape_and_belong_to_one_person(people: list[StaffRow]) -> None:
    """Ten and twelve digits, kept as text, never twice."""
    assert all(re.fullmatch(r"\d{10}", person.sector_id) for person in people)
    assert len({person.sector_id for person in people}) == len(people)
    assert len({person.citizen_id for person in people}) == len(people)
    assert 300 < sum(person.sector_id.startswith("0") for person in people) < 700


def test_personal_numbers_agree_with_sex_and_birth_year(people: list[StaffRow]) -> None:
    """Digits 4-6: 0 and 1 for a man and a woman of 19xx, 2 and 3 of 20xx, then the year."""
    for person in people:
        found = re.fullmatch(r"(\d{3})(\d)(\d\d)\d{6}", person.citizen_id)
        assert found
        born = date.fromisoformat(person.birth_date)
        assert found[1] in BIRTH_PROVINCES
        assert int(found[2]) % 2 == (person.gender == "Nữ")
        assert int(found[2]) // 2 == born.year // 100 - 19
        assert int(found[3]) == born.year % 100


def test_family_names_come_in_their_real_shares(people: list[StaffRow]) -> None:
    """Nguyễn about 38 %, Trần 11, Lê 9.5, Phạm 7.1; otherwise names would be rarer than they are."""
    first = Counter(person.full_name.split()[0] for person in people)
    for name, share in {"Nguyễn": 38.4, "Trần": 11, "Lê": 9.5, "Phạm": 7.1}.items():
        assert first[name] / len(people) * 100 == pytest.approx(share, abs=2), name


def test_names_of_other_peoples_are_among_them(people: list[StaffRow]) -> None:
    """Apostrophes, names without a family name and one-word names are legal."""
    names = {person.full_name for person in people}
    assert "H'Hen Niê" in names
    assert any(len(name.split()) == 1 for name in names)


def test_some_people_share_a_name_and_some_name_and_birth_date() -> None:
    """A population in which a name names one person would prove nothing."""
    people = population(40_000, today=TODAY)
    assert max(Counter(person.full_name for person in people).values()) > 50
    assert max(Counter((person.full_name, person.birth_date) for person in people).values()) > 1


def test_statuses_come_in_their_shares_with_a_date_that_makes_sense(people: list[StaffRow]) -> None:
    """All eight values occur; nobody began to work before 22 or retired in the future."""
    seen = Counter(person.status for person in people)
    assert seen.keys() == STATUSES.keys()
    assert seen[WORKING] / len(people) * 100 == pytest.approx(STATUSES[WORKING], abs=1)
    for person in people:
        born, since = date.fromisoformat(person.birth_date), date.fromisoformat(person.status_since)
        assert since < TODAY
        assert (since - born).days >= 22 * 365, person.status
        if person.status == "Đã nghỉ hưu":
            assert (TODAY - born).days > 56 * 365


def test_people_work_at_real_units(people: list[StaffRow]) -> None:
    """Every unit code is in the table; larger schools have more people; about one in fourteen is a manager."""
    by_code = {unit.code: unit for unit in units()}
    assert all(by_code[person.unit_code].name == person.unit_name for person in people)
    managers = sum(person.role == "CBQL" for person in people)
    assert {person.role for person in people} == {"GV", "CBQL"}
    assert managers / len(people) == pytest.approx(0.075, abs=0.01)


def test_unit_codes_have_the_shape_of_school_codes() -> None:
    """Eight digits that begin with a department's number; no code twice."""
    codes = [unit.code for unit in units()]
    assert len(codes) > 200
    assert all(re.fullmatch(r"(31|33)\d{6}", code) for code in codes)
    assert len(set(codes)) == len(codes)
    assert {level for unit in units() for level in unit.levels} == {"MN", "TH", "THCS", "THPT"}


def test_a_roster_file_keeps_every_person(
    people: list[StaffRow], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The file has the columns that the sandbox reads, and reading it gives the same people."""
    file = tmp_path_factory.mktemp("roster") / "roster.csv"
    write_roster(file, people[:500])
    assert file.read_text("utf-8").splitlines()[0] == ",".join(COLUMNS)
    assert read_roster(file) == people[:500]
