"""JSON read slowly and exactly: where items end, and the first fault of each with its path.

The fast readers pass repeated keys, round numbers to floats and give up a whole array for one bad item.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from gateway.connectors.faults import fault
from gateway.model.errors import FieldError, PayloadInvalid

# A string, a quote that opens none, a run of brackets, or a comma; everything else is skipped in C.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|"|[\[{]++|[\]}]++|,', re.DOTALL)
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_INT64 = range(-(2**63), 2**64)


class NumberText(str):
    """A JSON number kept as its text since a float would change it: 3.3E+09, or more than 64 bits."""

    __slots__ = ()


class Reading(NamedTuple):
    """`item` is None when the value is no object. With a fault it lacks the keys that were repeated."""

    item: dict[str, object] | None
    fault: FieldError | None


class _Repeated(dict[str, object]):
    """An object that named `key` more than once."""

    key = ""


def cut(body: bytes, max_items: int) -> list[bytes]:
    """The bytes of each element of the array `body`, damaged or not, but for max_items + 1 at most.

    Raises: PayloadInvalid when brackets, quotes or commas do not balance, so that ends cannot be told.
    """
    raws: list[bytes] = []
    depth, start = 0, 1
    for token in _TOKEN.finditer(body, 1):
        mark = token.group()
        if mark == b'"' or len(raws) > max_items:
            break
        if mark[:1] in b"[{":
            depth += len(mark)
        elif mark == b"," and depth == 0:
            raws.append(body[start : token.start()].strip(b" \t\r\n"))
            start = token.end()
        elif mark[:1] in b"]}":
            depth -= len(mark)
            if depth < 0:
                last = body[start : len(body) - 1].strip(b" \t\r\n")
                if depth == -1 and token.end() == len(body) and mark.endswith(b"]"):
                    raws += [last] if last or raws else []
                    break
                raise PayloadInvalid([fault("$", "body.not_json")])
    if len(raws) <= max_items and (depth != -1 or b"" in raws):
        raise PayloadInvalid([fault("$", "body.not_json")])
    return raws


def read(raw: bytes, max_depth: int) -> Reading:
    """One JSON value, exactly: its first fault in the order of the text. `raw` is UTF-8."""
    if _is_deeper(raw, max_depth):
        return Reading(None, fault("$", "item.too_deep", max_depth=max_depth))
    try:
        value = json.loads(
            raw.decode(), object_pairs_hook=_object, parse_float=_number, parse_int=_whole, parse_constant=float
        )
    except ValueError:
        return Reading(None, fault("$", "item.not_json"))
    if not isinstance(value, dict):
        return Reading(None, fault("$", "item.not_object"))
    return Reading(dict(value), next(_faults("$", value), None))


def _is_deeper(raw: bytes, max_depth: int) -> bool:
    depth = 0
    for token in _TOKEN.finditer(raw):
        mark = token.group()
        if mark[:1] in b"[{":
            depth += len(mark)
            if depth > max_depth:
                return True
        elif mark[:1] in b"]}":
            depth -= len(mark)
        elif mark == b'"':
            break  # it opens no string: json.loads will say that the item is malformed
    return False


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) == len(pairs):
        return built
    times = Counter(name for name, _ in pairs)
    marked = _Repeated((name, value) for name, value in pairs if times[name] == 1)
    marked.key = next(name for name in built if times[name] > 1)
    return marked


def _number(literal: str) -> object:
    value = float(literal)
    if "e" in literal or "E" in literal or not math.isfinite(value) or len(literal) > 17:
        return NumberText(literal)
    return value


def _whole(literal: str) -> object:
    if len(literal) > 20:
        return NumberText(literal)
    value = int(literal)
    return value if value in _INT64 else NumberText(literal)


def _faults(path: str, value: object) -> Iterator[FieldError]:
    if isinstance(value, str):
        if "\0" in value:
            yield fault(path, "text.nul")
        elif _has_surrogate(value):
            yield fault(path, "text.not_unicode")
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield fault(path, "item.not_finite")
    elif isinstance(value, dict):
        if isinstance(value, _Repeated):
            yield fault(_below(path, value.key), "item.repeated_key")
        for name, inner in value.items():
            yield from _faults(_below(path, name), name)
            yield from _faults(_below(path, name), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _faults(f"{path}[{index}]", inner)


def _below(path: str, name: str) -> str:
    """The path of a member; a name that is no plain word may hold anything and is shown as *."""
    return f"{path}.{name if _PLAIN_KEY.fullmatch(name) else '*'}"


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
