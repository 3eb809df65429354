"""Passwords: what is refused, how they are kept, what is handed out."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.security.passwords import (
    ONE_TIME_ALPHABET,
    hash_password,
    is_outdated,
    is_password,
    one_time_password,
    weakness,
)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("Abc@1234", "common"),
        ("Viettel@2023", "common"),
        ("viettel@2026", "common"),
        ("VIETTEL 12345", "common"),
        ("Abc@123456789", "common"),
        ("Matkhau@123", "common"),
        ("Mật khẩu 2026", "common"),
        ("Giáo-viên.THCS 2026", "common"),
        ("P@ssw0rd123", "common"),
        ("Admin@Vnpt2025", "common"),
        ("qwertyuiop", "monotonous"),
        ("1234567890", "monotonous"),
        ("aaaaaaaaaaaa", "monotonous"),
        ("abababababab", "monotonous"),
        ("0987654321!", "monotonous"),
        ("hoa.nguyen1", "personal"),
        ("Nguyễn Hoa 85", "personal"),
        ("kem sua da", None),
        ("con mèo ngủ trên mái", None),
        ("t7%Kq-r2xZ", None),
        ("k7%Kq-r2x", "short"),
        ("x" * 3 + "long enough " * 20, "long"),
    ],
)
def test_guessable_passwords_are_refused_in_every_spelling(password, why):
    """The defaults that other systems gave out come first; a plain long sentence is good."""
    assert weakness(password, login="hoa.nguyen", name="Nguyễn Thị Hoa") == why


@given(st.text(max_size=300), st.text(max_size=20), st.text(max_size=40))
def test_any_text_gets_an_answer(password, login, name):
    """No odd sign crashes the page on which passwords are chosen, and nothing short ever passes."""
    found = weakness(password, login=login, name=name)
    assert found in ("short", "long", "common", "monotonous", "personal", None)
    assert found is not None or len(password) >= 10


def test_a_hash_knows_its_password_and_no_other():
    """Argon2id with its own salt: equal passwords have different hashes. NFD and NFC are one password."""
    one, other = hash_password("cà phê sữa đá"), hash_password("cà phê sữa đá")
    assert one != other
    assert one.startswith("$argon2id$")
    assert is_password(one, "cà phê sữa đá")
    assert is_password(one, normalize("NFD", "cà phê sữa đá"))
    assert not is_password(one, "ca phe sua da")
    assert not is_outdated(one)


def test_no_hash_and_a_damaged_hash_are_no_password():
    """A user who does not exist cannot be told from a wrong password, and never signs in."""
    assert not is_password(None, "cà phê sữa đá")
    assert not is_password("damaged", "cà phê sữa đá")


def test_a_hash_with_weaker_parameters_is_outdated():
    """Parameters can be raised later without a reset for everybody."""
    weak = "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$bWFkZSB1cCBoYXNoIG1hZGUgdXAgaGFzaCAhIQ"
    assert is_outdated(weak)


def test_one_time_passwords_are_random_readable_and_good():
    """Nothing to confuse when read aloud, none twice, and none that the policy itself would refuse."""
    handed = {one_time_password() for _ in range(200)}
    assert len(handed) == 200
    assert {len(password) for password in handed} == {19}
    assert set("".join(handed)) <= set(ONE_TIME_ALPHABET + "-")
    assert not set("01oil") & set(ONE_TIME_ALPHABET)
    assert {weakness(password) for password in handed} == {None}
