"""The key ring: master, blind and digest keys from the keys file (GATEWAY_KEYS_FILE).

File: {"version": 1, "master": [{"id": "m1", "key": <base64>, "created": "2026-11-22"}],
"blind": [{"id": 1, "key": …, "created": …}], "digest": {"id": "d1", "key": …, "created": …}};
every key is 32 bytes. The last master and the last blind key are the active ones; older ones stay until
nothing refers to them.
"""

import base64
import binascii
import json
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from gateway.model.clock import Clock, SystemClock, local_date
from gateway.model.errors import ConfigError, KeyMissing
from gateway.security import private_file

KEY_BYTES = 32
FILE_VERSION = 1
MAX_BLIND_ID = 255  # one byte in front of each blind index

Id = TypeVar("Id", str, int)


@dataclass(frozen=True, slots=True)
class Key(Generic[Id]):
    """One key of the ring. Its material never shows in a repr, a log or an error."""

    id: Id
    material: bytes = field(repr=False)
    created: str  # yyyy-mm-dd


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of one installation, immutable; a rotation is a new ring."""

    masters: tuple[Key[str], ...]
    blinds: tuple[Key[int], ...]
    digest: Key[str]

    @classmethod
    def generate(cls, path: Path, clock: Clock | None = None) -> Self:
        """Make a first ring and write it, mode 0600. Raises: ConfigError when `path` exists."""
        today = _today(clock)
        ring = cls((_new_key("m1", today),), (_new_key(1, today),), _new_key("d1", today))
        private_file.create(path, ring._to_json())
        return ring

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the keys file. Raises: ConfigError saying what is wrong, never what is in it."""
        try:
            content = private_file.read(path)
        except FileNotFoundError:
            raise ConfigError(f"keys file {path} is missing: run `gateway init`, or restore it") from None
        try:
            return cls._from_json(content)
        except _Malformed as fault:
            raise ConfigError(f"keys file {path}: {fault}") from None

    def save(self, path: Path) -> None:
        """Replace the keys file in one step (after a rotation)."""
        private_file.replace(path, self._to_json())

    @property
    def active_master(self) -> Key[str]:
        return self.masters[-1]

    @property
    def active_blind(self) -> Key[int]:
        return self.blinds[-1]

    def master(self, key_id: str) -> Key[str]:
        """The master key with this id. Raises: KeyMissing."""
        for key in self.masters:
            if key.id == key_id:
                return key
        raise KeyMissing(f"master key {key_id} is not in the keys file")

    def with_new_master(self, clock: Clock | None = None) -> Self:
        """A ring whose active master is new; older ones stay to open what they wrapped."""
        number = 1 + max(int(key.id[1:]) if key.id[1:].isdigit() else 0 for key in self.masters)
        return replace(self, masters=(*self.masters, _new_key(f"m{number}", _today(clock))))

    def with_new_blind(self, clock: Clock | None = None) -> Self:
        """A ring whose active blind key is new. Raises: ConfigError when all 255 ids are used."""
        free = [n for n in range(1, MAX_BLIND_ID + 1) if n not in {key.id for key in self.blinds}]
        if not free:
            raise ConfigError("all 255 blind key ids are in use: remove keys that nothing refers to")
        return replace(self, blinds=(*self.blinds, _new_key(free[0], _today(clock))))

    def _to_json(self) -> bytes:
        document = {
            "version": FILE_VERSION,
            "master": [_describe(key) for key in self.masters],
            "blind": [_describe(key) for key in self.blinds],
            "digest": _describe(self.digest),
        }
        return json.dumps(document, indent=2).encode() + b"\n"

    @classmethod
    def _from_json(cls, content: bytes) -> Self:
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            raise _Malformed("is not JSON (cut short, or not a keys file)") from None
        if not isinstance(document, dict):
            raise _Malformed("holds no JSON object")
        if document.get("version") != FILE_VERSION:
            raise _Malformed(f"expected version {FILE_VERSION}; this release cannot read another one")
        masters = tuple(_read_key(row, f"master[{i}]", str) for i, row in enumerate(_rows(document, "master")))
        blinds = tuple(_read_key(row, f"blind[{i}]", int) for i, row in enumerate(_rows(document, "blind")))
        digest = _read_key(document.get("digest"), "digest", str)
        for name, ids in (("master", [k.id for k in masters]), ("blind", [k.id for k in blinds])):
            if len(set(ids)) != len(ids):
                raise _Malformed(f"two {name} keys have the same id")
        if not all(1 <= key.id <= MAX_BLIND_ID for key in blinds):
            raise _Malformed(f"a blind key id is outside 1..{MAX_BLIND_ID}")
        keys: tuple[Key[Any], ...] = (*masters, *blinds, digest)
        materials = [key.material for key in keys]
        if len(set(materials)) != len(materials):
            raise _Malformed("the same key is used for two purposes")
        return cls(masters, blinds, digest)


class _Malformed(Exception):
    """What is wrong with the content, told without quoting any of it."""


def _rows(document: dict[str, Any], name: str) -> list[Any]:
    rows = document.get(name)
    if not isinstance(rows, list) or not rows:
        raise _Malformed(f"{name} must be a list of at least one key")
    return rows


def _read_key(row: object, where: str, id_type: type[Id]) -> Key[Id]:
    if not isinstance(row, dict):
        raise _Malformed(f"{where} must be an object with id, key and created")
    key_id, text, created = row.get("id"), row.get("key"), row.get("created")
    if type(key_id) is not id_type or key_id == "":
        raise _Malformed(f"{where}.id must be {'text' if id_type is str else 'a whole number'}")
    try:
        material = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        material = b""
    if len(material) != KEY_BYTES:
        raise _Malformed(f"{where}.key must be the base64 of {KEY_BYTES} bytes")
    if not isinstance(created, str):
        raise _Malformed(f"{where}.created must be a date")
    return Key(key_id, material, created)


def _describe(key: Key[Any]) -> dict[str, str | int]:
    return {"id": key.id, "key": base64.b64encode(key.material).decode(), "created": key.created}


def _new_key(key_id: Id, created: str) -> Key[Id]:
    return Key(key_id, secrets.token_bytes(KEY_BYTES), created)


def _today(clock: Clock | None) -> str:
    return local_date((clock or SystemClock()).now_ms()).isoformat()
