"""Blind indexes: equal values are found, nothing else is learnt."""

import pytest

from gateway.model.errors import KeyMissing
from gateway.security.blind import INDEX_BYTES, BlindIndex


def test_equal_values_have_equal_indexes(ring):
    """Equality search works across processes and restarts."""
    index = BlindIndex(ring).index("identifier", "3300012345")
    assert index == BlindIndex(ring).index("identifier", "3300012345")
    assert len(index) == INDEX_BYTES
    assert index[0] == 1


def test_one_digit_more_or_less_is_another_index(ring):
    """One digit apart is a different person."""
    blind = BlindIndex(ring)
    seen = {
        blind.index("identifier", value) for value in ("3300012345", "3300012346", "03300012345", "330001234")
    }
    assert len(seen) == 4


def test_kinds_are_kept_apart(ring):
    """The same digits as identifier and as phone number must not meet."""
    blind = BlindIndex(ring)
    assert blind.index("identifier", "3300012345") != blind.index("phone", "3300012345")
    with pytest.raises(ValueError, match="NUL"):
        blind.index("a\0b", "c")


def test_one_text_in_two_unicode_forms_is_one_value(ring):
    """NFD from a Mac and NFC from a PC find the same person."""
    blind = BlindIndex(ring)
    assert blind.index("full_name", "Nguye\u0302\u0303n") == blind.index("full_name", "Nguyễn")


def test_a_lone_surrogate_is_a_value_like_any_other(ring):
    """Damaged text is indexed, never a crash."""
    blind = BlindIndex(ring)
    assert blind.index("full_name", "\ud800") != blind.index("full_name", "\ud801")


def test_without_the_key_the_index_cannot_be_guessed(ring):
    """An index depends on the key, or a list of all identifiers would open it."""
    other = type(ring)(ring.masters, (type(ring.blinds[0])(1, b"z" * 32, "2026-11-01"),), ring.digest)
    assert BlindIndex(ring).index("identifier", "1") != BlindIndex(other).index("identifier", "1")


def test_during_rotation_a_look_up_asks_under_every_key(ring):
    """Rows not yet rewritten are still found; new rows are written under the new key."""
    before = BlindIndex(ring).index("identifier", "3300012345")
    turned = BlindIndex(ring.with_new_blind())
    after = turned.index("identifier", "3300012345")
    assert after != before
    assert after[0] == 2
    assert turned.all("identifier", "3300012345") == (after, before)
    assert turned.index("identifier", "3300012345", key_id=1) == before


def test_a_blind_key_that_is_gone_is_told(ring):
    """Rows under a removed key are not silently not found."""
    with pytest.raises(KeyMissing, match="9"):
        BlindIndex(ring).index("identifier", "1", key_id=9)
