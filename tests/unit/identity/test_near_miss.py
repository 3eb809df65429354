"""Near misses: a hint when nothing was found."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.near_miss import Slip, near_miss, slip_between
from tests.unit.identity.cases import a_claim, a_file

DIGITS = st.from_regex(r"[0-9]{10}", fullmatch=True)


@pytest.mark.parametrize(
    ("identifier", "slip"),
    [
        ("3101234568", "wrong_digit"),
        ("3101234576", "swapped"),
        ("1301234567", "swapped"),
        ("310123456", "missing_digit"),
        ("31012345677", "extra_digit"),
        ("03101234568", "wrong_digit"),
        ("310 123 45 68", "wrong_digit"),
    ],
)
def test_one_slip_is_told_masked(identifier, slip):
    """One digit wrong, two neighbours swapped, one missing or one too many, in any form of writing."""
    finding = near_miss(a_claim(identifier=identifier), [a_file()])
    assert finding is not None
    assert (finding.code, finding.detail) == (
        "registry.near_miss",
        {"masked": "31••••••67", "slip": slip, "unit": "31000717"},
    )


@pytest.mark.parametrize(
    "identifier", ["3101234589", "7407137235", "031185012345", None, "hoa", "3.1E+09", "3101234567"]
)
def test_more_than_one_slip_is_no_near_miss(identifier):
    """Two slips, another kind of number or no number say nothing."""
    assert near_miss(a_claim(identifier=identifier), [a_file()]) is None


def test_only_one_person_of_that_name_and_birth_date_is_told():
    """If several people answer, or the one has another name or birth date, nothing is said."""
    claim = a_claim(identifier="3101234568")
    assert near_miss(claim, []) is None
    assert near_miss(claim, [a_file(), a_file(sector_id="3101234569")]) is None
    assert near_miss(claim, [a_file(full_name="Trần Thị Hòa")]) is None
    assert near_miss(claim, [a_file(birth_date=date(1985, 3, 13))]) is None
    assert near_miss(claim, [a_file(birth_date=None)]) is None
    assert near_miss(a_claim(identifier="3101234568", birth_date=None), [a_file()]) is None
    other = a_file(sector_id="3101234560", birth_date=date(1990, 1, 1))
    assert near_miss(claim, [a_file(), other]) is not None


@given(DIGITS, st.integers(0, 8))
def test_swapped_neighbours_are_one_slip(meant, place):
    """Any two unequal neighbours changed about are `swapped`."""
    typed = meant[:place] + meant[place + 1] + meant[place] + meant[place + 2 :]
    assert slip_between(typed, meant) is (None if typed == meant else Slip.SWAPPED)


@given(DIGITS, st.integers(0, 9), st.integers(0, 9).map(str))
def test_one_digit_replaced_dropped_or_doubled_is_one_slip(meant, place, digit):
    """Each single slip of the hand is recognised as its kind."""
    replaced = meant[:place] + digit + meant[place + 1 :]
    assert slip_between(replaced, meant) is (None if replaced == meant else Slip.WRONG_DIGIT)
    assert slip_between(meant[:place] + meant[place + 1 :], meant) is Slip.MISSING_DIGIT
    assert slip_between(meant[:place] + digit + meant[place:], meant) is Slip.EXTRA_DIGIT
