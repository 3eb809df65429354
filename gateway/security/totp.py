"""Second factor: time-based one-time codes as authenticator apps show them. Source: RFC 6238, RFC 4226.

Six digits, thirty seconds, SHA-1: what every app supports. A code is taken within one step before or after now,
and only once: the caller keeps the step of the last code and passes it in.
"""

import hmac
import secrets
from base64 import b32encode
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20  # as long as the hash, RFC 4226 section 4
_DRIFT_STEPS = 1


def new_secret() -> bytes:
    """A random secret. Store it sealed."""
    return secrets.token_bytes(SECRET_BYTES)


def code_at(secret: bytes, step: int, *, digits: int = DIGITS, algorithm: str = "sha1") -> str:
    """The code of one step (RFC 4226 section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), algorithm)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def matching_step(secret: bytes, code: str, now_ms: int, *, last_step: int = 0) -> int | None:
    """The step that this code belongs to, or None. Steps up to `last_step` have been used."""
    given = "".join(code.split())
    if len(given) != DIGITS or not (given.isascii() and given.isdigit()):
        return None
    now = now_ms // (STEP_S * 1000)
    found: int | None = None
    for step in range(max(now - _DRIFT_STEPS, 0), now + _DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step), given) and step > last_step and found is None:
            found = step
    return found


def written(secret: bytes) -> str:
    """The secret as people type it into an app."""
    return b32encode(secret).decode().rstrip("=")


def otpauth_uri(secret: bytes, *, login: str, issuer: str) -> str:
    """What a QR code carries. It is as secret as the secret: never log it."""
    label = f"{quote(issuer, safe='')}:{quote(login, safe='')}"
    query = urlencode(
        {
            "secret": written(secret),
            "issuer": issuer,
            "algorithm": "SHA1",
            "digits": DIGITS,
            "period": STEP_S,
        },
        quote_via=quote,
    )
    return f"otpauth://totp/{label}?{query}"
