"""Builders of the values that tests talk about, and a clock they can move."""

import itertools
import random
import socket
from datetime import datetime

from gateway.model.clock import ICT
from gateway.queue.delivery import Arrival

_events = itertools.count(1)
NOON = int(datetime(2026, 3, 9, 12, 0, tzinfo=ICT).timestamp() * 1000)


class FakeClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, at_ms: int = NOON) -> None:
        self._at_ms = at_ms

    def now_ms(self) -> int:
        return self._at_ms

    def advance(self, *, ms: int = 0, s: int = 0) -> None:
        self._at_ms += ms + s * 1000


def an_arrival(
    event_id: str | None = None,
    *,
    vendor_id: int = 1,
    revision: int = 1,
    content: bytes = b"content",
    lane: int | None = None,
    course: int = 0,
) -> Arrival:
    """One arrival; two with the same content have the same digest."""
    return Arrival(
        vendor_id=vendor_id,
        event_id=event_id or f"event-{next(_events)}",
        revision=revision,
        digest=content.ljust(16, b".")[:16],
        lane=100 + vendor_id if lane is None else lane,
        body=b"sealed " + content,
        course=course,
    )


def steady() -> random.Random:
    """Jitter that is the same in every run."""
    return random.Random(7)


def free_port() -> int:
    """A port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
