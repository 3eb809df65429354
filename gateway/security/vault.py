"""Encryption at rest: values sealed by AES-256-GCM under monthly data keys, which the master key wraps.

A sealed value is version (1 byte), data key id (4), nonce (12), ciphertext with tag. Its associated data
(`aad`) names the row and column, so that a value moved to another place does not open.
Source: docs/security.md; NIST SP 800-38D section 8.2.2 (random nonces, at most 2^32 values under one key).
"""

import secrets
from functools import cache
from os import urandom
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.model.errors import KeyMissing, SealBroken
from gateway.security.keys import KEY_BYTES, Key, KeyRing

LASTING = 0  # the month of the data key for rows that outlive every month: people, vendor secrets, settings

_VERSION = b"\x01"
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + 4 + _NONCE_BYTES
_TAG_BYTES = 16


class WrappedKey(NamedTuple):
    """A data key as the database stores it: useless without the master key it names."""

    key_id: int  # 1..2^31-1, random, so that two processes need not agree on a counter
    month: int  # yyyymm, or LASTING
    master_id: str
    wrapped: bytes


class Vault:
    """Seals and opens values. Holds the data keys given to `add`; storing them is the caller's work."""

    def __init__(self, keyring: KeyRing) -> None:
        self._keyring = keyring
        self._ciphers: dict[int, AESGCM] = {}
        self._headers: dict[int, bytes] = {}
        self._months: dict[int, int] = {}  # key id -> month, in the order added
        self._masters: dict[str, AESGCM] = {}
        self._active: int | None = None

    def new_data_key(self, month: int) -> WrappedKey:
        """Make a data key for `month` (yyyymm or LASTING).

        It is not in use yet: store it, commit, and only then `add` it, or a rollback would leave sealed rows
        that no key opens.
        """
        key_id = 1 + secrets.randbelow(2**31 - 1)
        return self._wrap(key_id, month, secrets.token_bytes(KEY_BYTES))

    def add(self, key: WrappedKey) -> None:
        """Take a stored data key into use. Raises: KeyMissing when its master key is not in the keys file."""
        self._ciphers[key.key_id] = AESGCM(self._unwrap(key))
        self._headers[key.key_id] = _VERSION + key.key_id.to_bytes(4, "big")
        self._months[key.key_id] = key.month
        self._choose()

    def has(self, key_id: int) -> bool:
        """Whether this data key is in use here already."""
        return key_id in self._ciphers

    def knows(self, blob: bytes) -> bool:
        """Whether the data key that a sealed value names is in use here; if not, it may just not be loaded."""
        return int.from_bytes(blob[1:5], "big") in self._ciphers

    def forget(self, key_id: int) -> None:
        """Drop a data key from memory, once its row has been destroyed: what it sealed is gone for good."""
        for known in (self._ciphers, self._headers, self._months):
            known.pop(key_id, None)
        self._choose()

    def key_of(self, month: int) -> int:
        """The data key id for a month, the one last added. Raises: KeyMissing when none was."""
        for key_id in reversed(self._months):
            if self._months[key_id] == month:
                return key_id
        raise KeyMissing(f"no data key for month {month} has been loaded")

    def _choose(self) -> None:
        """What `seal` uses by default; never the lasting key, whose rows no month's end would erase."""
        latest = max((month for month in self._months.values() if month != LASTING), default=None)
        self._active = None if latest is None else self.key_of(latest)

    def rewrap(self, key: WrappedKey) -> WrappedKey:
        """The same data key under the active master key; sealed rows stay as they are."""
        return self._wrap(key.key_id, key.month, self._unwrap(key))

    def seal(self, plaintext: bytes, aad: bytes, key_id: int | None = None) -> bytes:
        """Encrypt under `key_id`, or the data key of the latest month. Raises: KeyMissing."""
        chosen = self._active if key_id is None else key_id
        cipher = self._ciphers.get(chosen) if chosen is not None else None
        if cipher is None or chosen is None:
            raise KeyMissing("no data key of a month has been loaded" if chosen is None else _unknown(chosen))
        nonce = urandom(_NONCE_BYTES)
        return self._headers[chosen] + nonce + cipher.encrypt(nonce, plaintext, aad)

    def open(self, blob: bytes, aad: bytes) -> bytes:
        """Decrypt. Raises: KeyMissing (load the data keys again, or the key was destroyed); SealBroken."""
        if len(blob) < _HEADER_BYTES + _TAG_BYTES or blob[:1] != _VERSION:
            raise SealBroken("not a sealed value of version 1")
        key_id = int.from_bytes(blob[1:5], "big")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise KeyMissing(_unknown(key_id))
        try:
            return cipher.decrypt(blob[5:_HEADER_BYTES], blob[_HEADER_BYTES:], aad)
        except InvalidTag:
            raise SealBroken("a sealed value was changed, or stands in another row or column") from None

    def _wrap(self, key_id: int, month: int, data_key: bytes) -> WrappedKey:
        master = self._keyring.active_master
        nonce = urandom(_NONCE_BYTES)
        wrapped = self._cipher_of(master).encrypt(nonce, data_key, _wrap_aad(key_id, month, master.id))
        return WrappedKey(key_id, month, master.id, _VERSION + nonce + wrapped)

    def _unwrap(self, key: WrappedKey) -> bytes:
        master = self._keyring.master(key.master_id)
        start = len(_VERSION) + _NONCE_BYTES
        if len(key.wrapped) != start + KEY_BYTES + _TAG_BYTES or key.wrapped[:1] != _VERSION:
            raise SealBroken(f"data key {key.key_id} is not a wrapped key of version 1")
        try:
            return self._cipher_of(master).decrypt(
                key.wrapped[len(_VERSION) : start], key.wrapped[start:], _wrap_aad(*key[:3])
            )
        except InvalidTag:
            raise KeyMissing(
                f"data key {key.key_id} does not open with master key {master.id}: "
                "the keys file belongs to another installation, or the row was changed"
            ) from None

    def _cipher_of(self, master: Key[str]) -> AESGCM:
        if master.id not in self._masters:
            self._masters[master.id] = AESGCM(master.material)
        return self._masters[master.id]


def aad(table: str, column: str, *parts: str | int | bytes) -> bytes:
    """Associated data that names one place: ("payloads", "body", vendor, event_id, revision).

    Each part is preceded by its type and length, so no two different lists give the same bytes.
    """
    return _column(table, column) + b"".join(map(_part, parts))


@cache
def _column(table: str, column: str) -> bytes:
    return _part(table) + _part(column)


def _part(part: str | int | bytes) -> bytes:
    if isinstance(part, str):
        raw = part.encode("utf-8", "surrogatepass")  # any text may name a row
        return b"s" + len(raw).to_bytes(4, "big") + raw
    if isinstance(part, bytes):
        return b"b" + len(part).to_bytes(4, "big") + part
    raw = b"%d" % part
    return b"i" + len(raw).to_bytes(4, "big") + raw


def _wrap_aad(key_id: int, month: int, master_id: str) -> bytes:
    return aad("data_keys", "wrapped", key_id, month, master_id)


def _unknown(key_id: int) -> str:
    return f"data key {key_id} has not been loaded, or was destroyed"
