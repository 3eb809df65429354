"""Bearer tokens: bound to vendor, purpose and time, and to nothing that is stored."""

import pytest

from gateway.model.errors import SignatureRefused
from gateway.security.tokens import Tokens, bearer

TOKENS = Tokens(b"k" * 32)
NOW = 1_773_032_400


def refused(token: str, *, vendor: int = 1, purpose: str = "read", now: int = NOW, by: Tokens = TOKENS) -> str:
    with pytest.raises(SignatureRefused) as error:
        by.open(token, vendor, purpose, now)
    return error.value.fault


def test_a_token_tells_what_it_is_about_until_it_expires():
    """The subject comes back as it was given; the expiry itself is already too late."""
    token = TOKENS.issue(1, "stream", NOW + 60, "st_7:2")
    assert TOKENS.open(token, 1, "stream", NOW + 59) == "st_7:2"
    assert refused(token, purpose="stream", now=NOW + 60) == "token.expired"


def test_a_token_is_for_one_vendor_and_one_purpose():
    """Whoever may read may not stream, and no vendor uses another's token."""
    token = TOKENS.issue(1, "read", NOW + 60)
    assert TOKENS.open(token, 1, "read", NOW) == ""
    assert refused(token, vendor=2) == "token.invalid"
    assert refused(token, purpose="stream") == "token.invalid"


def test_another_installation_and_another_key_make_other_tokens():
    """Tokens are made under a key of their own: that of content digests signs none."""
    token = TOKENS.issue(1, "read", NOW + 60)
    assert refused(token, by=Tokens(b"x" * 32)) == "token.invalid"


def test_any_changed_character_is_refused():
    """Every character counts, and no garbage is anything else than refused."""
    token = TOKENS.issue(1, "read", NOW + 60, "s")
    for n in range(len(token)):
        other = token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :]
        assert refused(other) == "token.invalid"
    for garbage in (
        "",
        ".",
        "v1",
        "v1..",
        "v1.a.b",
        "v1.Ă.b",
        "v1." + "a" * 5_000,
        token + "A",
        "v2" + token[2:],
    ):
        assert refused(garbage) == "token.invalid"


@pytest.mark.parametrize("header", [None, "", "Basic dTpw", "Bearer", "Bearer  "])
def test_a_header_without_a_token_says_so(header):
    """Whoever forgot the token reads just that."""
    with pytest.raises(SignatureRefused) as error:
        bearer(header)
    assert error.value.fault == "token.missing"


def test_the_scheme_is_read_in_any_case():
    """RFC 9110: schemes have no case."""
    assert bearer("bearer v1.a.b") == bearer(" Bearer v1.a.b ") == "v1.a.b"
