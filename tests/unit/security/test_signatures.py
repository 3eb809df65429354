"""Signatures of Standard Webhooks: fixed vectors, the public library as the peer, and exact refusals."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from gateway.model.errors import SignatureRefused
from gateway.security.signature_faults import MAX_BODY_BYTES
from gateway.security.signatures import new_secret, secret_key, sign, verify

CONTRACT = json.loads(Path("contracts/gateway/signature_vectors.json").read_text("utf-8"))
VECTORS = CONTRACT["vectors"]
SECRET = "whsec_" + "QUJD" * 11
NOW_S = 1_790_000_000


def run(vector: dict) -> int:
    return verify(
        vector["secrets"],
        vector["headers"],
        vector["body"].encode(),
        vector["now_s"],
        expired_secrets=vector.get("expired_secrets", ()),
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_every_vector_of_the_contract_holds(vector):
    """What the contract tells vendors is what the code does, accepted or refused with the stated fault."""
    if "fault" in vector:
        with pytest.raises(SignatureRefused) as refused:
            run(vector)
        assert refused.value.fault == vector["fault"]
    else:
        assert run(vector) == vector["accepted_by"]


def test_the_vectors_cover_every_documented_fault():
    """A code in the contract without an example is a code nobody has tried."""
    assert {vector["fault"] for vector in VECTORS if "fault" in vector} == set(CONTRACT["faults"])


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["name"] == "a plain item"], ids=lambda v: v["name"])
def test_signing_gives_the_bytes_of_the_contract(vector):
    """Our callbacks are signed exactly as the vectors were, by other code."""
    headers = vector["headers"]
    made = sign(
        vector["secrets"][0], headers["webhook-id"], int(headers["webhook-timestamp"]), vector["body"].encode()
    )
    assert made == headers


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.integers(0, 2_000_000_000))
def test_we_accept_what_the_public_library_signs(text, at_s):
    """A vendor with the library of Standard Webhooks needs nothing of ours."""
    signature = Webhook(SECRET).sign("msg_1", datetime.fromtimestamp(at_s, UTC), text)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(at_s), "webhook-signature": signature}
    assert verify([new_secret(), SECRET], headers, text.encode(), at_s) == 1


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), st.integers() | st.none(), max_size=4)
)
def test_the_public_library_accepts_what_we_sign(content):
    """A vendor checks our callbacks with the library, at the time of its own clock."""
    body = json.dumps(content, ensure_ascii=False).encode()
    headers = sign(SECRET, "msg_1", int(time.time()), body)
    assert Webhook(SECRET).verify(body, headers) == content


def test_a_new_secret_works_in_the_public_library():
    """The secret we show once has the length and form the standard asks for."""
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert len(secret_key(secret)) == 32
    assert new_secret() != secret
    assert Webhook(secret).verify(b"{}", sign(secret, "msg_1", int(time.time()), b"{}")) == {}


def test_a_key_in_bytes_is_the_same_secret():
    """The secret may be decoded once and kept as bytes."""
    assert sign(secret_key(SECRET), "m", NOW_S, b"x") == sign(SECRET, "m", NOW_S, b"x")


@pytest.mark.parametrize("secret", ["whsec_", "", "whsec_QUJD", "whsec_!!!!", b"short", b"x" * 65, "whsec_ü"])
def test_a_weak_or_damaged_secret_is_refused(secret):
    """With an empty key anybody could sign; the message does not quote the secret."""
    with pytest.raises(ValueError, match="a secret") as refused:
        sign(secret, "m", NOW_S, b"x")
    assert "!!!!" not in str(refused.value)


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "á", "x" * 257, "a\n"])
def test_an_id_that_cannot_be_signed_is_refused(message_id):
    """A dot would let id and timestamp trade characters."""
    with pytest.raises(ValueError, match="message id"):
        sign(SECRET, message_id, NOW_S, b"")


def refusal(headers: dict[str, str], body: bytes = b"{}", now_s: int = NOW_S) -> SignatureRefused:
    with pytest.raises(SignatureRefused) as refused:
        verify([SECRET], headers, body, now_s)
    return refused.value


@pytest.mark.parametrize(
    ("now_s", "said"),
    [
        (NOW_S + 412, "412 s behind server time 2026-09-21T14:20:12Z"),
        (NOW_S - 3600, "3600 s ahead of server time 2026-09-21T13:13:20Z"),
    ],
)
def test_a_clock_that_is_off_is_told_by_how_much(now_s, said):
    """The engineer sees at once that it is the clock, by how many seconds, and the server's time."""
    assert said in str(refusal(sign(SECRET, "m", NOW_S, b"{}"), now_s=now_s))


def test_milliseconds_are_recognised():
    """The most common wrong timestamp is named."""
    headers = sign(SECRET, "m", NOW_S, b"{}") | {"webhook-timestamp": f"{NOW_S}000"}
    assert "milliseconds" in str(refusal(headers))


@pytest.mark.parametrize("timestamp", ["", "-1", "1e9", "1_790_000_000", "١٧٩٠", " 1790000000", "9" * 40])
def test_odd_timestamps_are_refused_and_never_crash(timestamp):
    """Only plain ASCII digits are Unix seconds; int() would take more."""
    headers = sign(SECRET, "m", NOW_S, b"{}") | {"webhook-timestamp": timestamp}
    assert refusal(headers).fault in ("signature.bad_timestamp", "signature.missing_header")


@pytest.mark.parametrize("signature", ["v1,", "v1,ä\udcff", "v1, ", "v1," + "A" * 5000, " v1,x  v1,y "])
def test_odd_signatures_are_refused_and_never_crash(signature):
    """Header bytes that are no ASCII arrive as surrogates; they match nothing."""
    headers = sign(SECRET, "m", NOW_S, b"{}") | {"webhook-signature": signature}
    assert refusal(headers).fault == "signature.no_match"


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_another_body_is_never_accepted(signed, sent):
    """Whatever the diagnosis says, only the signed bytes pass."""
    headers = sign(SECRET, "m", NOW_S, signed)
    if signed == sent:
        assert verify([SECRET], headers, sent, NOW_S) == 0
    else:
        assert refusal(headers, sent).fault in ("signature.body_changed", "signature.no_match")


def test_a_large_body_gets_the_general_answer():
    """Guessing is bounded: a stranger must not buy our time with large bodies."""
    body = b"[" + b" " * MAX_BODY_BYTES + b"]"
    assert refusal(sign(SECRET, "m", NOW_S, body), body + b"\n").fault == "signature.no_match"


@pytest.mark.parametrize("body", [b"[" * 5000, b'{"a":' * 5000, b'"\\ud800"', b"\xff\xfe", b"1" * 5000])
def test_diagnosing_an_odd_body_never_crashes(body):
    """Deep nesting, lone surrogates and endless numbers reach the diagnosis before any parser."""
    assert refusal(sign(SECRET, "m", NOW_S, b"other"), body).fault == "signature.no_match"


@pytest.mark.parametrize("vector", [v for v in VECTORS if "fault" in v], ids=lambda v: v["name"])
def test_no_refusal_shows_a_secret_or_a_body(vector):
    """The message goes to whoever asked and into logs."""
    with pytest.raises(SignatureRefused) as refused:
        run(vector)
    told = str(refused.value)
    assert not any(secret[6:] in told for secret in vector["secrets"])
    assert "0912345678" not in told
