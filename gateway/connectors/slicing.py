"""Body bytes -> items, each with its own bytes; one damaged item is refused alone.

The fast path takes what every JSON reader agrees on. Whatever is unusual (a number that a float would change,
a repeated key, a deep or malformed item) is read again slowly and exactly (exact.py).
Source: RFC 8259; contracts/vendors/README.md, "Bodies".
"""

from typing import NamedTuple

import msgspec
import orjson

from gateway.connectors import exact
from gateway.connectors.faults import MAX_DEPTH, MAX_ITEMS, fault
from gateway.model.errors import FieldError, PayloadInvalid

_BOM = b"\xef\xbb\xbf"  # Windows tools write it; RFC 8259 lets a reader ignore it
_SPACE = b" \t\r\n"


class Slice(NamedTuple):
    """One item of a body. `item` is None when it is no object; with a `fault` it serves only for peek()."""

    raw: bytes  # exactly as sent
    item: dict[str, object] | None
    fault: FieldError | None


def _plain_float(literal: str) -> float:
    if len(literal) > 17 or "e" in literal or "E" in literal:
        raise ValueError("a float may not keep what was sent")
    return float(literal)


_array = msgspec.json.Decoder(list[msgspec.Raw])
_value = msgspec.json.Decoder(float_hook=_plain_float)


def slice_body(body: bytes, *, max_items: int = MAX_ITEMS, max_depth: int = MAX_DEPTH) -> list[Slice]:
    """Cut a body, one object or an array of them, into 1..max_items slices in the order sent.

    Never quotes the body. Numbers that a float would change come as exact.NumberText.
    Raises: PayloadInvalid at "$" when the body as a whole cannot be read; nothing else, for any bytes.
    """
    body = body.removeprefix(_BOM).strip(_SPACE)
    if not body:
        raise PayloadInvalid([fault("$", "body.empty")])
    raws = _cut(body, max_items)
    if len(raws) > max_items:
        raise PayloadInvalid([fault("$", "body.too_many_items", max_items=max_items)])
    slices = [_slice(raw, max_depth) for raw in raws]
    if body[:1] == b"{" and (only := slices[0].fault) is not None and only.code == "item.not_json":
        raise PayloadInvalid([fault("$", "body.not_json")])
    return slices


def slice_line(line: bytes, *, max_depth: int = MAX_DEPTH) -> Slice:
    """The one item of a line of its own. Never raises: what cannot be read is the fault of this line."""
    try:
        return _slice(line, max_depth)
    except PayloadInvalid as error:
        return Slice(line, None, error.errors[0])


def _cut(body: bytes, max_items: int) -> list[bytes]:
    """The bytes of each item, at least one. May stop after max_items + 1 of them."""
    if body[:1] == b"[":
        try:
            raws = [bytes(raw) for raw in _array.decode(body)]
        except (msgspec.DecodeError, RecursionError):
            raws = exact.cut(_utf8(body), max_items)
    elif body[:1] == b"{":
        raws = [body]
    else:
        raise PayloadInvalid([fault("$", _scalar_fault(_utf8(body)))])
    if not raws:
        raise PayloadInvalid([fault("$", "body.no_items")])
    return raws


def _slice(raw: bytes, max_depth: int) -> Slice:
    try:
        item = _value.decode(raw)
        # A repeated key that was dropped takes its two quotes with it; \u0022 is a quote that is not counted.
        plain = (
            raw.count(b"{") + raw.count(b"[") <= max_depth
            and raw.count(b'"') == orjson.dumps(item).count(b'"')
            and not (b"\\" in raw and (b"\\u0000" in raw or b"\\u0022" in raw))
        )
    except (ValueError, TypeError, RecursionError):
        plain = False
    if not plain:
        seen = exact.read(_utf8(raw), max_depth)
        return Slice(raw, seen.item, seen.fault)
    if type(item) is not dict:
        return Slice(raw, None, fault("$", "item.not_object"))
    return Slice(raw, item, None)


def _scalar_fault(body: bytes) -> str:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return "body.not_json"
    return "body.not_items"


def _utf8(raw: bytes) -> bytes:
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise PayloadInvalid([fault("$", "body.not_utf8")]) from None
    return raw
