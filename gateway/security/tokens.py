"""Short-lived bearer tokens: what a signed request opens, so that what follows need not be signed itself.

A token is `v1.<payload>.<mac>`, both base64url: payload is JSON [vendor id, purpose, subject, expiry in Unix
seconds], mac is HMAC-SHA-256 under a key of its own. Nothing is stored: a token ends by its expiry alone.
Source: decisions record 0030.
"""

import base64
import binascii
import hmac

import orjson

from gateway.model.errors import SignatureRefused

_PREFIX = "v1"
_MAX_CHARS = 1_024


class Tokens:
    """Makes and checks tokens. Every process of an installation makes the same from the same keys file."""

    def __init__(self, secret: bytes) -> None:
        """`secret`: the material of the digest key; tokens get a key derived from it."""
        self._key = hmac.digest(secret, b"lms-temis-gateway bearer tokens v1", "sha256")

    def issue(self, vendor_id: int, purpose: str, expires_at_s: int, subject: str = "") -> str:
        """A token for one vendor and one purpose ("read", "stream"); `subject` is what it is about."""
        payload = _encode(orjson.dumps([vendor_id, purpose, subject, expires_at_s]))
        return f"{_PREFIX}.{payload}.{_encode(self._mac(payload))}"

    def open(self, token: str, vendor_id: int, purpose: str, now_s: int) -> str:
        """The subject of a token that is ours, of this vendor, for this purpose and not expired.

        Raises: SignatureRefused `token.invalid` or `token.expired`.
        """
        prefix, _, rest = token.partition(".")
        payload, _, mac = rest.partition(".")
        if len(token) > _MAX_CHARS or prefix != _PREFIX or not token.isascii():
            raise SignatureRefused("token.invalid", "the bearer token cannot be read")
        if not hmac.compare_digest(_encode(self._mac(payload)), mac):
            raise SignatureRefused("token.invalid", "the bearer token was not issued here")
        whose, what, subject, expires_at_s = orjson.loads(_decode(payload))
        if (whose, what) != (vendor_id, purpose):
            raise SignatureRefused("token.invalid", "the bearer token is for something else")
        if now_s >= expires_at_s:
            raise SignatureRefused("token.expired", "the bearer token has expired")
        return str(subject)

    def _mac(self, payload: str) -> bytes:
        return hmac.digest(self._key, f"{_PREFIX}.{payload}".encode(), "sha256")


def bearer(header: str | None) -> str:
    """The token of an Authorization header (RFC 6750). Raises: SignatureRefused `token.missing`."""
    scheme, _, token = (header or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise SignatureRefused("token.missing", "the header Authorization: Bearer is missing")
    return token.strip()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Only of a payload whose MAC was right: it was encoded here."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:  # pragma: no cover - the MAC stands before it
        raise SignatureRefused("token.invalid", "the bearer token cannot be read") from None
