"""The values that every stage passes on: immutable, cheap to make, JSON both ways.

They are msgspec structs, not pydantic models: what comes from outside is checked before by the wire models, and
one is made, sealed and opened for every completion.
"""

from functools import cache
from typing import Any, Self, cast

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the values. Fields by name only; types are checked when JSON is read."""

    def replace(self, **changes: Any) -> Self:
        """The same value with other contents."""
        return msgspec.structs.replace(self, **changes)

    def to_json(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Raises: msgspec.ValidationError for what is no such value."""
        return cast(Self, _decoder(cls).decode(raw))


@cache
def _decoder(kind: type[Value]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
