"""Standard Webhooks signatures: made for our callbacks, checked on what vendors send.

Signed text: `{webhook-id}.{webhook-timestamp}.{body}`, HMAC-SHA-256, header `webhook-signature: v1,<base64>`
(several may follow, separated by spaces). The body is the bytes as received; nothing parses them
before this check.
Source: Standard Webhooks 1.0.0; contracts/gateway/signature_vectors.json.
"""

import base64
import binascii
import hmac
import re
import secrets as random
from collections.abc import Mapping, Sequence

from gateway.model.clock import http_date
from gateway.model.errors import SignatureRefused
from gateway.security.signature_faults import diagnose

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
TOLERANCE_S = 300
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64

_ID = re.compile(r"[!-\-/-~]{1,256}")  # printable ASCII without the dot, which separates the signed parts
_SECONDS = re.compile(r"[0-9]{1,11}")


def new_secret() -> str:
    """A random secret of 32 bytes as the vendor is shown it, once: whsec_<base64>."""
    return PREFIX + base64.b64encode(random.token_bytes(32)).decode()


def secret_key(secret: str | bytes) -> bytes:
    """The key bytes of a secret; bytes are taken as they are.

    Raises: ValueError, which does not quote it, unless it is 24 to 64 bytes: an empty key lets anybody sign.
    """
    key = secret if isinstance(secret, bytes) else _decode(secret)
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise ValueError(f"a secret holds {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes")
    return key


def _decode(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a secret is whsec_ and base64") from None


def sign(secret: str | bytes, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers for `body`. Raises: ValueError when `message_id` is empty or has a dot."""
    if not _ID.fullmatch(message_id):
        raise ValueError("a message id is 1..256 printable ASCII characters without a dot")
    signature = _mac(secret_key(secret), message_id, str(timestamp_s), body)
    return {ID: message_id, TIMESTAMP: str(timestamp_s), SIGNATURE: f"v1,{signature.decode()}"}


def verify(
    secrets: Sequence[str | bytes],
    headers: Mapping[str, str],
    body: bytes,
    now_s: int,
    tolerance_s: int = TOLERANCE_S,
    expired_secrets: Sequence[str | bytes] = (),
) -> int:
    """Check a signed message against the live `secrets`.

    `headers` may be spelt in any case. `expired_secrets` only make the answer to a refusal more exact.
    Returns: the index of the secret that matched.
    Raises: SignatureRefused, whose message is safe to answer with; its `fault` is one of the codes in
        contracts/gateway/signature_vectors.json.
    """
    message_id, timestamp, sent = (_header(headers, name) for name in (ID, TIMESTAMP, SIGNATURE))
    if not _ID.fullmatch(message_id):
        raise SignatureRefused(
            "signature.bad_id", f"{ID} must be 1 to 256 printable ASCII characters without a dot"
        )
    _check_clock(timestamp, now_s, tolerance_s)
    signatures = [part[3:].encode("utf-8", "replace") for part in sent.split(" ") if part.startswith("v1,")]
    if not signatures:
        raise SignatureRefused("signature.bad_format", f"{SIGNATURE} must hold `v1,` and a base64 HMAC-SHA-256")
    keys = [secret_key(secret) for secret in secrets]
    for index, key in enumerate(keys):
        expected = _mac(key, message_id, timestamp, body)
        if any(hmac.compare_digest(expected, signature) for signature in signatures):
            return index
    expired = [secret_key(secret) for secret in expired_secrets]
    raise diagnose(keys, expired, f"{message_id}.{timestamp}.".encode(), signatures, body)


def _mac(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256"))


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if value is None:  # a plain dict with Webhook-Id; the server's own mapping has no case
        value = next((text for key, text in headers.items() if key.lower() == name), "")
    if not value:
        raise SignatureRefused("signature.missing_header", f"the header {name} is missing", header=name)
    return value


def _check_clock(timestamp: str, now_s: int, tolerance_s: int) -> None:
    if not _SECONDS.fullmatch(timestamp):
        in_ms = re.fullmatch(r"[0-9]{12,14}", timestamp)
        hint = "; it looks like milliseconds" if in_ms else ""
        server_time = http_date(now_s * 1000)
        raise SignatureRefused(
            "signature.bad_timestamp",
            f"{TIMESTAMP} must be Unix seconds as a whole number{hint}; server time {server_time} is {now_s}",
            "milliseconds" if in_ms else None,
            server_time=server_time,
            now_s=now_s,
        )
    off_s = int(timestamp) - now_s
    if abs(off_s) > tolerance_s:
        side = "ahead of" if off_s > 0 else "behind"
        server_time = http_date(now_s * 1000)
        raise SignatureRefused(
            "signature.clock_off",
            f"{TIMESTAMP} is {abs(off_s)} s {side} server time {server_time} (at most {tolerance_s} s)",
            "ahead" if off_s > 0 else "behind",
            off_s=abs(off_s),
            server_time=server_time,
            tolerance_s=tolerance_s,
        )
