"""Takes personal values and secrets out of log fields and exceptions: any event -> an event that may be kept.

Two nets: fields whose name says they are personal lose their value, and runs of 9 to 12 digits (old identity
cards, sector identifiers, phone numbers, personal numbers) are replaced in every text, whatever its field.
"""

import re
import traceback
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from gateway.model.errors import GatewayError

HIDDEN = "[hidden]"

# Compared folded (lower case, no underscores or hyphens), so fullName, full_name and full-name are one name.
# fmt: off
PERSONAL = frozenset({
    "hoten", "name", "tennguoidung", "ngaysinh", "dateofbirth", "gender", "gioitinh", "madinhdanh", "cccd",
    "cmnd", "email", "phone", "sodienthoai", "address", "claim", "snapshot", "certificateno", "sochungnhan",
    "value", "params", "parameters", "input", "excerpt",
})
SECRET = frozenset({
    "key", "keys", "material", "cookie", "setcookie", "webhooksignature", "signature", "body", "payload",
    "content", "plaintext", "secrets",
})
# Fields that end so are hidden too: learner_full_name, master_key, old_secret.
ENDINGS = (
    "fullname", "birthdate", "birthday", "identifier", "identifiers", "sectorid", "sectorcode", "citizenid",
    "personalnumber", "password", "secret", "token", "authorization", "apikey", "privatekey", "masterkey",
    "datakey",
)
# Numbers of our own making, and the time: their digits name no person.
MACHINE = frozenset({
    "at", "level", "logger", "traceid", "spanid", "traceparent", "requestid", "deliveryid", "receiptid",
    "jobid", "delivery", "job", "cause", "reconciliation", "correlationid", "correlation", "lane",
})
# fmt: on

_DIGITS = re.compile(r"(?<!\d)\d{9,12}(?!\d)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_MAX_DEPTH = 6
_MAX_FRAMES = 25
_MAX_CHAIN = 5


def redact(event: MutableMapping[str, Any]) -> dict[str, Any]:
    """The same event without personal values; nested mappings and lists included."""
    return {name: _field(name, value, 0) for name, value in event.items()}


def mask_digits(text: str) -> str:
    """Runs of 9 to 12 digits become [10 digits]: what it looked like stays, which one it was does not."""
    return _DIGITS.sub(lambda run: f"[{len(run[0])} digits]", text)


def describe(error: BaseException) -> dict[str, Any]:
    """An exception without the values it may quote.

    Returns: {"type", "message", "frames": ["file:line function", …], "cause": {…}}. Messages of our own errors
    are kept (they name fields, not values); of others the first line, without what stands in quotes.
    """
    return _describe(error, _MAX_CHAIN)


def _describe(error: BaseException, chain_left: int) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    told: dict[str, Any] = {
        "type": type(error).__qualname__,
        "message": _message(error),
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and chain_left:
        told["cause"] = _describe(cause, chain_left - 1)
    if isinstance(error, BaseExceptionGroup) and chain_left:
        told["group"] = [_describe(member, chain_left - 1) for member in error.exceptions[:_MAX_CHAIN]]
    return told


def _message(error: BaseException) -> str:
    if isinstance(error, ValidationError):  # its text quotes the input
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['type']}" for fault in faults[:20])
    if isinstance(error, GatewayError):
        return mask_digits(str(error))
    first_line = str(error).split("\n", 1)[0].split("[parameters", 1)[0][:300]
    return mask_digits(_QUOTED.sub("'…'", first_line))


def _field(name: str, value: object, depth: int) -> object:
    is_hidden, is_machine = _kind(name)
    if is_hidden:
        return HIDDEN
    return value if is_machine else _value(value, depth)


@lru_cache(maxsize=1024)  # the names of fields are few and stand in every line
def _kind(name: str) -> tuple[bool, bool]:
    folded = name.lower().replace("_", "").replace("-", "")
    is_hidden = folded in PERSONAL or folded in SECRET or folded.endswith(ENDINGS)
    return is_hidden, folded in MACHINE


def _value(value: object, depth: int) -> object:
    if isinstance(value, str):
        return mask_digits(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"[{len(value)} bytes]"
    if isinstance(value, BaseException):
        return describe(value)
    if depth == _MAX_DEPTH:
        return "[nested too deeply]"
    if isinstance(value, Mapping):
        return {str(key): _field(str(key), inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_value(inner, depth + 1) for inner in value]
    return f"[{type(value).__qualname__}]"  # the repr of an object may show anything
