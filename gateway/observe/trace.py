"""Trace context carried from the vendor's request to TEMIS.

Source: W3C Trace Context, section 3.2 (traceparent); `tracestate` is not carried.
"""

import re
import secrets
from typing import NamedTuple, Self

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Trace(NamedTuple):
    """One span of one trace."""

    trace_id: str  # 32 hex digits, not all zero
    span_id: str  # 16 hex digits, not all zero
    sampled: bool = True

    @classmethod
    def new(cls, sampled: bool = True) -> Self:
        """A trace that starts here."""
        return cls(new_trace_id(), _random_hex(8), sampled)

    def child(self) -> Self:
        """The next span of the same trace: what is sent on."""
        return self._replace(span_id=_random_hex(8))

    def header(self) -> str:
        """The value of `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"


def parse(header: str | None) -> Trace | None:
    """The sender's span, or None when the header is absent or unusable: then a new trace starts."""
    match = _TRACEPARENT.fullmatch(header.strip()) if header else None
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Trace(trace_id, span_id, bool(int(flags, 16) & 1))


def new_trace_id() -> str:
    """The id of a trace that starts here: 32 hex digits, not all zero."""
    return _random_hex(16)


def _random_hex(size_bytes: int) -> str:
    while True:
        text = secrets.token_hex(size_bytes)
        if text.strip("0"):
            return text
