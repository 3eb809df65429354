"""Blind indexes: keyed fingerprints that let encrypted values be found by equality and by nothing else.

An index is the key id (1 byte) and 15 bytes of HMAC-SHA-256 over kind NUL value. Folding (case, marks, zeros)
is the caller's work; here a value is only brought to NFC, so that one text typed in two ways is one value.
"""

import hmac
from unicodedata import is_normalized, normalize

from gateway.model.errors import KeyMissing
from gateway.security.keys import KeyRing

INDEX_BYTES = 16


class BlindIndex:
    """Computes blind indexes under the keys of one ring."""

    def __init__(self, keyring: KeyRing) -> None:
        self._keys = {key.id: key.material for key in keyring.blinds}
        self._prefixes = {key.id: bytes([key.id]) for key in keyring.blinds}
        self.active_id = keyring.active_blind.id

    def index(self, kind: str, value: str, key_id: int | None = None) -> bytes:
        """16 bytes for equality search. `kind` ("identifier", "full_name") keeps kinds apart.

        Raises: KeyMissing when `key_id` is not in the keys file; ValueError when `kind` holds a NUL.
        """
        chosen = self.active_id if key_id is None else key_id
        key = self._keys.get(chosen)
        if key is None:
            raise KeyMissing(f"blind key {chosen} is not in the keys file")
        return self._prefixes[chosen] + hmac.digest(key, _message(kind, value), "sha256")[: INDEX_BYTES - 1]

    def all(self, kind: str, value: str) -> tuple[bytes, ...]:
        """The index under every key, the active one first: what a look-up asks for while rows are rewritten."""
        message = _message(kind, value)
        ordered = sorted(self._keys, key=lambda key_id: key_id != self.active_id)
        return tuple(
            self._prefixes[key_id] + hmac.digest(self._keys[key_id], message, "sha256")[: INDEX_BYTES - 1]
            for key_id in ordered
        )


def _message(kind: str, value: str) -> bytes:
    if "\0" in kind:
        raise ValueError("the kind of a blind index holds no NUL")
    text = value if is_normalized("NFC", value) else normalize("NFC", value)
    return kind.encode() + b"\0" + text.encode("utf-8", "surrogatepass")
