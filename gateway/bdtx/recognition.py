"""Whether a stated result can be recognised as it stands: stated, and not against its own score."""

from typing import Literal

Boundary = Literal[">=", ">"]
BOUNDARIES: tuple[Boundary, ...] = (">=", ">")

UNSTATED = "result.unstated"
CONTRADICTORY = "result.contradictory"


def check_result(
    passed: bool | None, score_hundredths: int | None, pass_mark_hundredths: int, boundary: Boundary
) -> str | None:
    """The reason to hold a result, or None when it can go on.

    A result that does not say passed is never taken as passed, whatever its score. `boundary` says whether the
    pass mark itself is a pass: `>=` for most courses, `>` ("trên 5 điểm") for some. Not passed is fine with any
    score, and passed without a score is the vendor's word.

    Returns: "result.unstated", "result.contradictory" or None. Raises: ValueError for an unknown boundary.
    """
    if boundary not in BOUNDARIES:
        raise ValueError("boundary is >= or >")
    if passed is None:
        return UNSTATED
    if not passed or score_hundredths is None:
        return None
    lowest = pass_mark_hundredths + (boundary == ">")
    return None if score_hundredths >= lowest else CONTRADICTORY
