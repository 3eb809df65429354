"""Time: wall clock for what people read, monotonic for leases and timeouts; days in Việt Nam.

Source: decisions record 0001 (times are integer milliseconds UTC, days count in Asia/Ho_Chi_Minh).
"""

import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Protocol

# Việt Nam has had no daylight saving time since 1975, so a fixed offset is exact and needs no tz database.
ICT = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Clock(Protocol):
    """What a component asks for the time; tests pass one they can move."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...


class SystemClock:
    """Wall clock read at start, advanced by the monotonic clock and slewed towards the wall.

    A step of the machine's clock (NTP, an operator) therefore never makes leases jump: it is followed by at
    most 10 % of the time that passes, in either direction, so time never runs backwards here.
    """

    def __init__(self) -> None:
        self._last_mono_ns = time.monotonic_ns()
        self._last_ns = time.time_ns()

    def now_ms(self) -> int:
        mono_ns = time.monotonic_ns()
        passed_ns = mono_ns - self._last_mono_ns
        gap_ns = time.time_ns() - (self._last_ns + passed_ns)
        slew_ns = max(-passed_ns // 10, min(passed_ns // 10, gap_ns))
        self._last_ns += passed_ns + slew_ns
        self._last_mono_ns = mono_ns
        return self._last_ns // 1_000_000


def local_date(at_ms: int) -> date:
    """The calendar day in Việt Nam of an instant in milliseconds UTC."""
    return datetime.fromtimestamp(at_ms / 1000, ICT).date()


def day_number(at_ms: int) -> int:
    """The day in Việt Nam as yyyymmdd, the form stored in ledgers: 1_790_000_000_000 -> 20260921."""
    day = local_date(at_ms)
    return day.year * 10_000 + day.month * 100 + day.day


def iso(at_ms: int) -> str:
    """RFC 3339 text in Việt Nam's offset, milliseconds kept: 2026-09-21T20:53:20.000+07:00."""
    return datetime.fromtimestamp(at_ms / 1000, ICT).isoformat(timespec="milliseconds")


def http_date(at_ms: int) -> str:
    """RFC 3339 text in UTC, whole seconds; what error answers state as the server's time."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
