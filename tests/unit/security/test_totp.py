"""One-time codes against the vectors of the RFC, and what a code may be used for."""

from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.security.totp import code_at, matching_step, new_secret, otpauth_uri, written

SEEDS = {
    "sha1": b"12345678901234567890",
    "sha256": b"12345678901234567890123456789012",
    "sha512": b"1234567890123456789012345678901234567890123456789012345678901234",
}
# RFC 6238, appendix B: seconds since the epoch -> code by hash.
VECTORS = {
    59: ("94287082", "46119246", "90693936"),
    1111111109: ("07081804", "68084774", "25091201"),
    1111111111: ("14050471", "67062674", "99943326"),
    1234567890: ("89005924", "91819424", "93441116"),
    2000000000: ("69279037", "90698825", "38618901"),
    20000000000: ("65353130", "77737706", "47863826"),
}
SECRET = SEEDS["sha1"]
NOW_MS = 1_111_111_109_000


@pytest.mark.parametrize("at_s", VECTORS)
def test_codes_are_those_of_the_rfc(at_s):
    """RFC 6238, appendix B, all three hashes."""
    found = tuple(code_at(SEEDS[name], at_s // 30, digits=8, algorithm=name) for name in SEEDS)
    assert found == VECTORS[at_s]


def test_counter_codes_are_those_of_rfc_4226():
    """RFC 4226, appendix D: the first ten codes."""
    assert [code_at(SECRET, step) for step in range(10)] == [
        "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
    ]  # fmt: skip


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_taken_within_one_step(steps, is_taken):
    """A telephone's clock may be half a minute off, no more."""
    now = NOW_MS // 30_000
    found = matching_step(SECRET, code_at(SECRET, now + steps), NOW_MS)
    assert found == (now + steps if is_taken else None)


def test_a_code_is_taken_once():
    """Who looks over a shoulder cannot use the same code again."""
    code = code_at(SECRET, NOW_MS // 30_000)
    step = matching_step(SECRET, code, NOW_MS)
    assert step is not None
    assert matching_step(SECRET, code, NOW_MS, last_step=step) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "٠٨١٨٠٤", "081 804 1"])
def test_what_is_no_code_is_refused(code):
    """Other lengths, letters and other scripts' digits."""
    assert matching_step(SECRET, code, NOW_MS) is None


def test_spaces_in_a_code_do_not_matter():
    """Apps show it in two groups."""
    assert matching_step(SECRET, "081 804", NOW_MS) == NOW_MS // 30_000


def test_the_address_for_an_app_carries_the_secret_and_who_it_is_for():
    """Base32 without padding; issuer twice, as the apps want it."""
    parts = urlsplit(otpauth_uri(SECRET, login="hoa", issuer="Cổng LMS-TEMIS"))
    query = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/C%E1%BB%95ng%20LMS-TEMIS:hoa"
    assert query["secret"] == [written(SECRET)] == ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"]
    assert query["issuer"] == ["Cổng LMS-TEMIS"]
    assert "+" not in parts.query


def test_secrets_are_long_and_different():
    """RFC 4226 asks for at least 160 bits here."""
    assert len(new_secret()) == 20
    assert new_secret() != new_secret()
