"""Whether two items of one event have the same content: a keyed digest of the item less its volatile fields.

Keyed, because an unkeyed digest of so few possible values (a name, a date) could be guessed.
"""

import hmac
import json
from collections.abc import Iterable
from functools import lru_cache

import orjson

from gateway.model.errors import FieldError, PayloadInvalid

DIGEST_BYTES = 16
MAX_DEPTH = 250  # orjson refuses to write more; what is deeper is nobody's completion


def content_digest(key: bytes, item: object, volatile: frozenset[str] = frozenset()) -> bytes:
    """16 bytes, equal for equal content whatever the order of the keys.

    `volatile`: dotted paths left out ("sentAt", "user.lastSeen"); a path goes through every element of a list.
    Raises: PayloadInvalid when the item is nested deeper than 250 levels.
    """
    if volatile:
        item = _without(item, _split(volatile))
    try:
        text = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # huge integers, lone surrogates, deep nesting: rare, and slower is good enough
        text = _rare(_plain(item, 0))
    return hmac.digest(key, text, "sha256")[:DIGEST_BYTES]


def _rare(item: object) -> bytes:
    try:
        return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate, which only an escape can write
        return json.dumps(item, sort_keys=True, separators=(",", ":")).encode()


@lru_cache
def _split(volatile: frozenset[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in volatile)


def _without(item: object, paths: Iterable[tuple[str, ...]]) -> object:
    """A copy of what the paths touch; everything else is shared with the original."""
    if isinstance(item, list):
        return [_without(element, paths) for element in item]
    if not isinstance(item, dict):
        return item
    kept = dict(item)
    below: dict[str, list[tuple[str, ...]]] = {}
    for head, *rest in paths:
        if head not in kept:
            continue
        if rest:
            below.setdefault(head, []).append(tuple(rest))
        else:
            del kept[head]
    for head, rests in below.items():
        if head in kept:
            kept[head] = _without(kept[head], rests)
    return kept


def _plain(item: object, depth: int) -> object:
    """The item as orjson would have read it: integers beyond 64 bits are floats there, and not in `json`."""
    if depth > MAX_DEPTH:
        raise PayloadInvalid([FieldError("$", "payload.too_deep", f"nested deeper than {MAX_DEPTH} levels")])
    if isinstance(item, dict):
        return {name: _plain(value, depth + 1) for name, value in item.items()}
    if isinstance(item, list):
        return [_plain(value, depth + 1) for value in item]
    if isinstance(item, int) and not -(2**63) <= item < 2**64:
        return float(item) if abs(item) < 10**308 else hex(item)
    return item
