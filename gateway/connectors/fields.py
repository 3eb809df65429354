"""Field types that all vendors' wire models share.

Only ids, time and revision (and text that cannot be stored) are ever refused; all else is kept as sent.
"""

import json
import re
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.connectors.exact import NumberText
from gateway.connectors.faults import END_YEAR, FIRST_YEAR, MAX_ID_CHARS, MAX_REVISION
from gateway.model.clock import ICT

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EPOCH = datetime(1970, 1, 1, 7, tzinfo=ICT)
_MS = timedelta(milliseconds=1)
_FIRST_MS = (datetime(FIRST_YEAR, 1, 1, tzinfo=ICT) - _EPOCH) // _MS
_END_MS = (datetime(END_YEAR, 1, 1, tzinfo=ICT) - _EPOCH) // _MS


def _refused(code: str) -> PydanticCustomError:
    return PydanticCustomError(code, code)


def _storable(text: str) -> str:
    """The text itself. PostgreSQL refuses NUL, and half a surrogate pair has no UTF-8."""
    if "\0" in text:
        raise _refused("text.nul")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _refused("text.not_unicode") from None
    return text


def _id(value: object) -> str:
    """An id as text: 1..128 characters, no control characters. A whole number becomes its digits."""
    if value is None:
        raise _refused("field.missing")
    if type(value) is int and abs(value) < 2**64:
        value = str(value)
    if not isinstance(value, str) or type(value) is NumberText:
        raise _refused("id.not_text")
    if len(value) > MAX_ID_CHARS:
        raise _refused("id.too_long")
    if not value.strip():
        raise _refused("id.blank")
    text = _storable(value)
    if not text.isalnum() and _CONTROL.search(text):
        raise _refused("id.control_characters")
    return text


def _text(value: object) -> str | None:
    """What was sent as text; blank counts as not sent. Numbers keep their digits, containers their JSON."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool | list | dict):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = str(value)
    return _storable(text) if text and not text.isspace() else None


def _revision(value: object) -> int:
    if type(value) is not int or not 1 <= value <= MAX_REVISION:
        raise _refused("revision.not_positive")
    return value


def _in_range(at_ms: int) -> int:
    if not _FIRST_MS <= at_ms < _END_MS:
        raise _refused("time.out_of_range")
    return at_ms


def _epoch_ms(value: object) -> int:
    if type(value) is not int:
        raise _refused("field.missing" if value is None else "time.not_epoch_ms")
    return _in_range(value)


def _iso_ms(value: object) -> int:
    if type(value) is not str:
        raise _refused("field.missing" if value is None else "time.not_iso")
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise _refused("time.not_iso") from None
    if at.tzinfo is None:
        raise _refused("time.no_offset" if "T" in value or ":" in value else "time.not_iso")
    return _in_range((at - _EPOCH) // _MS)


Id = Annotated[
    str, BeforeValidator(_id), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS})
]
Text = Annotated[str | None, BeforeValidator(_text), WithJsonSchema({"type": ["string", "null"]})]
Revision = Annotated[
    int,
    BeforeValidator(_revision),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_REVISION, "default": 1}),
]
EpochMs = Annotated[
    int,
    BeforeValidator(_epoch_ms),
    WithJsonSchema({"type": "integer", "minimum": _FIRST_MS, "exclusiveMaximum": _END_MS}),
]
IsoMs = Annotated[int, BeforeValidator(_iso_ms), WithJsonSchema({"type": "string", "format": "date-time"})]
Score = Annotated[str | None, BeforeValidator(_text), WithJsonSchema({"type": ["number", "null"]})]
# Read by the connector itself: a wrong type is no fault, it only states nothing.
Stated = Annotated[object, WithJsonSchema({"type": ["boolean", "null"]})]
Periods = Annotated[object, WithJsonSchema({"type": ["integer", "null"], "minimum": 1})]


def usable_id(value: object) -> str | None:
    """The event id where it could be stored and answered with, else None."""
    try:
        return _id(value)
    except PydanticCustomError:
        return None


def usable_revision(value: object) -> int | None:
    """The revision where it is one, else None."""
    try:
        return _revision(value)
    except PydanticCustomError:
        return None


def _object_or_nothing(value: object) -> object:
    return value if isinstance(value, dict) else None


# A result that is no object states nothing: held as unstated, like one that is missing, and never refused.
ObjectOrNothing = BeforeValidator(_object_or_nothing)
