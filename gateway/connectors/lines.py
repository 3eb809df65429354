"""Bytes as they arrive -> whole lines (NDJSON). One line is one item, and a bad one harms no other.

Memory is bounded whatever arrives: of a line that is too long only its beginning is kept.
Source: https://github.com/ndjson/ndjson-spec; contracts/gateway/README.md, "Streams".
"""

from gateway.connectors.faults import MAX_DEPTH, MAX_LINE_BYTES, fault
from gateway.connectors.slicing import Slice, slice_line

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"


class Lines:
    """Cuts a body into lines. A cut one is longer than `max_bytes`, by one byte."""

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._begun: list[bytes] = []  # of the line whose end has not come yet
        self._begun_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that end in `data`, without their ends."""
        *ended, rest = data.split(b"\n")
        if ended and self._begun:
            self._keep(ended[0])
            ended[0] = self.rest()
        self._keep(rest)
        return ended

    def rest(self) -> bytes:
        """What came after the last line end. It is taken away."""
        line = b"".join(self._begun)
        self._begun, self._begun_bytes = [], 0
        return line

    def _keep(self, data: bytes) -> None:
        room = self._max_bytes + 1 - self._begun_bytes
        if data and room > 0:
            self._begun.append(data[:room])
            self._begun_bytes += min(len(data), room)


def read_line(line: bytes, *, max_bytes: int = MAX_LINE_BYTES, max_depth: int = MAX_DEPTH) -> Slice | None:
    """One line -> its item; None for a blank one, which counts but is nothing. Never raises."""
    text = line.removeprefix(_BOM).strip(_SPACE)
    if not text:
        return None
    if len(line) > max_bytes:
        return Slice(text, None, fault("$", "line.too_long", max_line_bytes=max_bytes))
    return slice_line(text, max_depth=max_depth)
