"""Encryption at rest: what is sealed opens only in its place, and only while its keys exist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.errors import KeyMissing, SealBroken
from gateway.security.vault import LASTING, Vault, aad

PLACE = aad("payloads", "body", "viettel", "e-1", 1)


@pytest.fixture
def vault(ring) -> Vault:
    vault = Vault(ring)
    vault.add(vault.new_data_key(202611))
    return vault


@pytest.mark.parametrize("plaintext", [b"", b"x", "Nguyễn Thị Hòa".encode(), b"\0" * 100_000])
def test_what_is_sealed_opens_again(vault, plaintext):
    """Any bytes come back unchanged, and are not readable in between."""
    blob = vault.seal(plaintext, PLACE)
    assert vault.open(blob, PLACE) == plaintext
    assert len(blob) == 1 + 4 + 12 + len(plaintext) + 16
    assert b"Nguy" not in blob


def test_equal_values_are_sealed_differently(vault):
    """Equal rows must not be seen to be equal."""
    assert vault.seal(b"same", PLACE) != vault.seal(b"same", PLACE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        aad("payloads", "body", "viettel", "e-2", 1),
        aad("payloads", "body", "viettel", "e-1", 2),
        aad("payloads", "excerpt", "viettel", "e-1", 1),
        aad("people", "body", "viettel", "e-1", 1),
        b"",
    ],
)
def test_a_value_moved_to_another_row_or_column_does_not_open(vault, elsewhere):
    """Whoever can write the database cannot give one person another's file."""
    blob = vault.seal(b"secret", PLACE)
    with pytest.raises(SealBroken, match="another row or column"):
        vault.open(blob, elsewhere)


def test_any_changed_byte_is_noticed(vault):
    """No byte of a sealed value can be changed unseen."""
    blob = vault.seal(b"secret", PLACE)
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 1
        with pytest.raises((SealBroken, KeyMissing)):
            vault.open(bytes(changed), PLACE)


@pytest.mark.parametrize("blob", [b"", b"\x01", b"\x01" + b"0" * 31, b"\x02" + b"0" * 60])
def test_what_is_no_sealed_value_is_refused(vault, blob):
    """A truncated or foreign value is told apart from a missing key."""
    with pytest.raises(SealBroken):
        vault.open(blob, PLACE)


def test_another_process_opens_with_the_stored_key(ring):
    """serve seals, work opens: only the wrapped key passes between them."""
    first, second = Vault(ring), Vault(ring)
    stored = first.new_data_key(202611)
    first.add(stored)
    second.add(stored)
    assert second.open(first.seal(b"secret", PLACE), PLACE) == b"secret"


def test_a_new_key_is_not_in_use_before_it_is_added(ring):
    """A key whose insert is rolled back must not have sealed anything."""
    vault = Vault(ring)
    vault.new_data_key(202611)
    with pytest.raises(KeyMissing, match="no data key"):
        vault.seal(b"secret", PLACE)


def test_the_latest_month_seals_and_older_months_still_open(ring):
    """Rows of one month share one key, so that a month can be erased."""
    vault = Vault(ring)
    december, november = vault.new_data_key(202612), vault.new_data_key(202611)
    vault.add(december)
    old = vault.seal(b"old", PLACE)
    vault.add(november)
    assert vault.seal(b"new", PLACE)[1:5] == december.key_id.to_bytes(4, "big")
    chosen = vault.seal(b"chosen", PLACE, vault.key_of(202611))
    assert chosen[1:5] == november.key_id.to_bytes(4, "big")
    assert vault.open(chosen, PLACE) + vault.open(old, PLACE) == b"chosenold"


def test_the_lasting_key_is_used_only_when_asked_for(ring):
    """A row of a month sealed under the lasting key would outlive its erasure."""
    vault = Vault(ring)
    vault.add(vault.new_data_key(LASTING))
    with pytest.raises(KeyMissing):
        vault.seal(b"row of a month", PLACE)
    assert vault.open(vault.seal(b"vendor secret", PLACE, vault.key_of(LASTING)), PLACE) == b"vendor secret"


def test_a_destroyed_data_key_makes_its_rows_unreadable(ring):
    """Erasure by destroying the key: the rows stay and say nothing."""
    vault = Vault(ring)
    november = vault.new_data_key(202611)
    vault.add(november)
    blob = vault.seal(b"secret", PLACE)
    vault.forget(november.key_id)
    with pytest.raises(KeyMissing, match=str(november.key_id)):
        vault.open(blob, PLACE)
    with pytest.raises(KeyMissing):
        vault.key_of(202611)


def test_forgetting_one_of_two_keys_of_a_month_leaves_the_other(ring):
    """Two processes may have made a key for one month; both are in use."""
    vault = Vault(ring)
    one, two = vault.new_data_key(202611), vault.new_data_key(202611)
    vault.add(one)
    vault.add(two)
    vault.forget(two.key_id)
    assert vault.key_of(202611) == one.key_id
    assert vault.seal(b"", PLACE)[1:5] == one.key_id.to_bytes(4, "big")


def test_rewrapping_under_a_new_master_leaves_rows_alone(ring):
    """After a rotation the old master can be destroyed without touching a row."""
    vault = Vault(ring)
    stored = vault.new_data_key(202611)
    vault.add(stored)
    blob = vault.seal(b"secret", PLACE)
    turned = ring.with_new_master()
    moved = Vault(turned).rewrap(stored)
    assert (moved.key_id, moved.month, moved.master_id) == (stored.key_id, 202611, "m2")
    only_new = Vault(type(ring)(turned.masters[1:], turned.blinds, turned.digest))
    only_new.add(moved)
    assert only_new.open(blob, PLACE) == b"secret"
    with pytest.raises(KeyMissing, match="m1"):
        only_new.add(stored)


def test_the_keys_file_of_another_installation_is_told(ring):
    """A restored database with the wrong keys file must not look like damaged rows."""
    stored = Vault(ring).new_data_key(202611)
    other = type(ring)((ring.masters[0].__class__("m1", b"x" * 32, "2026-11-01"),), ring.blinds, ring.digest)
    with pytest.raises(KeyMissing, match="another installation"):
        Vault(other).add(stored)


def test_a_wrapped_key_cannot_pose_as_that_of_another_month(ring):
    """Moving a wrapped key to another row would defeat the erasure of its month."""
    vault = Vault(ring)
    stored = vault.new_data_key(202611)
    with pytest.raises(KeyMissing):
        vault.add(stored._replace(month=202612))
    with pytest.raises(SealBroken):
        vault.add(stored._replace(wrapped=stored.wrapped[:-1]))


parts = st.lists(
    st.one_of(st.text(st.characters(), max_size=4), st.integers(), st.binary(max_size=4)), max_size=4
)


@given(parts, parts)
def test_two_places_never_share_associated_data(one, other):
    """Length and type stand before each part, so ("a", "bc") is not ("ab", "c") and 1 is not "1"."""
    same = [(type(p), p) for p in one] == [(type(p), p) for p in other]
    assert (aad("t", "c", *one) == aad("t", "c", *other)) is same


def test_lone_surrogates_name_a_place_too():
    """An event id that is no valid text still has its own row."""
    assert aad("t", "c", "\ud800") != aad("t", "c", "\udbff")
