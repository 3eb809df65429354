"""Which of several results for one record (person, module, school year) is sent to TEMIS. A pure choice.

The rule: a correction replaces its own event; among different events passed beats not passed, then the higher
score, then the later completion. The order of arrival never matters. A withdrawn event is no candidate.
Source: docs/decisions/0004 (records); the queue stores `rank` and compares that one number.
"""

from collections.abc import Iterable
from typing import NamedTuple

# rank = passed (1 bit), score + 1 (14 bits; 0: no score), completion in ms (44 bits, until the year 2527): 59
# bits, so it fits a signed 64-bit column and sorts as a number.
SCORE_BITS = 14
TIME_BITS = 44


class Candidate(NamedTuple):
    """One delivery that could stand for the record."""

    delivery_id: int
    vendor_id: int  # two vendors may use the same event id
    event_id: str
    revision: int
    rank: int


def rank(passed: bool, score_hundredths: int | None, completed_at_ms: int) -> int:
    """How good a result is, as one number below 2^59: higher wins. A missing score ranks below 0."""
    score = 0 if score_hundredths is None else _within(score_hundredths + 1, SCORE_BITS)
    return ((int(passed) << SCORE_BITS | score) << TIME_BITS) | _within(completed_at_ms, TIME_BITS)


def choose(candidates: Iterable[Candidate]) -> Candidate | None:
    """The result that stands, or None without candidates.

    The highest revision of each event speaks for it, also when it is the worse one. Ties go to the delivery
    stored first (lower id).
    """
    newest: dict[tuple[int, str], Candidate] = {}
    for candidate in candidates:
        event = (candidate.vendor_id, candidate.event_id)
        other = newest.get(event)
        if other is None or _speaks_before(candidate, other):
            newest[event] = candidate
    return max(newest.values(), key=lambda one: (one.rank, -one.delivery_id), default=None)


def _speaks_before(candidate: Candidate, other: Candidate) -> bool:
    """Revisions of one event are unique in storage; the lower id keeps the choice total where they are not."""
    return (candidate.revision, -candidate.delivery_id) > (other.revision, -other.delivery_id)


def _within(number: int, bits: int) -> int:
    return max(0, min(number, (1 << bits) - 1))
