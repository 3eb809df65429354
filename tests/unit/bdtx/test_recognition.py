"""Whether a result can be recognised as stated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bdtx.recognition import check_result

scores = st.none() | st.integers(0, 1000)
boundaries = st.sampled_from([">=", ">"])


@pytest.mark.parametrize(
    ("passed", "score", "boundary", "reason"),
    [
        (True, 850, ">=", None),
        (True, 500, ">=", None),
        (True, 500, ">", "result.contradictory"),
        (True, 501, ">", None),
        (True, 499, ">=", "result.contradictory"),
        (True, 0, ">=", "result.contradictory"),
        (True, None, ">=", None),
        (False, 200, ">=", None),
        (False, 900, ">=", None),
        (False, None, ">", None),
        (None, 900, ">=", "result.unstated"),
        (None, None, ">=", "result.unstated"),
    ],
)
def test_the_table_of_results(passed, score, boundary, reason):
    """Passed below the mark contradicts itself; the mark itself passes only where the boundary includes it."""
    assert check_result(passed, score, 500, boundary) == reason


@given(scores, st.integers(0, 1000), boundaries)
def test_an_unstated_result_is_never_taken_as_passed(score, mark, boundary):
    """Whatever the score says, only the vendor says passed."""
    assert check_result(None, score, mark, boundary) == "result.unstated"
    assert check_result(False, score, mark, boundary) is None


def test_an_unknown_boundary_is_an_error():
    """A typo in a course's data must not decide anybody's result."""
    with pytest.raises(ValueError, match="boundary"):
        check_result(True, 900, 500, "=>")
