"""The seal of the audit: rows -> leaves -> a Merkle root -> a link of a hash chain, with a keyed mark. Pure.

    leaf = SHA-256(0 | fields)   node = SHA-256(1 | left | right)   link = SHA-256(2 | seq, previous, root, …)

The chain itself needs no key: an auditor with an export can check it, and a head written down elsewhere proves
all before it. The mark (HMAC over the link) is what somebody with the database alone cannot make again.
Source: RFC 6962, 2.1 (leaves and nodes are told apart, and an odd node moves up).
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace

FIRST = b"\0" * 32  # what the first link follows


def leaf(*fields: int | str) -> bytes:
    """One row. Each field carries its length, so that no two rows read the same."""
    parts = [str(field).encode() for field in fields]
    return hashlib.sha256(b"\0" + b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The Merkle root of 1.. leaves, in their order."""
    level = list(leaves)
    while len(level) > 1:
        pairs = range(0, len(level) - 1, 2)
        above = [hashlib.sha256(b"\1" + level[n] + level[n + 1]).digest() for n in pairs]
        level = above if len(level) % 2 == 0 else [*above, level[-1]]
    return level[0]


@dataclass(frozen=True, slots=True)
class Seal:
    """One link of the chain: `rows` rows with ids `first_id` to `last_id` under one root."""

    seq: int
    at_ms: int
    rows: int
    first_id: int
    last_id: int
    root: bytes
    previous: bytes
    link: bytes = b""
    mark: bytes = b""

    def linked(self) -> bytes:
        """What `link` must be."""
        numbers = (self.seq, self.at_ms, self.rows, self.first_id, self.last_id)
        head = b"".join(number.to_bytes(8, "big") for number in numbers)
        return hashlib.sha256(b"\2" + head + self.previous + self.root).digest()

    def closed(self, key: bytes) -> "Seal":
        """The same with its link and mark."""
        link = self.linked()
        return replace(self, link=link, mark=mark_of(key, link))

    def is_marked(self, key: bytes) -> bool:
        return hmac.compare_digest(self.mark, mark_of(key, self.link))


def sealing_key(material: bytes) -> bytes:
    """The key of the marks, from the ring's digest key, which is never rotated."""
    return hmac.digest(material, b"audit seal 1", "sha256")


def mark_of(key: bytes, link: bytes) -> bytes:
    return hmac.digest(key, link, "sha256")
