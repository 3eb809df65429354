"""Which result stands for a record: the rule, and that the order of arrival never matters."""

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.model.merge import Candidate, choose, rank

DAY_MS = 86_400_000


def a(delivery_id: int, **changes) -> Candidate:
    """A passed result of its own event; name what differs."""
    result = {"passed": True, "score_hundredths": 800, "completed_at_ms": 1_790_000_000_000}
    place = {"vendor_id": 1, "event_id": f"e-{delivery_id}", "revision": 1}
    result |= {name: changes.pop(name) for name in result.keys() & changes.keys()}
    return Candidate(delivery_id, **place | changes, rank=rank(**result))


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (a(2), a(1, passed=False, score_hundredths=1000)),
        (a(2, score_hundredths=801), a(1, completed_at_ms=1_790_000_000_000 + DAY_MS)),
        (a(2, completed_at_ms=1_790_000_000_001), a(1)),
        (a(1), a(2)),
        (a(2, passed=False, score_hundredths=400), a(1, passed=False, score_hundredths=300)),
        (a(2, score_hundredths=0), a(1, score_hundredths=None)),
        (a(2, vendor_id=2, score_hundredths=900), a(1, event_id="same")),
    ],
    ids=["passed", "score", "later date", "first stored", "not passed", "score stated", "other vendor"],
)
def test_among_different_events_the_better_one_stands(winner, loser):
    """Passed, then score, then the later date, then the first stored; the same on one vendor or two."""
    assert choose([winner, loser]) == winner
    assert choose([loser, winner]) == winner


def test_a_correction_replaces_its_own_event_even_when_it_is_worse():
    """The vendor takes back a pass: the old one must not stand because it was better."""
    first = a(1, event_id="e", revision=1)
    correction = a(2, event_id="e", revision=2, passed=False, score_hundredths=300)
    assert choose([first, correction]) == correction


def test_a_correction_that_is_worse_lets_another_event_stand():
    """After the correction the retake on the other LMS is the best result."""
    first, correction = a(1, event_id="e"), a(2, event_id="e", revision=2, score_hundredths=500)
    other = a(3, vendor_id=2, event_id="e", score_hundredths=700)
    assert choose([first, other]) == first
    assert choose([first, correction, other]) == other


def test_two_vendors_may_use_one_event_id():
    """An event id is the vendor's own: it corrects nothing of another vendor."""
    viettel, vnpt = a(1, event_id="1", revision=1), a(2, vendor_id=2, event_id="1", revision=7, passed=False)
    assert choose([viettel, vnpt]) == viettel


def test_without_the_winner_the_next_best_stands():
    """The loser stayed visible for this."""
    best, second, third = a(1, score_hundredths=900), a(2, score_hundredths=800), a(3, score_hundredths=700)
    assert choose([best, second, third]) == best
    assert choose([second, third]) == second


def test_nothing_stands_when_there_is_nothing():
    """No candidates, no record."""
    assert choose([]) is None


ranks = st.builds(
    rank,
    st.booleans(),
    st.none() | st.sampled_from([0, 499, 500, 1000]),
    st.sampled_from([0, 1_790_000_000_000, 1_790_000_000_001]),
)
candidates = st.builds(
    Candidate,
    delivery_id=st.integers(1, 10_000),
    vendor_id=st.integers(1, 2),
    event_id=st.sampled_from(["a", "b", "c"]),
    revision=st.integers(1, 3),
    rank=ranks,
)
stored = st.lists(candidates, max_size=8, unique_by=lambda c: c.delivery_id)  # as the table holds them


@given(stored, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(known, order: random.Random):
    """Any network may deliver in any order; TEMIS ends the same."""
    shuffled = list(known)
    order.shuffle(shuffled)
    assert choose(shuffled) == choose(known)


@given(stored)
def test_choosing_twice_changes_nothing(known):
    """Seeing a candidate again, or only the winner, gives the same winner."""
    winner = choose(known)
    assert choose([*known, *known]) == winner
    assert winner is None or choose([winner]) == winner


@given(stored)
def test_the_winner_is_the_best_of_what_stands(known):
    """No standing event has a higher rank, and the winner is the newest revision of its own event."""
    winner = choose(known)
    assume(winner is not None)
    own = [c for c in known if (c.vendor_id, c.event_id) == (winner.vendor_id, winner.event_id)]
    assert winner.revision == max(c.revision for c in own)
    newest: dict = {}
    for c in known:
        event = (c.vendor_id, c.event_id)
        if event not in newest or (c.revision, -c.delivery_id) > (
            newest[event].revision,
            -newest[event].delivery_id,
        ):
            newest[event] = c
    assert all(c.rank <= winner.rank for c in newest.values())


results = st.tuples(st.booleans(), st.none() | st.integers(0, 1000), st.integers(0, 2**44 - 1))


@given(results, results)
def test_the_rank_sorts_as_the_rule_says(one, other):
    """The database compares one number; it must say what the rule says."""
    in_words = [(passed, -1 if score is None else score, at_ms) for passed, score, at_ms in (one, other)]
    assert (rank(*one) < rank(*other)) == (in_words[0] < in_words[1])


@given(st.booleans(), st.none() | st.integers(), st.integers())
def test_the_rank_fits_a_signed_column(passed, score, at_ms):
    """Any number a vendor can send stays within 63 bits, and not passed never outranks passed."""
    assert 0 <= rank(passed, score, at_ms) < 2**59
    assert rank(False, score, at_ms) < rank(True, None, 0)
