"""The made-up completions of benchmarks."""

import orjson

from bench.completions import BLOCK, REPEATS, VENDOR, batched, bodies, people_for, roster
from gateway.connectors import discover
from gateway.connectors.slicing import slice_body


def seen(items):
    connector = discover()[VENDOR]
    return [connector.normalize(orjson.loads(item)) for item in items]


def test_a_smaller_amount_is_the_beginning_of_a_larger_one():
    """What one load leaves out by `first` is exactly what another one sent."""
    more = list(bodies(3_000))
    assert list(bodies(2_000)) == more[:2_000]
    assert list(bodies(1_000, first=2_000)) == more[2_000:]
    assert roster(people_for(10)) == roster(people_for(3_000))[:BLOCK]


def test_each_completion_has_a_record_of_its_own_and_each_person_repeats():
    """Otherwise some would be superseded, and less would be delivered than was sent."""
    items = seen(bodies(BLOCK * REPEATS))
    assert len({(item.claim.identifier, item.course.module_hint) for item in items}) == len(items)
    assert len({item.claim.lms_user_id for item in items}) == BLOCK


def test_runs_share_no_event_id():
    """A second run against the same gateway would only meet duplicates."""
    first, second = seen(bodies(100, run=1)), seen(bodies(100, run=2))
    assert {item.event_id for item in first}.isdisjoint(item.event_id for item in second)


def test_identifiers_come_in_the_forms_of_one_province():
    """15 % personal numbers, the others `0` and ten digits: each is looked up in another way."""
    lengths = [len(item.claim.identifier) for item in seen(bodies(BLOCK * REPEATS))]
    assert set(lengths) == {11, 12}
    assert 0.12 < lengths.count(12) / len(lengths) < 0.18


def test_batches_hold_all_items_in_order():
    """The last batch is the shorter one; a batch of one is no array."""
    items = list(bodies(5))
    assert [piece.raw for body in batched(iter(items), 2) for piece in slice_body(body)] == items
    assert [len(slice_body(body)) for body in batched(iter(items), 2)] == [2, 2, 1]
    assert list(batched(iter(items), 1)) == items
