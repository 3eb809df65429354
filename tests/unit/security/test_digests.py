"""Content digests: the same item sent again is the same, whatever the order of its keys."""

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.errors import PayloadInvalid
from gateway.security.digests import DIGEST_BYTES, content_digest

KEY = b"d" * 32
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5)
items = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def shuffled(item: object) -> object:
    """The same content with every object's keys in reverse order."""
    if isinstance(item, dict):
        return {name: shuffled(item[name]) for name in reversed(item)}
    return [shuffled(value) for value in item] if isinstance(item, list) else item


@given(items)
def test_the_order_of_keys_does_not_matter(item):
    """Two serialisers of one LMS must not make a conflict."""
    digest = content_digest(KEY, item)
    assert digest == content_digest(KEY, shuffled(item))
    assert len(digest) == DIGEST_BYTES


@given(items, items)
def test_different_content_has_different_digests(one, other):
    """Another score under the same event id and revision must be seen."""
    same = orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
    assert (content_digest(KEY, one) == content_digest(KEY, other)) is same


def test_the_digest_is_keyed():
    """Whoever reads the database cannot test guesses of a name and a date."""
    assert content_digest(KEY, {"a": 1}) != content_digest(b"e" * 32, {"a": 1})


def test_volatile_fields_do_not_count():
    """A changed sending time is not other content; everything beside it is."""
    item = {
        "id": 1,
        "sentAt": 5,
        "user": {"name": "x", "seen": 1},
        "tags": [{"at": 1, "t": "a"}, {"at": 2, "t": "b"}],
    }
    volatile = frozenset({"sentAt", "user.seen", "tags.at", "not.there"})
    again = {"tags": [{"t": "a"}, {"at": 9, "t": "b"}], "user": {"name": "x", "seen": 2}, "id": 1}
    before = json.dumps(item)
    assert content_digest(KEY, item, volatile) == content_digest(KEY, again, volatile)
    assert content_digest(KEY, item, volatile) != content_digest(KEY, again | {"id": 2}, volatile)
    assert json.dumps(item) == before


def test_a_path_and_its_parent_may_both_be_volatile():
    """Leaving out the whole object wins over leaving out one of its fields."""
    volatile = frozenset({"user", "user.seen"})
    assert content_digest(KEY, {"user": {"seen": 1}}, volatile) == content_digest(KEY, {}, volatile)


@pytest.mark.parametrize(
    "number", [b"123456789012345678901234", b"-9223372036854775809", b"18446744073709551616"]
)
def test_both_parsers_give_one_digest(number):
    """The slow parser, taken when a neighbour in the batch is damaged, reads huge integers in another way."""
    text = b'{"eventId": ' + number + b', "user": {"name": "Nguy\xe1\xbb\x85n"}}'
    assert content_digest(KEY, orjson.loads(text)) == content_digest(KEY, json.loads(text))


def test_values_that_orjson_cannot_write_have_digests_too():
    """A lone surrogate or a number beyond any float is content, never a crash."""
    odd = [{"a": "\ud800"}, {"a": "\ud801"}, {"a": 10**400}, {"a": 10**400 + 1}, {"a": math.pi}]
    assert len({content_digest(KEY, item) for item in odd}) == len(odd)


def test_nesting_without_end_is_refused():
    """A body of ten thousand brackets is an invalid item, not a crash."""
    item: list = []
    for _ in range(900):
        item = [item]
    with pytest.raises(PayloadInvalid) as refused:
        content_digest(KEY, item)
    assert refused.value.errors[0].code == "payload.too_deep"
