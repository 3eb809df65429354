"""Why a signature did not match: tried by signing what the sender may have signed by mistake.

Only someone who holds the secret can produce any of these, so telling which one it was gives nothing away; none
is ever accepted. The search is bounded, since anybody may send a wrong signature.
"""

import base64
import hmac
import json
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.model.errors import SignatureRefused

MAX_BODY_BYTES = 16 * 1024  # larger bodies get the general answer: guessing would cost more than checking
MAX_SIGNATURES = 4

# What was done instead of what the standard asks for.
RECIPES = {
    "key_not_decoded": "its text was used as the key: decode the base64 after whsec_ first",
    "only_body": "only the body was signed: sign `{id}.{timestamp}.{body}`",
    "no_id": "the id was not signed: sign `{id}.{timestamp}.{body}`",
    "hex": "the signature is hex, not base64",
}
# What happened to the body between signing and sending, or on the way.
CHANGES = {
    "empty": "nothing was signed as the body",
    "white_space": "white space at an end",
    "line_cut": "a line end was cut off",
    "line_ends": "line ends",
    "byte_order_mark": "a byte order mark",
    "written_again": "the JSON was written again",
}

# How serialisers commonly write JSON; indented forms are slow to make, so only the usual one is tried.
_FORMS: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},
    {},
    {"separators": (",", ":"), "sort_keys": True},
    {"sort_keys": True},
    {"indent": 2},
)


def diagnose(
    keys: Sequence[bytes], expired: Sequence[bytes], prefix: bytes, signatures: Sequence[bytes], body: bytes
) -> SignatureRefused:
    """The most exact refusal we can give. `prefix` is `{id}.{timestamp}.`; `signatures` are base64 texts."""
    sent = signatures[:MAX_SIGNATURES]
    if any(_is_sent(sent, key, prefix + body) for key in expired):
        return SignatureRefused("signature.expired_key", "signed with a secret that has expired")
    if not keys:
        return SignatureRefused("signature.unknown_key", "this vendor has no live secret: ask for a new one")
    if len(body) <= MAX_BODY_BYTES:
        for key in keys:
            for variant, recipe_key, content in _recipes(key, prefix, body):
                if _is_sent(sent, recipe_key, content):
                    return _wrong_recipe(variant)
            if _is_hex_sent(sent, key, prefix + body):
                return _wrong_recipe("hex")
        for variant, signed in _variants(body):
            if signed != body and any(_is_sent(sent, key, prefix + signed) for key in keys):
                return SignatureRefused(
                    "signature.body_changed",
                    f"the secret is right, but the body arrived changed ({CHANGES[variant]}): "
                    "sign the bytes that are sent",
                    variant,
                )
    return SignatureRefused(
        "signature.no_match",
        "no live secret of this vendor gives this signature: either it was made with another secret, "
        "or id, timestamp or body were changed after signing",
    )


def _wrong_recipe(variant: str) -> SignatureRefused:
    return SignatureRefused("signature.wrong_recipe", f"the secret is right, but {RECIPES[variant]}", variant)


def _recipes(key: bytes, prefix: bytes, body: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """(what was done, by its key in RECIPES; key used; text signed)."""
    text = base64.b64encode(key)
    yield "key_not_decoded", b"whsec_" + text, prefix + body
    yield "key_not_decoded", text, prefix + body
    yield "only_body", key, body
    yield "no_id", key, prefix.split(b".", 1)[1] + body


def _variants(body: bytes) -> Iterator[tuple[str, bytes]]:
    """(what happened on the way, by its key in CHANGES; the body that may have been signed)."""
    yield "empty", b""
    yield "white_space", body.strip()
    yield "line_cut", body + b"\n"
    yield "line_cut", body + b"\r\n"
    lines = body.replace(b"\r\n", b"\n")
    yield "line_ends", lines
    yield "line_ends", lines.replace(b"\n", b"\r\n")
    yield "byte_order_mark", body.removeprefix(b"\xef\xbb\xbf")
    yield "byte_order_mark", b"\xef\xbb\xbf" + body
    try:
        item = json.loads(body)
    except (ValueError, RecursionError):
        return
    for ascii_only in (False, True):
        for form in _FORMS:
            try:
                yield "written_again", json.dumps(item, ensure_ascii=ascii_only, **form).encode()
            except (ValueError, RecursionError):  # a lone surrogate, or nested too deeply
                continue


def _is_sent(sent: Sequence[bytes], key: bytes, content: bytes) -> bool:
    expected = base64.b64encode(hmac.digest(key, content, "sha256"))
    return any(hmac.compare_digest(expected, signature) for signature in sent)


def _is_hex_sent(sent: Sequence[bytes], key: bytes, content: bytes) -> bool:
    expected = hmac.digest(key, content, "sha256").hex().encode()
    return any(hmac.compare_digest(expected, signature.lower()) for signature in sent)
