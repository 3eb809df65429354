"""Leaves, roots and links: nothing that is sealed can be changed, and nothing looks like something else."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.security.seals import FIRST, Seal, leaf, mark_of, root_of, sealing_key

LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True)
KEY = sealing_key(b"k" * 32)
SEAL = Seal(1, 10, 2, 1, 2, b"r" * 32, FIRST).closed(KEY)


@given(st.lists(st.text(), min_size=2, max_size=4), st.lists(st.text(), min_size=2, max_size=4))
def test_two_rows_never_read_the_same(one, other):
    """Fields carry their lengths: what moves from one field into the next is another row."""
    assert (leaf(*one) == leaf(*other)) is (one == other)


@given(LEAVES, st.data())
def test_a_root_changes_with_every_leaf_and_place(leaves, data):
    """One leaf changed, left out or moved: another root."""
    at = data.draw(st.integers(0, len(leaves) - 1))
    changed = [*leaves[:at], b"x" * 32, *leaves[at + 1 :]]
    if changed != leaves:
        assert root_of(changed) != root_of(leaves)
    if len(leaves) > 1:
        assert root_of(leaves[:at] + leaves[at + 1 :]) != root_of(leaves)
        assert root_of([*leaves[1:], leaves[0]]) != root_of(leaves)


def test_a_node_is_no_leaf():
    """Two rows cannot be passed off as one whose content is their node (RFC 6962)."""
    one, other = leaf("a"), leaf("b")
    assert root_of([root_of([one, other])]) != leaf(one.hex(), other.hex())
    assert root_of([one, other]) != leaf("a", "b")


def test_every_field_of_a_seal_is_in_its_link():
    """Number, time, count, ids, root and what it follows."""
    changes = {
        "seq": 2,
        "at_ms": 11,
        "rows": 3,
        "first_id": 9,
        "last_id": 9,
        "root": FIRST,
        "previous": b"p" * 32,
    }
    for name, value in changes.items():
        assert replace(SEAL, **{name: value}).linked() != SEAL.link, name


def test_only_the_key_makes_a_mark():
    """Who can write the database but has no key ring can make a chain, and not its marks."""
    forged = replace(SEAL, mark=mark_of(sealing_key(b"o" * 32), SEAL.link))
    assert SEAL.is_marked(KEY)
    assert not forged.is_marked(KEY)
